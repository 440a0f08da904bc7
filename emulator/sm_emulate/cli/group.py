"""`sm-emulate` itself: it imports the command that is asked for."""

from __future__ import annotations

from importlib import import_module

import click

from sm_emulate import __version__
from sm_emulate.cli.front_page import COMMANDS, front_page


class ReaderLeftError(Exception):
    """Nobody reads our stdout any more. click would leave with 1 then, which would blame the container."""


class LazyGroup(click.Group):
    """A group whose commands are imported when they are used."""

    def invoke(self, ctx: click.Context) -> object:
        """Run the command; a reader who leaves early is nobody's fault."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            raise ReaderLeftError from None

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

    def get_help(self, ctx: click.Context) -> str:  # noqa: ARG002 - click's signature
        return front_page()


def _version(ctx: click.Context, _option: click.Parameter, asked: bool) -> None:
    if asked and not ctx.resilient_parsing:
        click.echo(f"sm-emulate {__version__}")
        ctx.exit()


@click.group(
    name="sm-emulate",
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
@click.option(
    "--version", is_flag=True, expose_value=False, is_eager=True, callback=_version, help="Show the version."
)
def sm_emulate(debug: bool) -> None:
    """SageMaker's container runtime on this machine."""
