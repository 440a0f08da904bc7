from capable import Capable, run


class Broken(Capable):
    def closed(self, session):
        return super().closed(session.upper())


run(Broken)
