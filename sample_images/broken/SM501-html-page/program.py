from batch import Batch, run


class Broken(Batch):
    def parameters(self):
        return 200, b"<!doctype html><title>Not here</title>", "text/html"


run(Broken)
