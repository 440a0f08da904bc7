"""What `sm-emulate --help` prints is told without click, and is true of the commands that click knows."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from sm_emulate.cli.front_page import COMMANDS, front_page
from sm_emulate.cli.group import sm_emulate


def test_click_prints_the_same_page():
    assert CliRunner().invoke(sm_emulate, ["--help"]).output == front_page() + "\n"


def test_it_has_every_option_of_the_group():
    options = [name for option in sm_emulate.params for name in option.opts]
    assert options
    assert all(f"  {name} " in front_page() for name in options)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_there_and_on_the_page(name):
    command = sm_emulate.get_command(click.Context(sm_emulate), name)
    assert command is not None
    assert f"  {name} " in front_page()


def test_no_line_is_wider_than_a_small_terminal():
    assert max(map(len, front_page().splitlines())) <= 80


def test_the_console_script_prints_it_without_click():
    code = (
        "import os, sys\n"
        "from sm_emulate.cli import console\n"
        "leave = os._exit\n"
        "os._exit = lambda code: (print('click' in sys.modules, file=sys.stderr, flush=True), leave(code))\n"
        "sys.argv = ['sm-emulate', '--help']\n"
        "console()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == front_page() + "\n"
    assert done.stderr == "False\n"


def test_output_that_cannot_be_written_is_told_with_its_exit_code():
    code = "import sys\nfrom sm_emulate.cli import console\nsys.argv = ['sm-emulate', '--help']\nconsole()\n"
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-c", code], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert done.returncode == 3
    assert done.stderr == "error: the output could not be written: No space left on device\n"


def test_a_bug_under_debug_shows_its_traceback():
    code = (
        "import sys\n"
        "import sm_emulate.cli as cli\n"
        "def broken(): raise ValueError('x')\n"
        "cli.main = broken\n"
        "sys.argv = ['sm-emulate', '--debug', 'ps']\n"
        "cli.console()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "ValueError: x" in done.stderr
