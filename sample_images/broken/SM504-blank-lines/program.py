from batch import Batch, run


class Broken(Batch):
    def written(self, answers):
        return super().written(answers) + "\n"


run(Broken)
