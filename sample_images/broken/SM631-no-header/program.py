from capable import Capable, run


class Broken(Capable):
    def opened(self, session):
        return {"X-Session-Id": session}


run(Broken)
