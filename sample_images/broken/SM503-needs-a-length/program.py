from batch import Batch, Refused, run


class Broken(Batch):
    def chunks(self):
        super().chunks()
        raise Refused(411, "Content-Length is missing")


run(Broken)
