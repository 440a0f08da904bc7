from batch import Batch, Refused, run


class Broken(Batch):
    def answers(self, rows):
        if len(rows) != 1:
            raise Refused(400, "send one row")
        return super().answers(rows)


run(Broken)
