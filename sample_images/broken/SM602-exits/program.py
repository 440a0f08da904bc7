import os
import sys

from capable import Capable, run

if "SAGEMAKER_BIND_TO_PORT" in os.environ:
    sys.exit("SAGEMAKER_BIND_TO_PORT: no such setting")
run(Capable)
