from batch import Batch, run


class Broken(Batch):
    def parameters(self):
        return 200, b'{"BatchStrategy": "MultiRecord"}', "application/json"


run(Broken)
