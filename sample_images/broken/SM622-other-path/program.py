from conversing import Conversing, run


class Broken(Conversing):
    def upgrades(self, path):
        return path == "/ws"


run(Broken)
