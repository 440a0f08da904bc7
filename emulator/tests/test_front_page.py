"""What `sm-emulate --help` prints is told without click, and is true of the commands that click knows."""

from __future__ import annotations

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
