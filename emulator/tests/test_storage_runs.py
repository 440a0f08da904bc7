"""Run folders: who owns one, whose name is taken, and how each is found and removed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from sm_emulate.errors import MachineError, RequestError
from sm_emulate.storage.runs import DRAFT_SECONDS, Runs, default_cache, default_home

SOURCES = str(Path(__file__).parents[1])


@pytest.fixture
def runs(tmp_path):
    return Runs(tmp_path / "home")


def over(runs, name="job", kind="training-jobs", **result):
    """Leave a run that came to its end."""
    with runs.create(kind, name) as run:
        run.write(run.request, {})
        run.write(run.result, result)
    return run


def elsewhere(runs, code, kind="training-jobs", name="job"):
    """Create a run in another process, which then runs some code."""
    program = (
        "import os, pathlib, signal, sys; from sm_emulate.storage.runs import Runs\n"
        f"with Runs(pathlib.Path({str(runs.home)!r})).create({kind!r}, {name!r}) as run:\n"
        "    run.write(run.request, {})\n"
        f"    {code}\n"
    )
    return subprocess.Popen(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": SOURCES},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_the_home_is_chosen_by_the_environment(tmp_path):
    assert default_home({"SM_EMULATE_HOME": str(tmp_path)}) == tmp_path
    assert default_home({"XDG_STATE_HOME": "/state"}) == Path("/state/sm-emulate")
    assert default_home({}) == Path.home() / ".local" / "state" / "sm-emulate"
    assert default_home({"SM_EMULATE_HOME": "here"}) == Path.cwd() / "here"
    assert default_cache({"XDG_CACHE_HOME": "/cache"}) == Path("/cache/sm-emulate")


def test_a_run_has_a_folder_of_its_own_with_known_names(runs):
    run = over(runs)
    assert run.path == runs.home / "training-jobs" / "job"
    assert (run.id, run.home) == ("training-jobs/job", runs.home)
    assert run.log("algo-1") == run.path / "logs" / "algo-1.log"
    assert run.opt_ml("algo-1") == run.path / "opt-ml" / "algo-1"
    assert sorted(each.name for each in run.path.iterdir()) == ["logs", "request.json", "result.json"]


def test_a_run_is_owned_from_its_first_moment_to_its_last(runs):
    with runs.create("training-jobs", "job") as run:
        assert run.owner_pid() == os.getpid()
        assert not run.abandoned
        run.write(run.request, {})
    assert run.owner_pid() is None


def test_a_run_without_a_request_is_removed_since_nothing_ran(runs):
    with runs.create("training-jobs", "job") as run:
        assert run.path.is_dir()
    assert not run.path.exists()


def test_a_run_that_failed_half_way_is_kept(runs):
    with pytest.raises(ZeroDivisionError), runs.create("training-jobs", "job") as run:
        run.write(run.request, {}) or 1 // 0
    assert run.abandoned


def test_a_run_of_another_process_is_owned_by_it_and_abandoned_when_it_dies(runs):
    other = elsewhere(runs, "print('ready', flush=True); sys.stdin.read()")
    assert other.stdout.readline() == "ready\n"
    run = runs.find("job")
    assert run.owner_pid() == other.pid
    assert not run.abandoned
    other.kill()
    other.wait()
    other.stdin.close()
    other.stdout.close()
    assert run.owner_pid() is None
    assert run.abandoned


def test_a_finished_run_of_another_process_is_not_abandoned(runs):
    other = elsewhere(runs, "run.write(run.result, {'TrainingJobStatus': 'Completed'})")
    other.communicate()
    assert not runs.find("job").abandoned


def test_a_child_that_is_started_meanwhile_does_not_keep_the_run(runs):
    child = None
    try:
        with runs.create("training-jobs", "job") as run:
            run.write(run.request, {})
            child = subprocess.Popen(
                [sys.executable, "-c", "input()"], stdin=subprocess.PIPE, close_fds=False
            )
        assert run.owner_pid() is None
    finally:
        if child:
            child.communicate(b"\n")


def test_the_name_of_a_training_job_is_taken_for_ever(runs):
    over(runs)
    with (
        pytest.raises(RequestError, match="training job names are unique") as refused,
        runs.create("training-jobs", "job"),
    ):
        pass
    assert refused.value.value == "job"
    assert "sm-emulate clean job" in refused.value.hint
    assert runs.find("job").result.exists()


def test_one_name_may_stand_for_a_job_and_an_endpoint(runs):
    over(runs, "same")
    over(runs, "same", "endpoints")
    with pytest.raises(RequestError, match="a training job and an endpoint") as refused:
        runs.find("same")
    assert sorted(refused.value.expected.split(" or ")) == ["endpoints/same", "training-jobs/same"]
    assert runs.find("endpoints/same").kind == "endpoints"


def test_of_many_that_want_a_name_at_once_one_gets_it(runs):
    over(runs, "demo", "endpoints")
    got, refused, together = [], [], threading.Barrier(8)

    def want():
        together.wait()
        try:
            with runs.create("endpoints", "demo") as run:
                run.write(run.request, {})
                got.append(run)
                everybody_tried.wait()
        except RequestError as error:
            refused.append(error)
            if len(refused) == 7:
                everybody_tried.set()

    everybody_tried = threading.Event()
    threads = [threading.Thread(target=want) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(180)
    assert (len(got), len(refused)) == (1, 7)
    assert sorted(each.name for each in (runs.home / "endpoints").iterdir()) == ["demo"]


def probe(folder):
    """Give the moment of the file system's clock."""
    (folder / "probe").write_text("")
    return (folder / "probe").stat().st_ctime_ns


def test_the_run_that_changed_last_comes_first(runs, tmp_path):
    for name in ("a", "b", "c"):
        run = over(runs, name)
        # the file system's clock is coarse
        while probe(tmp_path) <= run.path.stat().st_ctime_ns:
            time.sleep(0.01)
    assert [run.name for run in runs.all()] == ["c", "b", "a"]


def test_no_run_is_listed_where_there_is_no_home(runs):
    assert runs.all() == []
    assert runs.drafts() == []


def test_a_name_that_is_nearly_right_is_recognised(runs):
    over(runs, "iris-trees")
    with pytest.raises(RequestError) as refused:
        runs.find("iris-tree")
    assert refused.value.hint == "did you mean iris-trees?"
    with pytest.raises(RequestError) as refused:
        runs.find("zzz")
    assert refused.value.hint == "`sm-emulate ps` lists them"


@pytest.mark.parametrize("name", ["../training-jobs/job", "", ".", "..", "/etc/passwd", ".job"])
def test_no_name_leads_out_of_the_home(runs, name):
    over(runs)
    with pytest.raises(RequestError):
        runs.find(name)


def test_a_folder_whose_config_may_not_be_entered_can_be_deleted(runs):
    run = over(runs)
    config = run.opt_ml("algo-1") / "input" / "config"
    config.mkdir(parents=True)
    (config / "resourceconfig.json").write_text("{}")
    config.chmod(0o644)
    (run.opt_ml("algo-1") / "input").chmod(0)
    run.delete()
    assert not run.path.exists()
    run.delete()


def test_deleting_does_not_follow_links(runs, tmp_path):
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "file").touch()
    run = over(runs)
    (run.path / "link").symlink_to(tmp_path / "precious")
    run.delete()
    assert (tmp_path / "precious" / "file").exists()


def test_a_folder_that_cannot_be_deleted_is_named(runs, monkeypatch):
    run = over(runs)

    def refuse(_path):
        raise PermissionError(13, "Permission denied", str(run.path / "opt-ml"))

    monkeypatch.setattr("shutil.rmtree", refuse)
    with pytest.raises(MachineError, match="cannot be removed: Permission denied") as refused:
        run.delete()
    assert refused.value.value == str(run.path / "opt-ml")


def test_a_home_that_cannot_be_written_is_this_machine_s_fault(tmp_path):
    (tmp_path / "home").write_text("a file")
    with (
        pytest.raises(MachineError, match="cannot make the run folder") as refused,
        Runs(tmp_path / "home").create("training-jobs", "job"),
    ):
        pass
    assert "SM_EMULATE_HOME" in refused.value.hint


def test_half_written_json_is_never_seen(runs):
    run = over(runs, Status="old")
    (run.path / ".result.json.new").write_text('{"Status": ')
    assert run.description() == {"Status": "old"}
    run.result.write_text('{"Status": ')
    assert run.read(run.result) is None
    assert run.description() == {}


def test_the_result_stands_over_the_standing(runs):
    with runs.create("training-jobs", "job") as run:
        run.write(run.request, {})
        run.write(run.standing, {"Status": "on the way"})
        assert run.description() == {"Status": "on the way"}
        run.write(run.result, {"Status": "there"})
        assert json.loads(run.result.read_text()) == run.description() == {"Status": "there"}


def test_drafts_of_dead_processes_are_found_when_they_are_old(runs):
    draft = runs.home / "training-jobs" / ".job.0123abcd"
    draft.mkdir(parents=True)
    assert runs.drafts() == []
    assert runs.all() == []
    long_ago = time.time() - 2 * DRAFT_SECONDS
    os.utime(draft, (long_ago, long_ago))
    assert [run.path for run in runs.drafts()] == [draft]


def test_threads_may_write_one_file_of_a_run(tmp_path):
    from concurrent.futures import ThreadPoolExecutor

    with Runs(tmp_path).create("endpoints", "many") as run:
        run.write(run.request, {})
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda number: run.write(run.standing, {"Number": number}), range(200)))
        assert run.read(run.standing)["Number"] in range(200)
