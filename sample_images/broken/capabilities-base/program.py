from capable import Capable, run

run(Capable)
