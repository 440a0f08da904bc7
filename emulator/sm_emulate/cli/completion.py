"""`completion`: the script that a shell reads."""

from __future__ import annotations

import click


@click.command(
    epilog="\b\nExamples:\n  source <(sm-emulate completion bash)\n"
    "  sm-emulate completion fish > ~/.config/fish/completions/sm-emulate.fish"
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the completion script for a shell: commands, options, and names of runs."""
    from click.shell_completion import get_completion_class

    from sm_emulate.cli.group import sm_emulate

    script = get_completion_class(shell)
    if script is None:
        raise click.UsageError(f"no completion for {shell}")
    click.echo(script(sm_emulate, {}, "sm-emulate", "_SM_EMULATE_COMPLETE").source())
