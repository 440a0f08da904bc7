"""Runs seen from outside: stopping another process's run, and clearing up after one that died."""

from __future__ import annotations

import os
import shutil
import threading
import time

import pytest

from sm_emulate import api
from sm_emulate.engine.owner import owner_label
from sm_emulate.engine.protocol import LABEL_HOME, LABEL_OWNER, LABEL_RUN, LABEL_SESSION, ContainerSpec
from sm_emulate.errors import MachineError, RequestError
from sm_emulate.events import ContainerStarted
from sm_emulate.lifecycle.control import delete, mark_abandoned, stop, sweep
from sm_emulate.spec.wordings import INTERNAL_SERVER_ERROR
from sm_emulate.storage.runs import DRAFT_SECONDS, Runs

GONE = owner_label(1).rpartition("/")[0] + "/1"
"""PID 1, but one that was started at another time."""


@pytest.fixture
def runs(home):
    return Runs(home)


def abandoned(runs, name="dead", kind="training-jobs", **standing):
    """Leave a run as a process leaves it that was killed."""
    folder = runs.folder(kind, name)
    folder.path.mkdir(parents=True)
    folder.write(folder.request, {})
    if standing:
        folder.write(folder.standing, standing)
    return folder


def container(engine, runs, run_id, *, owner=None):
    labels = {LABEL_SESSION: "s", LABEL_HOME: str(runs.home), LABEL_RUN: run_id}
    if owner:
        labels[LABEL_OWNER] = owner
    engine.add_image("img:1", lambda box: box.next_signal())
    return engine.create(ContainerSpec(image="img:1", command=("train",), labels=labels))


def no_engine():
    raise AssertionError("the engine is not needed for this")


def in_thread(action):
    thread = threading.Thread(target=action)
    thread.start()
    return thread


def test_stop_waits_for_the_run_s_own_process_and_gives_its_last_word(jobs, runs):
    started, stopped = threading.Event(), []
    jobs.heard.react(ContainerStarted, started.set)

    def stop_it():
        assert started.wait(30)
        stopped.append(stop(runs.find("job"), runs, no_engine))

    thread = in_thread(stop_it)
    jobs.run(lambda box: box.next_signal() and 0)
    thread.join(30)
    assert stopped[0]["TrainingJobStatus"] == "Stopped"


def test_stop_of_an_endpoint_never_takes_it_for_abandoned(endpoints, model, runs):
    with endpoints.new(model()) as endpoint:
        endpoint.start()
        stopped = []
        thread = in_thread(lambda: stopped.append(stop(runs.find("demo"), runs, no_engine)))
        endpoint.serve()
    thread.join(30)
    assert stopped[0]["EndpointStatus"] == "OutOfService"
    assert "Abandoned" not in stopped[0]["Emulator"]


def test_a_run_that_is_over_is_described_and_left_as_it_is(jobs, runs):
    jobs.run(lambda box: 0)
    assert stop(runs.find("job"), runs, no_engine) == jobs.described()
    assert not jobs.folder().stop_request.exists()


def test_a_run_that_does_not_stop_in_time_is_told(jobs, runs):
    started, release, told = threading.Event(), threading.Event(), []
    jobs.heard.react(ContainerStarted, started.set)

    def program(box):
        while not release.is_set():
            box.sleep(0.001)

    def stop_it():
        started.wait(30)
        with pytest.raises(MachineError, match="has not stopped within 0 seconds") as late:
            stop(runs.find("job"), runs, no_engine, wait_s=0)
        told.append(late.value)
        release.set()

    thread = in_thread(stop_it)
    jobs.run(program)
    thread.join(30)
    assert "sm-emulate logs" in told[0].hint


def test_stopping_an_abandoned_run_clears_it_up(engine, runs):
    run = abandoned(runs, TrainingJobName="dead", Emulator={"RunFolder": "x"})
    container(engine, runs, run.id)
    description = stop(run, runs, lambda: engine)
    assert (description["TrainingJobStatus"], description["SecondaryStatus"]) == ("Failed", "Failed")
    assert description["FailureReason"] == INTERNAL_SERVER_ERROR
    assert description["Emulator"] == {"RunFolder": "x", "Abandoned": True}
    assert engine.leftovers({LABEL_SESSION: ""}) == []


def test_sweep_takes_what_the_dead_left_and_nothing_of_the_living(engine, runs):
    dead = abandoned(runs)
    with runs.create("endpoints", "alive") as alive:
        alive.write(alive.request, {})
        of_dead = container(engine, runs, dead.id)
        of_alive = container(engine, runs, alive.id)
        of_nobody = container(engine, runs, "training-jobs/never-was")
        engine.create_network(
            "dead-net", internal=True, labels={LABEL_HOME: str(runs.home), LABEL_RUN: dead.id}
        )
        removed = sweep(runs, engine)
        assert {each.id for each in removed if each.kind == "container"} == {of_dead, of_nobody}
        assert [each.name for each in removed if each.kind == "network"] == ["dead-net"]
        assert engine.state(of_alive).status == "created"
        assert dead.result.exists()
        assert not alive.result.exists()
        engine.remove(of_alive)


def test_sweep_leaves_another_home_alone(engine, runs, tmp_path):
    other = Runs(tmp_path / "other")
    theirs = container(engine, other, abandoned(other).id)
    assert sweep(runs, engine) == []
    engine.remove(theirs)


def test_a_container_of_a_dead_process_is_swept_though_its_endpoint_s_name_lives_again(engine, runs):
    with runs.create("endpoints", "demo") as alive:
        alive.write(alive.request, {})
        old = container(engine, runs, alive.id, owner=GONE)
        ours = container(engine, runs, alive.id, owner=owner_label())
        assert [each.id for each in sweep(runs, engine)] == [old]
        engine.remove(ours)


def test_a_job_s_containers_say_whose_they_are(jobs):
    labels = {}
    jobs.run(lambda box: labels.update(box.spec.labels))
    assert labels[LABEL_OWNER] == owner_label()
    assert labels[LABEL_RUN] == "training-jobs/job"
    assert labels[LABEL_HOME] == str(jobs.home)


def test_sweep_removes_what_a_dead_process_left_of_a_folder_it_was_making(engine, runs):
    draft = runs.home / "endpoints" / ".demo.0123abcd"
    draft.mkdir(parents=True)
    long_ago = time.time() - 2 * DRAFT_SECONDS
    os.utime(draft, (long_ago, long_ago))
    sweep(runs, engine)
    assert not draft.exists()


@pytest.mark.parametrize(
    ("kind", "status"), [("training-jobs", "TrainingJobStatus"), ("endpoints", "EndpointStatus")]
)
def test_a_run_that_died_before_it_could_say_anything_is_marked_all_the_same(runs, kind, status):
    run = abandoned(runs, kind=kind)
    mark_abandoned(run)
    description = run.description()
    assert description[status] == "Failed"
    assert description["Emulator"] == {"RunFolder": str(run.path), "Abandoned": True}
    assert not run.abandoned


def test_a_run_that_lives_is_not_deleted(jobs, runs, engine):
    with runs.create("training-jobs", "alive") as run:
        run.write(run.request, {})
        with pytest.raises(RequestError, match="this run is alive"):
            delete(run, engine)


def test_files_of_root_are_handed_back_when_a_dead_run_is_deleted(runs, engine, monkeypatch):
    run = abandoned(runs, Emulator={"ImageId": "sha256:1"})
    handed = []
    rmtree = shutil.rmtree

    def only_after_hand_back(path, **options):
        if not handed:
            raise PermissionError(13, "Permission denied", str(path))
        rmtree(path, **options)

    monkeypatch.setattr("shutil.rmtree", only_after_hand_back)
    monkeypatch.setattr(
        "sm_emulate.lifecycle.control.hand_back", lambda *args, **more: handed.append((args[1], args[2]))
    )
    delete(run, engine)
    assert handed == [("sha256:1", run.path)]
    assert not run.path.exists()


def test_a_job_stops_only_when_its_own_folder_says_so(jobs, runs):
    abandoned(runs, "other").stop_request.touch()
    assert jobs.run(lambda box: 0).status.value == "Completed"
    assert api.training_request("img:1").training_job_name.startswith("img-")
