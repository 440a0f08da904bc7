"""What `pip install sm-emulate` puts on a machine."""

from __future__ import annotations

import configparser
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    (path,) = folder.iterdir()
    with zipfile.ZipFile(path) as opened:
        yield opened


def test_wheel_holds_the_two_packages_and_nothing_else(wheel):
    tops = {name.split("/")[0] for name in wheel.namelist()}
    (metadata,) = {top for top in tops if top.endswith(".dist-info")}
    assert tops == {"sm_emulate", "sm_contracts", metadata}


def test_wheel_holds_the_sizes_of_instance_types(wheel):
    assert "sm_emulate/spec/instance_types.json" in wheel.namelist()


def test_wheel_holds_every_module_and_the_type_marker(wheel):
    expected = {
        str(path.relative_to(source))
        for source in (ROOT / "emulator", ROOT / "contract_tests")
        for package in source.glob("sm_*")
        for path in [*package.rglob("*.py"), package / "py.typed"]
    }
    packed = {name for name in wheel.namelist() if name.endswith((".py", "py.typed"))}
    assert packed == expected


def test_wheel_holds_the_page_of_an_endpoint(wheel):
    folder = "sm_emulate/gateway/page/"
    packed = {name.removeprefix(folder) for name in wheel.namelist() if name.startswith(folder)}
    assert packed == {path.name for path in (ROOT / "emulator" / folder).iterdir()}
    assert "index.html" in packed


def test_wheel_installs_the_command(wheel):
    (name,) = (name for name in wheel.namelist() if name.endswith(".dist-info/entry_points.txt"))
    entry_points = configparser.ConfigParser()
    entry_points.read_string(wheel.read(name).decode())
    assert dict(entry_points["console_scripts"]) == {"sm-emulate": "sm_emulate.cli:console"}
