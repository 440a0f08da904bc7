from capable import Capable, run


class Broken(Capable):
    @staticmethod
    def port():
        return 8080


run(Broken)
