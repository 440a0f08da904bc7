from batch import Batch, run


class Broken(Batch):
    def parameters(self):
        return 500, b"KeyError: 'execution-parameters'\n", "text/plain"


run(Broken)
