from capable import Capable, run


class Broken(Capable):
    def opened(self, session):
        return {"X-Amzn-SageMaker-New-Session-Id": session}


run(Broken)
