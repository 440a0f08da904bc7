from conversing import Conversing, run


class Broken(Conversing):
    def binary(self, data):
        self.close(1003, b"text only")


run(Broken)
