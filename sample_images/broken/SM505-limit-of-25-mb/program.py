from batch import Batch, run


class Broken(Batch):
    largest_body = 25 << 20


run(Broken)
