"""The first page: which commands there are, and what `sm-emulate --help` prints.

It needs no click, whose import is three quarters of the time that printing it takes.
"""

from __future__ import annotations

_ROOMS = {
    "Jobs": {
        "train": ("sm_emulate.cli.train", "Run a training job on an image."),
        "tune": ("sm_emulate.cli.tune", "Search for the best hyperparameters."),
        "process": ("sm_emulate.cli.process", "Run a processing job on an image."),
        "transform": ("sm_emulate.cli.transform", "Run a batch transform job on an image."),
    },
    "Endpoints": {
        "serve": ("sm_emulate.cli.serve", "Run an endpoint on an image."),
        "invoke": ("sm_emulate.cli.invoke", "Send a payload to an endpoint."),
        "update": ("sm_emulate.cli.update", "Change a running endpoint; back if it fails."),
    },
    "Verdicts": {
        "validate": ("sm_emulate.cli.validate", "Say whether SageMaker will run an image."),
        "rules": ("sm_emulate.cli.rules", "List the rules of validate."),
        "rule": ("sm_emulate.cli.rules", "Print the page of a rule."),
    },
    "Jobs and endpoints that are there": {
        "ps": ("sm_emulate.cli.runs", "List them."),
        "describe": ("sm_emulate.cli.runs", "Show one as AWS's Describe call does."),
        "metrics": ("sm_emulate.cli.metrics", "Print or plot the metrics of a job."),
        "logs": ("sm_emulate.cli.runs", "Print container logs."),
        "stop": ("sm_emulate.cli.runs", "Stop a running job or endpoint."),
        "clean": ("sm_emulate.cli.runs", "Remove what dead runs left, and old runs."),
    },
    "This machine": {
        "doctor": ("sm_emulate.cli.doctor", "Say whether it can run it all."),
        "completion": ("sm_emulate.cli.completion", "Print the shell's completion script."),
    },
}
COMMANDS = {name: command for room in _ROOMS.values() for name, command in room.items()}
"""The module of each command, and what it is for."""

_PAGE = """\
Usage: sm-emulate [OPTIONS] COMMAND [ARGS]...

  SageMaker's container runtime on this machine.

Options:
  --debug     Show the traceback of an error.
  --version   Show the version.
  -h, --help  Show this message and exit.

{commands}

Examples:
  sm-emulate train my-image --channel train=./data --hyperparameter epochs=3
  sm-emulate process my-image --input data=./in --processing-output result=./out
  sm-emulate serve my-image --model model.tar.gz --detach
  sm-emulate invoke --data @payload.csv --content-type text/csv
  sm-emulate validate my-image --role train --channel train=./data

Exit codes:
  0 fine   1 the container is at fault   2 wrong usage or request
  3 this machine cannot run it   4 our own bug   5 nothing was checked
  130 interrupted

`sm-emulate COMMAND --help` has each command's options and examples."""


def front_page() -> str:
    """The help of `sm-emulate` itself."""
    width = max(map(len, COMMANDS))
    rooms = (
        f"{title}:\n" + "\n".join(f"  {name:<{width}}  {about}" for name, (_, about) in room.items())
        for title, room in _ROOMS.items()
    )
    return _PAGE.format(commands="\n\n".join(rooms))
