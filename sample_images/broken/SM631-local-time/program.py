import datetime

from capable import Capable, run


class Broken(Capable):
    def opened(self, session):
        until = datetime.datetime.now() + datetime.timedelta(days=2)
        return {"X-Amzn-SageMaker-New-Session-Id": f"{session}; Expires={until.isoformat()}"}


run(Broken)
