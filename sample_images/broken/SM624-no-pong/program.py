from conversing import Conversing, run


class Broken(Conversing):
    def pinged(self, data):
        pass


run(Broken)
