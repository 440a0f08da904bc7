from conversing import Conversing, run


class Broken(Conversing):
    def key(self, given):
        return super().key(given + "=")


run(Broken)
