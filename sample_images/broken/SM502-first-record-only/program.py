from batch import Batch, run


class Broken(Batch):
    def answers(self, rows):
        return super().answers(rows[:1])


run(Broken)
