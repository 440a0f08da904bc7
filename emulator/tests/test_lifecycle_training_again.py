"""Jobs that lose their instances: managed spot, RetryStrategy, and what is kept from one life to the next."""

from __future__ import annotations

import json
import threading

import pytest

from sm_emulate import api
from sm_emulate.engine.protocol import LABEL_POOL
from sm_emulate.errors import EngineError, RequestError
from sm_emulate.events import ContainerStarted, StatusChanged, Warned
from sm_emulate.lifecycle.companion import Companion, PlatformFailure
from sm_emulate.lifecycle.training import life as training_attempt
from sm_emulate.lifecycle.training import lives
from sm_emulate.lifecycle.training.warm_pool import terminate
from sm_emulate.storage.warm_pools import WarmPools

LIFE = ["Starting", "Downloading", "Training"]


def steps(result):
    return [step.secondary.value for step in result.transitions]


class Resuming:
    """Counts its lives; ends by itself in the last one."""

    def __init__(self, lives, *, hears=True):
        self.lives, self.hears = lives, hears
        self.found, self.signals, self.run_numbers, self.models = [], [], [], []
        self.wrote = threading.Semaphore(0)

    def __call__(self, box):
        folder = box.path("/opt/ml/checkpoints", write=True)
        self.found.append(sorted(path.name for path in folder.iterdir()))
        self.models.append(sorted(path.name for path in box.path("/opt/ml/model").iterdir()))
        config = json.loads(box.path("/opt/ml/input/config/init-config.json").read_text())
        self.run_numbers.append(config["jobRunInfo"]["jobRunNumber"])
        (folder / f"step-{len(self.found)}").write_text("w")
        (box.path("/opt/ml/model", write=True) / f"life-{len(self.found)}").write_text("m")
        self.wrote.release()
        if len(self.found) < self.lives:
            while True:
                self.signals.append(box.next_signal())
                if self.hears:
                    return 1
        return 0


@pytest.fixture
def kept(tmp_path):
    return tmp_path / "kept"


@pytest.fixture
def begun(jobs, monkeypatch):
    """Give a function that has the time of each life begin when its program has written its files."""
    start = jobs.engine.start

    def when(program):
        def until_it_wrote(container):
            start(container)
            assert program.wrote.acquire(timeout=180)

        monkeypatch.setattr(jobs.engine, "start", until_it_wrote)
        return program

    return when


def spot(after_s=(0.05,), wait_s=0.0):
    return {"spot": True, "interruptions": api.Interruptions(after_s, wait_s=wait_s)}


def test_an_interrupted_job_starts_again_with_its_checkpoints_and_nothing_else(jobs, kept):
    program = Resuming(3)
    result = jobs.run(program, checkpoints=kept, **spot((0.05, 0.05)))
    assert steps(result) == [*LIFE, "Interrupted", *LIFE, "Interrupted", *LIFE, "Uploading", "Completed"]
    assert program.found == [[], ["step-1"], ["step-1", "step-2"]]
    assert program.models == [[], [], []]
    assert program.signals == ["SIGTERM", "SIGTERM"]
    assert program.run_numbers == [1, 2, 3]
    assert sorted(path.name for path in kept.iterdir()) == ["step-1", "step-2", "step-3"]
    assert result.container_exit_codes == {"algo-1": 0}
    messages = [event.message for event in jobs.heard.of(StatusChanged) if event.secondary == "Interrupted"]
    assert messages == ["Training job interrupted"] * 2


def test_a_program_that_ends_first_is_not_interrupted(jobs, kept):
    result = jobs.run(Resuming(1), checkpoints=kept, **spot((30,)))
    assert steps(result) == [*LIFE, "Uploading", "Completed"]


def test_all_hosts_lose_their_instances_together(jobs, kept):
    seen = []

    def program(box):
        seen.append(box.spec.labels["dev.sm-emulate.host"])
        if len(seen) <= 2:
            box.next_signal()

    result = jobs.run(program, checkpoints=kept, instance_count=2, **spot())
    assert steps(result) == [*LIFE, "Interrupted", *LIFE, "Uploading", "Completed"]
    assert sorted(seen) == ["algo-1", "algo-1", "algo-2", "algo-2"]


def test_a_program_that_does_not_hear_is_killed_after_the_grace_period(jobs, kept, begun):
    result = jobs.run(begun(Resuming(2, hears=False)), checkpoints=kept, stop_grace_s=0.05, **spot())
    assert result.status.value == "Completed"


def test_without_the_signal_a_program_is_killed_at_once(jobs, kept, begun):
    program = begun(Resuming(2))
    platform = api.platform(settings={"spot-signal": "none", "job-run-number": "retries"})
    result = jobs.run(program, checkpoints=kept, stop_grace_s=3600, platform=platform, **spot())
    assert (result.status.value, program.signals) == ("Completed", [])
    assert program.found == [[], ["step-1"]]
    assert program.run_numbers == [1, 1]


def timed(jobs, kept, expected, *, max_runtime, max_wait, after_s, wait_s=0.0):
    """Give how a job ends whose limits are so many seconds, or many times as many where this machine is too busy."""
    for scale in (1, 5, 20):
        result = jobs.run(
            Resuming(9),
            job_name=f"job-{scale}",
            checkpoints=kept / str(scale),
            max_runtime_in_seconds=max_runtime * scale,
            max_wait_time_in_seconds=max_wait * scale,
            **spot(tuple(each * scale for each in after_s), wait_s=wait_s * scale),
        )
        if steps(result) == expected:
            break
    return result


def test_max_runtime_counts_over_all_lives(jobs, kept):
    expected = [*LIFE, "Interrupted", *LIFE, "Stopping", "Uploading", "MaxRuntimeExceeded"]
    result = timed(jobs, kept, expected, max_runtime=1, max_wait=60, after_s=(0.6, 5))
    assert steps(result) == expected


def test_a_job_that_waits_for_too_long_ends_as_the_guide_says(jobs, kept):
    expected = [*LIFE, "Interrupted", "Stopping", "MaxWaitTimeExceeded"]
    result = timed(jobs, kept, expected, max_runtime=1, max_wait=1, after_s=(0.05,), wait_s=3600)
    assert steps(result) == expected
    assert (result.status.value, result.succeeded) == ("Stopped", True)


def test_max_wait_stops_a_job_that_runs(jobs, kept):
    expected = [*LIFE, "Interrupted", *LIFE, "Stopping", "MaxWaitTimeExceeded"]
    result = timed(jobs, kept, expected, max_runtime=2, max_wait=2, after_s=(0.3,), wait_s=1)
    assert steps(result) == expected


def test_a_stop_while_it_is_interrupted_ends_the_job(jobs, kept):
    jobs.heard.react(StatusChanged, jobs.stop, secondary="Interrupted")
    result = jobs.run(Resuming(9), checkpoints=kept, **spot((0.05,), wait_s=3600))
    assert steps(result) == [*LIFE, "Interrupted", "Stopping", "Stopped"]


def test_a_stop_during_the_interruption_s_grace_ends_the_job(jobs, kept):
    def program(box):
        box.next_signal()
        jobs.stop()
        box.sleep(0.1)

    result = jobs.run(program, checkpoints=kept, **spot())
    assert steps(result) == [*LIFE, "Stopping", "Uploading", "Stopped"]


def test_only_spot_jobs_are_interrupted(jobs):
    with pytest.raises(RequestError, match="only managed spot training is interrupted") as refused:
        jobs.run(lambda box: 0, interruptions=api.Interruptions((1,)))
    assert refused.value.hint == "add --spot"
    assert not jobs.folder().path.exists()


def test_a_spot_job_is_billed_less(jobs):
    result = jobs.run(lambda box: box.sleep(2.0), spot=True)
    described = result.describe()
    trained = described["TrainingTimeInSeconds"]
    assert trained >= 2
    assert described["BillableTimeInSeconds"] == pytest.approx(max(1, trained * 0.3), abs=0.7)
    assert described["StoppingCondition"]["MaxWaitTimeInSeconds"] == 86400


@pytest.fixture
def _quick(monkeypatch):
    monkeypatch.setattr(lives, "RETRY_SECONDS", 0.01)


@pytest.mark.usefixtures("_quick")
@pytest.mark.parametrize("call", ["create", "start", "wait", "create_network"])
def test_an_engine_that_breaks_is_retried(jobs, call):
    jobs.engine.fail_next(call, EngineError(f"the engine broke in {call}"))
    result = jobs.run(lambda box: box.next_signal(0.3) and None, instance_count=2, maximum_retry_attempts=1)
    assert steps(result) == [*LIFE, "Restarting", *LIFE, "Uploading", "Completed"]
    told = [event.message for event in jobs.heard.of(Warned)]
    assert f"InternalServerError: the engine broke in {call}; retry 1 of 1" in told
    assert len(jobs.heard.of(ContainerStarted)) >= 2


@pytest.mark.usefixtures("_quick")
def test_retries_come_to_an_end(jobs):
    for _ in range(3):
        jobs.engine.fail_next("start", EngineError("the engine broke"))
    with pytest.raises(EngineError, match="the engine broke"):
        jobs.run(lambda box: 0, maximum_retry_attempts=2)


def test_an_algorithm_s_own_error_is_not_retried(jobs):
    result = jobs.run(lambda box: 3, maximum_retry_attempts=5)
    assert steps(result) == [*LIFE, "Uploading", "Failed"]


def test_checkpoints_that_cannot_be_kept_fail_a_job_that_would_have_completed(jobs, kept):
    def program(box):
        (box.path("/opt/ml/checkpoints", write=True) / "a").write_text("1")
        kept.write_text("in the way")

    result = jobs.run(program, checkpoints=kept)
    assert result.failure_reason.startswith("ClientError: Artifact upload failed:a file cannot be kept")
    assert (jobs.folder().opt_ml("algo-1") / "checkpoints" / "a").read_text() == "1"


def test_a_pool_is_left_by_a_job_that_fails_by_its_own_fault_only(jobs):
    result = jobs.run(lambda box: 3, keep_alive_period_in_seconds=60, instance_count=2)
    assert result.describe()["WarmPoolStatus"] == {"Status": "Available"}
    (network,) = jobs.engine.leftovers({LABEL_POOL: ""})
    jobs.engine.fail_next("start", EngineError("the engine broke"))
    with pytest.raises(EngineError):
        jobs.run(lambda box: 3, keep_alive_period_in_seconds=60, instance_count=2, job_name="broken")
    assert jobs.engine.leftovers({LABEL_POOL: ""}) == []
    assert jobs.described()["WarmPoolStatus"]["Status"] == "Reused"
    assert network.kind == "network"


@pytest.mark.parametrize(
    "other", [{"instance_type": "ml.c5.xlarge"}, {"role_arn": "arn:aws:iam::123456789012:role/other"},
              {"enable_network_isolation": True}, {"volume_size_in_gb": 7}],
)  # fmt: skip
def test_a_job_that_does_not_match_has_a_pool_of_its_own(jobs, other):
    jobs.run(lambda box: 0, keep_alive_period_in_seconds=60, instance_count=2)
    jobs.run(lambda box: 0, keep_alive_period_in_seconds=60, instance_count=2, job_name="other", **other)
    assert len(jobs.engine.leftovers({LABEL_POOL: ""})) == 2
    assert jobs.described()["WarmPoolStatus"] == {"Status": "Available"}
    terminate(WarmPools(jobs.home), jobs.engine, jobs=None)
    assert jobs.described("other")["WarmPoolStatus"]["Status"] == "Terminated"


def test_a_pool_s_network_that_somebody_removed_is_made_again(jobs):
    jobs.run(lambda box: 0, keep_alive_period_in_seconds=60, instance_count=2)
    for leftover in jobs.engine.leftovers({LABEL_POOL: ""}):
        jobs.engine.remove_leftover(leftover)
    assert jobs.run(lambda box: 0, instance_count=2, job_name="second").succeeded
    assert jobs.described()["WarmPoolStatus"]["ReusedByJob"] == "second"


def test_warm_pools_are_not_for_spot_and_mixed_clusters(jobs):
    with pytest.raises(RequestError, match="warm pools cannot be used with spot instances"):
        api.training_request("img:1", spot=True, keep_alive_period_in_seconds=60)


def test_the_setting_says_how_long_a_warm_pool_may_wait(jobs):
    platform = api.platform(settings={"warm-pool-limit": "3600"})
    with pytest.raises(RequestError, match="KeepAlivePeriodInSeconds is too large") as refused:
        jobs.run(lambda box: 0, keep_alive_period_in_seconds=3601, platform=platform)
    assert refused.value.expected == "at most 3600"


class Failing(Companion):
    """Fails in one way, in the first life only."""

    lives = 0

    def __init__(self, around, *, early, reason):
        type(self).lives += 1
        self.around, self.early, self.reason = around, early, reason

    def prepare(self):
        if self.early and self.lives == 1:
            raise PlatformFailure(self.reason)

    def started(self, host, container):
        if not self.early and self.lives == 1:
            self.around.fail(self.reason)


@pytest.mark.usefixtures("_quick")
@pytest.mark.parametrize("early", [True, False])
@pytest.mark.parametrize(
    "reason", ["InternalServerError: We encountered an internal error.", "ClientError: x"]
)
def test_what_works_beside_the_containers_is_retried_when_it_is_no_fault_of_the_job(
    jobs, monkeypatch, early, reason
):
    monkeypatch.setattr(Failing, "lives", 0)
    monkeypatch.setattr(
        training_attempt, "companions_of", lambda around: [Failing(around, early=early, reason=reason)]
    )
    result = jobs.run(lambda box: box.next_signal(0.3) and None, maximum_retry_attempts=1)
    begun = ["Starting", "Downloading"] if early else LIFE
    if reason.startswith("Internal"):
        assert steps(result) == [*begun, "Restarting", *LIFE, "Uploading", "Completed"]
    else:
        assert result.failure_reason == reason
        assert steps(result) == [*begun, *([] if early else ["Uploading"]), "Failed"]
