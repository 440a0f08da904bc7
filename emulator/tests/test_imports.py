"""Importing costs nothing and tells nothing: no file, no socket, no process, no thread, no look at the environment."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = [ROOT / "emulator", ROOT / "contract_tests"]

WATCHER = r'''
import importlib, json, os, sys, sysconfig, threading
from pathlib import Path

sources, modules = json.loads(sys.argv[1]), json.loads(sys.argv[2])
standard = tuple({sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib")})
site = tuple({sysconfig.get_path("purelib"), sysconfig.get_path("platlib")})
seen = []
watching = False


def culprit():
    """The nearest frame that is not Python's own: ours (module:line), or None for the import system and others."""
    frame = sys._getframe(2)
    while frame is not None:
        path = frame.f_code.co_filename
        if path.startswith("<frozen importlib"):
            return None
        if path.startswith(tuple(sources)):
            return f"{path}:{frame.f_lineno}"
        if path.startswith(site) or not (path.startswith(standard) or path.startswith("<") or path == __file__):
            return None
        frame = frame.f_back
    return None


WATCHED = ("open", "os.", "socket.", "subprocess.", "shutil.", "tempfile.", "_thread.start", "pty.", "glob.", "pathlib.")


def audit(event, arguments):
    if watching and event.startswith(WATCHED):
        who = culprit()
        if who:
            seen.append(f"{who} does {event} {arguments!r}")


class Environment(type(os.environ)):
    def __getitem__(self, key):
        note(key)
        return super().__getitem__(key)

    def __iter__(self):
        note("all of it")
        return super().__iter__()


def note(key):
    if watching:
        who = culprit()
        if who:
            seen.append(f"{who} reads the environment: {key}")


sys.addaudithook(audit)
os.environ.__class__ = Environment
for name in modules:
    watching = True
    importlib.import_module(name)
    watching = False
if threading.active_count() != 1:
    seen.append(f"threads run: {threading.enumerate()}")
print(json.dumps(seen))
'''


def watch(sources, modules, folder):
    watcher = folder / "watcher.py"
    watcher.write_text(WATCHER)
    done = subprocess.run(
        [
            sys.executable,
            "-B",
            str(watcher),
            json.dumps([str(source) for source in sources]),
            json.dumps(modules),
        ],
        env={"PYTHONPATH": ":".join(str(source) for source in sources)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def modules_of(source):
    for path in sorted(source.glob("sm_*/**/*.py")):
        parts = path.relative_to(source).with_suffix("").parts
        yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def test_importing_any_module_does_nothing_else(tmp_path):
    modules = [name for source in SOURCES for name in modules_of(source)]
    assert {"sm_emulate", "sm_emulate.errors", "sm_contracts"} <= set(modules)
    assert watch(SOURCES, modules, tmp_path) == []


@pytest.mark.parametrize(
    ("code", "complaint"),
    [
        ("open('/dev/null').close()", "does open"),
        ("import pathlib; pathlib.Path('/dev/null').read_text()", "does open"),
        ("import pathlib; pathlib.Path.home()", "reads the environment: HOME"),
        ("import os; os.getenv('HOME')", "reads the environment: HOME"),
        ("import os; 'HOME' in os.environ", "reads the environment: HOME"),
        ("import os; dict(os.environ)", "reads the environment: all of it"),
        ("import socket; socket.socket().close()", "does socket"),
        ("import subprocess; subprocess.run(['true'])", "does subprocess"),
        ("import os; os.listdir('/')", "does os.listdir"),
        (
            "import threading; threading.Thread(target=threading.Event().wait, daemon=True).start()",
            "threads run",
        ),
    ],
)
def test_the_watcher_sees(code, complaint, tmp_path):
    source = tmp_path / "source"
    source.mkdir()
    (source / "guilty.py").write_text(code + "\n")
    assert any(complaint in line for line in watch([source], ["guilty"], tmp_path))
