from batch import Batch, run

run(Batch)
