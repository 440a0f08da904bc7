from conversing import Conversing, Over, run


class Broken(Conversing):
    def binary(self, data):
        raise Over


run(Broken)
