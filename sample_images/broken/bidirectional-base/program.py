from conversing import Conversing, run

run(Conversing)
