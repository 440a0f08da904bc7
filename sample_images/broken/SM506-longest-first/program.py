from batch import Batch, run


class Broken(Batch):
    def answers(self, rows):
        return super().answers(sorted(rows, key=sum, reverse=True))


run(Broken)
