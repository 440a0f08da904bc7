"""The command line as a whole: help, mistakes, exit codes, and what it costs to start."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from sm_emulate import cli, errors
from sm_emulate.cli.group import COMMANDS, sm_emulate

SOURCES = str(Path(__file__).parents[1])
ERRORS = [
    found
    for found in vars(errors).values()
    if isinstance(found, type)
    and issubclass(found, errors.SmEmulateError)
    and found is not errors.SmEmulateError
]


@pytest.fixture
def run(monkeypatch, capsys, home):
    """Run the command and give exit code, stdout and stderr."""

    def run(*words):
        monkeypatch.setattr(sys, "argv", ["sm-emulate", *words])
        with pytest.raises(SystemExit) as leaving:
            cli.main()
        out, err = capsys.readouterr()
        return leaving.value.code, out, err

    return run


@pytest.fixture
def doctor_raises(monkeypatch):
    def arrange(error):
        def examine(*_args, **_more):
            raise error

        monkeypatch.setattr("sm_emulate.api.doctor.examine", examine)

    return arrange


@pytest.mark.parametrize("command", list(COMMANDS))
def test_every_command_has_a_help_with_an_example(run, command):
    code, out, _ = run(command, "--help")
    assert code == 0
    assert out.startswith(f"Usage: sm-emulate {command}")
    assert "Example" in out
    assert f"sm-emulate {command}" in out.partition("Example")[2]


def test_the_help_of_all_lists_every_command_and_the_exit_codes(run):
    code, out, _ = run("--help")
    assert code == 0
    for name, (_, about) in COMMANDS.items():
        assert name in out
        assert about in out
    for code in errors.ExitCode:
        assert str(code.value) in out.partition("Exit codes:")[2]


@pytest.mark.parametrize("command", list(COMMANDS))
def test_the_short_help_in_the_list_says_what_the_command_says(command):
    full = sm_emulate.get_command(None, command).help
    about = COMMANDS[command][1].rstrip(".")
    assert full
    assert about.split()[0] in {
        full.split()[0],
        "List",
        "Remove",
        "Print",
        "Show",
        "Say",
        "Stop",
        "Send",
        "Run",
    }


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("trian",), "No such command 'trian'. Did you mean 'train'?"),
        (("zzz",), "No such command 'zzz'."),
        (("train", "img", "--chanel", "x"), "No such option"),
        (("train",), "Missing argument 'IMAGE' (or --request FILE)."),
        (("serve",), "Missing argument 'IMAGE' (or --variant"),
        (("logs", "--tail", "-1", "x"), "-1 is not in the range"),
    ],
)
def test_wrong_usage_is_met_with_what_was_meant(run, words, complaint):
    code, out, err = run(*words)
    assert (code, out) == (2, "")
    assert complaint in err.replace("\n", " ")


def test_a_misspelt_option_is_met_with_the_nearest(run):
    _, _, err = run("train", "img", "--chanel", "x")
    assert "--channel" in err.partition("Did you mean")[2]


@pytest.mark.parametrize("kind", ERRORS, ids=lambda kind: kind.__name__)
def test_each_error_has_its_exit_code_and_its_message(run, doctor_raises, kind):
    doctor_raises(kind("it broke", value="v", expected="e", hint="h", link="l", evidence=("line",)))
    code, out, err = run("doctor")
    assert code == int(kind.exit_code)
    assert out == ""
    assert err.splitlines() == [
        "error: it broke",
        "  value:    v",
        "  expected: e",
        "  hint:     h",
        "  see:      l",
        "  | line",
    ]


def test_the_exit_codes_are_those_that_the_help_promises():
    assert {kind.__name__: int(kind.exit_code) for kind in ERRORS} == {
        "RequestError": 2,
        "ArchiveError": 2,
        "PipeError": 3,
        "StorageError": 3,
        "ContainerError": 1,
        "EndpointFailedError": 1,
        "MachineError": 3,
        "EngineNotFoundError": 3,
        "ImageNotFoundError": 3,
        "GpuNotFoundError": 3,
        "EngineError": 3,
        "NotFoundError": 3,
        "StartError": 3,
        "NothingCheckedError": 5,
        "BugError": 4,
    }


@pytest.mark.parametrize("form", [("--output", "json"), ("--output=json",)])
def test_an_error_is_json_on_stdout_where_json_was_asked_for(run, doctor_raises, form):
    doctor_raises(errors.MachineError("it broke", value=3))
    code, out, err = run("doctor", *form)
    assert code == 3
    assert json.loads(out) == {
        "error": {
            "code": "machine",
            "what": "it broke",
            "value": "3",
            "expected": None,
            "hint": None,
            "link": None,
            "evidence": [],
        }
    }
    assert err.startswith("error: it broke")


def test_wrong_usage_is_json_too(run):
    code, out, err = run("train", "--output", "json")
    assert code == 2
    assert json.loads(out)["error"]["what"] == "Missing argument 'IMAGE' (or --request FILE)."
    assert "Usage: sm-emulate train" in err


def test_a_bug_is_owned_and_shows_no_traceback(run, doctor_raises):
    doctor_raises(ZeroDivisionError("division by zero"))
    code, out, err = run("doctor", "--output", "json")
    assert code == 4
    assert "Traceback" not in err
    assert err.startswith("error: a bug in sm-emulate: ZeroDivisionError: division by zero")
    assert "--debug" in err
    assert json.loads(out)["error"]["code"] == "bug"


@pytest.mark.parametrize("words", [("--debug", "doctor"), ("doctor", "--debug")])
@pytest.mark.parametrize("error", [errors.MachineError("it broke"), ZeroDivisionError()])
def test_debug_lets_the_traceback_through_wherever_it_stands(monkeypatch, home, doctor_raises, words, error):
    doctor_raises(error)
    monkeypatch.setattr(sys, "argv", ["sm-emulate", *words])
    with pytest.raises(type(error)):
        cli.main()


def test_an_interrupt_before_anything_runs_is_130(run, doctor_raises):
    doctor_raises(KeyboardInterrupt())
    code, _, err = run("doctor")
    assert (code, err.strip()) == (130, "interrupted")


def test_the_version_is_shown(run):
    code, out, _ = run("--version")
    project = (Path(SOURCES).parent / "pyproject.toml").read_text()
    written = re.search(r'^version = "(.+)"$', project, re.MULTILINE)
    assert (code, out) == (0, f"sm-emulate {written[1]}\n")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_gets_its_completion_script(run, shell):
    code, out, _ = run("completion", shell)
    assert code == 0
    assert "_SM_EMULATE_COMPLETE" in out
    assert f"{shell}_complete" in out


def process(*words, code=None, **environment):
    argv = [sys.executable, "-c", code or "from sm_emulate.cli import main; main()", *words]
    return subprocess.run(
        argv,
        env={**os.environ, "PYTHONPATH": SOURCES, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_completion_offers_the_names_of_runs(jobs, monkeypatch):
    jobs.run(lambda box: 0, job_name="iris-1")
    jobs.run(lambda box: 0, job_name="other")
    got = process(_SM_EMULATE_COMPLETE="bash_complete", COMP_WORDS="sm-emulate logs ir", COMP_CWORD="2")
    assert got.stdout.split() == ["plain,iris-1"]


def test_completion_offers_the_words_of_an_option():
    got = process(
        _SM_EMULATE_COMPLETE="bash_complete", COMP_WORDS="sm-emulate transform --split-type r", COMP_CWORD="3"
    )
    assert got.stdout.split() == ["plain,RecordIO"]


def test_help_imports_no_command_and_no_engine():
    code = (
        "import sys\n"
        "from sm_emulate.cli import main\n"
        "sys.argv = ['sm-emulate', '--help']\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print('\\n'.join(sorted(sys.modules)), file=sys.stderr)"
    )
    loaded = process(code=code).stderr.split()
    assert "sm_emulate.cli.group" in loaded
    ours = {name for name in loaded if name.startswith("sm_emulate")}
    assert ours == {
        "sm_emulate",
        "sm_emulate.cli",
        "sm_emulate.cli.front_page",
        "sm_emulate.cli.group",
        "sm_emulate.errors",
    }
    assert {"botocore", "docker", "rich", "asyncio", "ssl"} & set(loaded) == set()


def test_a_reader_that_leaves_early_is_no_error(jobs):
    jobs.run(lambda box: box.print("x" * 100 + "\n" * 100_000))
    code = (
        "import sys; sys.argv = ['sm-emulate', 'logs', 'job']; from sm_emulate.cli import console; console()"
    )
    shell = f'{sys.executable} -c "{code}" | head -1; echo "${{PIPESTATUS[0]}}"'
    got = subprocess.run(
        ["bash", "-c", shell],
        env={**os.environ, "PYTHONPATH": SOURCES},
        capture_output=True,
        text=True,
        check=False,
    )
    assert got.stdout.splitlines() == ["x" * 100, "0"]
    assert got.stderr == ""


@pytest.mark.parametrize(
    ("raised", "code", "said"),
    [
        ("KeyboardInterrupt", 130, "interrupted\n"),
        ("PermissionError(13, 'Permission denied', '/home')", 3, "error: the system refused: Permission denied\n"),
    ],
)  # fmt: skip
def test_what_ends_a_detached_endpoint_at_once_is_told_as_in_the_foreground(tmp_path, raised, code, said):
    program = (
        "import sys; sys.argv = ['sm-emulate', 'serve', 'img', '--detach']\n"
        "from sm_emulate.cli import console, serve\n"
        f"def ends(*_, **__): raise {raised}\n"
        "serve._serve = ends\n"
        "console()"
    )
    done = process(code=program, SM_EMULATE_HOME=str(tmp_path))
    assert (done.returncode, done.stdout) == (code, "")
    assert done.stderr.startswith(said)
    assert "bug" not in done.stderr


@pytest.mark.parametrize("words", ["--help", "ps", "nosuch"])
def test_without_a_stdout_there_is_no_traceback(tmp_path, words):
    code = f"import sys; sys.argv = ['sm-emulate', '{words}']; from sm_emulate.cli import console; console()"
    told = subprocess.run(
        ["bash", "-c", f'{sys.executable} -c "{code}" >&-; echo $?'],
        env={**os.environ, "PYTHONPATH": SOURCES, "SM_EMULATE_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.stdout == ("2\n" if words == "nosuch" else "0\n")
    assert "Traceback" not in told.stderr


def test_a_full_disk_is_told_with_what_to_do(run, doctor_raises):
    doctor_raises(OSError(28, "No space left on device"))
    code, _, err = run("doctor")
    assert code == 3
    assert err.startswith(
        "error: the system refused: No space left on device\n  hint:     make room, or name"
    )
