"""`sm-emulate` itself: which commands there are, and what all of them share.

The short helps stand here so that `sm-emulate --help` imports no command.
"""

from __future__ import annotations

from importlib import import_module

import click

from sm_emulate import __version__

COMMANDS = {
    "train": ("sm_emulate.cli.train", "Run a training job on an image."),
    "serve": ("sm_emulate.cli.serve", "Run an endpoint on an image."),
    "invoke": ("sm_emulate.cli.invoke", "Send a payload to an endpoint."),
    "validate": ("sm_emulate.cli.validate", "Say whether SageMaker will run an image."),
    "rules": ("sm_emulate.cli.rules", "List the rules of validate."),
    "rule": ("sm_emulate.cli.rules", "Print the page of a rule."),
    "ps": ("sm_emulate.cli.runs", "List training jobs and endpoints."),
    "describe": ("sm_emulate.cli.runs", "Show a run as AWS's Describe call does."),
    "logs": ("sm_emulate.cli.runs", "Print a run's container logs."),
    "stop": ("sm_emulate.cli.runs", "Stop a running job or endpoint."),
    "clean": ("sm_emulate.cli.runs", "Remove what dead runs left, and old runs."),
    "doctor": ("sm_emulate.cli.doctor", "Say whether this machine can run it all."),
    "completion": ("sm_emulate.cli.completion", "Print the shell's completion script."),
}

EXAMPLES = """\b
Examples:
  sm-emulate train my-image --channel train=./data --hyperparameter epochs=3
  sm-emulate serve my-image --model model.tar.gz --detach
  sm-emulate invoke --data @payload.csv --content-type text/csv
  sm-emulate validate my-image --role serve --model ./model --data @payload.csv --content-type text/csv
\b
Exit codes:
  0 fine   1 the container is at fault   2 wrong usage or request
  3 this machine cannot run it   4 our own bug   5 nothing was checked
  130 interrupted
"""


class LazyGroup(click.Group):
    """A group whose commands are imported when they are used."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = getattr(import_module(COMMANDS[cmd_name][0]), cmd_name)
        if not any(option.name == "debug" for option in command.params):
            command.params.append(
                click.Option(
                    ["--debug"], is_flag=True, expose_value=False, help="Show the traceback of an error."
                )
            )
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Add a suggestion to click's complaint about an unknown command."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as wrong:
            import difflib

            close = difflib.get_close_matches(args[0], COMMANDS, n=1)
            if not close or "Did you mean" in wrong.message:
                raise
            raise click.UsageError(f"{wrong.message} Did you mean {close[0]!r}?", ctx) from None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's
        with formatter.section("Commands"):
            formatter.write_dl([(name, about) for name, (_, about) in COMMANDS.items()])


def _version(ctx: click.Context, _option: click.Parameter, asked: bool) -> None:
    if asked and not ctx.resilient_parsing:
        click.echo(f"sm-emulate {__version__}")
        ctx.exit()


@click.group(
    name="sm-emulate",
    cls=LazyGroup,
    epilog=EXAMPLES,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
@click.option(
    "--version", is_flag=True, expose_value=False, is_eager=True, callback=_version, help="Show the version."
)
def sm_emulate(debug: bool) -> None:
    """SageMaker's container runtime on this machine."""
