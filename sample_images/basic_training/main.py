"""Print what a training container is given, pretend to train, save a model."""

import json
import os
import pathlib
import signal
import socket
import sys
import time

ML = pathlib.Path("/opt/ml")
# The variables that the platform sets; what else is in the environment came from the image or the request.
PLATFORM = (
    "TRAINING_JOB_NAME",
    "TRAINING_JOB_ARN",
    "AWS_REGION",
    "AWS_EXECUTION_ENV",
    "DMLC_INTERFACE",
    "NVIDIA_VISIBLE_DEVICES",
    "SAGEMAKER_MANAGED_WARMPOOL_CACHE_DIRECTORY",
)

stop_asked = False


def on_sigterm(signum, frame):
    global stop_asked
    stop_asked = True


def show():
    print(f"arguments: {json.dumps(sys.argv[1:])}")
    print(f"hostname: {socket.gethostname()}")
    print(f"user: {os.getuid()}:{os.getgid()}")
    print(f"working directory: {os.getcwd()}")
    for file in sorted((ML / "input/config").iterdir()):
        # As it lies there: byte for byte, with its mode.
        print(f"{file} {file.stat().st_mode & 0o7777:04o} {file.read_bytes()!r}")
    for name in PLATFORM:
        if name in os.environ:
            print(f"{name}={os.environ[name]}")
    for name in ("train", "validation"):
        folder = ML / "input/data" / name
        if not folder.is_dir():
            print(f"channel {name}: absent")
            continue
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        print(f"channel {name}: {len(files)} files")
        for path in files:
            print(f"  {path.relative_to(folder)} {path.stat().st_size} bytes")


def main():
    signal.signal(signal.SIGTERM, on_sigterm)
    show()
    hyperparameters = json.loads((ML / "input/config/hyperparameters.json").read_text())
    epochs = int(hyperparameters.get("epochs", "3"))
    pause = float(hyperparameters.get("seconds_per_epoch", "0.1"))

    done = 0
    while done < epochs and not stop_asked:
        done += 1
        print(f"epoch={done} train_loss={1 / (done + 1):.4f}; validation_loss={1.1 / (done + 1):.4f};")
        time.sleep(pause)

    # Saved in every case: the platform gives 120 seconds after SIGTERM and packs what lies here.
    (ML / "model/model.json").write_text(json.dumps({"epochs": done, "stopped": stop_asked}) + "\n")
    (ML / "output/data/history.txt").write_text(f"{done} epochs\n")
    print("stopped early, model saved" if stop_asked else "training complete")


if __name__ == "__main__":
    try:
        main()
    except Exception as error:
        (ML / "output/failure").write_text(f"{type(error).__name__}: {error}")
        raise
