"""How a processing job goes and ends, told by its status, its reasons and what it leaves."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from sm_emulate import api
from sm_emulate.errors import ImageNotFoundError, MachineError, RequestError
from sm_emulate.events import ContainerStarted, Noted, StatusChanged, Warned
from sm_emulate.spec import wordings
from sm_emulate.spec.processing_job import ALLOWED, TERMINAL, ProcessingJobStatus, command_for

FAILURE = "AlgorithmError: See job logs for more information"
RESULT = "/opt/ml/processing/output/result"


def write(box, inside, content):
    file = box.path(inside, write=True)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content if isinstance(content, bytes) else content.encode())


def statuses(heard):
    return [event.status for event in heard.of(StatusChanged)]


def warnings(heard):
    return [event.message for event in heard.of(Warned)]


def until_signal(code=0):
    def program(box):
        program.signals = [box.next_signal()]
        return code

    return program


def deaf(box):
    while True:
        box.next_signal()


def files(folder):
    return {
        str(path.relative_to(folder)): path.read_text()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_exit_0_completes_the_job_with_its_outputs(processing, heard, tmp_path):
    data = tmp_path / "in"
    data.mkdir()
    (data / "a.csv").write_text("1,2")

    def program(box):
        text = box.path("/opt/ml/processing/input/data/a.csv").read_text()
        write(box, f"{RESULT}/deep/b.csv", text.upper() + "!")

    result = processing.run(program, inputs={"data": data}, outputs={"result": tmp_path / "out"})
    assert result.status is ProcessingJobStatus.COMPLETED
    assert result.succeeded
    assert (result.failure_reason, result.exit_message) == (None, None)
    assert result.container_exit_codes == {"algo-1": 0}
    assert files(tmp_path / "out") == {"deep/b.csv": "1,2!"}
    assert set(statuses(heard)) == {"InProgress", "Completed"}
    described = json.loads(processing.folder().result.read_text())
    assert described == result.describe()
    assert described["ProcessingJobStatus"] == "Completed"
    assert described["ProcessingEndTime"] >= described["ProcessingStartTime"] >= described["CreationTime"]


@pytest.mark.parametrize(
    ("entrypoint", "arguments", "words"),
    [
        ((), (), ("own", "words")),
        (("ep", "x"), (), ("ep", "x")),
        ((), ("a", "b"), ("own", "a", "b")),
        (("ep",), ("a",), ("ep", "a")),
    ],
)
def test_the_four_ways_to_start_a_program(engine, home, entrypoint, arguments, words):
    seen = []
    plain = engine.add_image("img:1", lambda _box: 0)
    own = replace(plain, id="", entrypoint=("own",), command=("words",))
    engine.add_image("img:2", lambda box: seen.append(box.argv), image=own)
    request = api.processing_request("img:2", entrypoint=entrypoint, arguments=arguments)
    api.process(request, engine=engine)
    assert seen == [words]
    assert command_for(entrypoint, arguments) == (entrypoint or None, arguments or None)


def test_the_environment_is_the_request_s_the_region_and_no_more(processing):
    seen = {}

    def program(box):
        seen.update(box.environment)
        seen["hostname"] = box.hostname

    processing.run(program, environment={"MINE": "1"})
    assert seen.pop("hostname").startswith("ip-10-0-")
    seen.pop("PATH")
    assert seen == {"MINE": "1", "AWS_REGION": "us-east-1"}


def test_a_program_that_exits_non_zero_fails_the_job_and_its_outputs_are_uploaded(processing, tmp_path):
    def program(box):
        write(box, f"{RESULT}/half", "half")
        write(box, "/opt/ml/output/message", "gave up")
        return 7

    result = processing.run(program, outputs={"result": tmp_path / "out"})
    assert result.status is ProcessingJobStatus.FAILED
    assert not result.succeeded
    assert result.failure_reason == FAILURE
    assert result.exit_message == "gave up"
    assert result.container_exit_codes == {"algo-1": 7}
    assert files(tmp_path / "out") == {"half": "half"}


def test_the_outputs_of_a_failed_job_can_be_left_where_they_are(processing, tmp_path):
    def program(box):
        write(box, f"{RESULT}/half", "half")
        return 1

    processing.run(
        program,
        outputs={"result": tmp_path / "out"},
        settings={"processing-outputs-unless-completed": "left"},
    )
    assert not (tmp_path / "out").exists()
    assert files(processing.folder().opt_ml("algo-1") / "processing") == {"output/result/half": "half"}


def test_the_failure_file_plays_no_part(processing, heard):
    result = processing.run(lambda box: write(box, "/opt/ml/output/failure", "my reason"))
    assert (result.status, result.failure_reason) == (ProcessingJobStatus.COMPLETED, None)
    assert any("/opt/ml/output/failure is not read" in words for words in warnings(heard))


def test_a_message_that_is_not_utf8_fails_a_job_that_went_well(processing):
    result = processing.run(lambda box: write(box, "/opt/ml/output/message", b"\xff\xfe"))
    assert result.status is ProcessingJobStatus.FAILED
    assert result.failure_reason == wordings.EXIT_MESSAGE_NOT_UTF8
    assert result.failure_reason.startswith("ClientError: ")
    assert result.exit_message is None


def test_messages_of_several_hosts_are_joined_and_then_cut(processing):
    def program(box):
        host = json.loads(box.path("/opt/ml/config/resourceconfig.json").read_text())["current_host"]
        write(box, "/opt/ml/output/message", host * 100)

    result = processing.run(program, instance_count=2)
    assert result.exit_message == ("algo-1" * 100 + "algo-2" * 100)[:1024]


def test_outputs_of_several_hosts_meet_under_one_prefix(processing, heard, tmp_path):
    def program(box):
        host = json.loads(box.path("/opt/ml/config/resourceconfig.json").read_text())["current_host"]
        write(box, f"{RESULT}/{host}.csv", host)
        write(box, f"{RESULT}/same.csv", host)

    processing.run(program, instance_count=2, outputs={"result": tmp_path / "out"})
    assert files(tmp_path / "out") == {"algo-1.csv": "algo-1", "algo-2.csv": "algo-2", "same.csv": "algo-1"}
    assert "output result is without same.csv: several hosts wrote it; the first one's is kept" in warnings(
        heard
    )


def test_one_host_that_fails_fails_the_job_and_the_others_are_stopped(processing, heard):
    def program(box):
        host = json.loads(box.path("/opt/ml/config/resourceconfig.json").read_text())["current_host"]
        if host == "algo-2":
            return 3
        box.next_signal()
        return 0

    result = processing.run(program, instance_count=2)
    assert (result.status, result.failure_reason) == (ProcessingJobStatus.FAILED, FAILURE)
    assert result.container_exit_codes == {"algo-1": 0, "algo-2": 3}
    assert "Stopping" not in statuses(heard)


def test_symlinks_in_an_output_are_not_followed_and_that_is_told(processing, heard, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("of this machine")

    def program(box):
        folder = box.path(RESULT, write=True)
        (folder / "plain").write_text("p")
        (folder / "link").symlink_to(secret)
        (folder / "linked").symlink_to("/opt/ml/processing")

    processing.run(program, outputs={"result": tmp_path / "out"})
    assert files(tmp_path / "out") == {"plain": "p"}
    assert "output result is without link, linked: it is a symlink" in warnings(heard)


def test_an_output_that_was_left_empty_is_told(processing, heard, tmp_path):
    result = processing.run(lambda _box: 0, outputs={"result": tmp_path / "out"})
    assert result.status is ProcessingJobStatus.COMPLETED
    assert warnings(heard) == [f"output result is empty: nothing was written to {RESULT}"]


def test_an_output_in_the_run_folder_is_found_there(processing):
    result = processing.run(lambda box: write(box, f"{RESULT}/a", "a"), outputs=["result"])
    assert files(processing.folder().output("result")) == {"a": "a"}
    assert result.outputs == {"result": processing.folder().output("result").as_uri()}


def test_an_input_cannot_be_written_to_unless_the_setting_says_so(processing, tmp_path):
    data = tmp_path / "in"
    data.mkdir()

    def program(box):
        write(box, "/opt/ml/processing/input/data/new", "n")

    assert processing.run(program, inputs={"data": data}).failure_reason == FAILURE
    api_settings = {"channel-access": "read-write"}
    result = processing.run(program, inputs={"data": data}, job_name="second", settings=api_settings)
    assert result.status is ProcessingJobStatus.COMPLETED
    assert files(data) == {"new": "n"}


def test_a_stop_is_sigint_and_ends_as_stopped(processing, heard, tmp_path):
    program = until_signal(code=1)
    heard.react(ContainerStarted, processing.stop)
    result = processing.run(program, outputs={"result": tmp_path / "out"})
    assert program.signals == ["SIGINT"]
    assert result.status is ProcessingJobStatus.STOPPED
    assert result.succeeded
    assert result.failure_reason is None
    assert list(dict.fromkeys(statuses(heard))) == ["InProgress", "Stopping", "Stopped"]
    assert any("sending SIGINT; SIGKILL follows in 120 s" in event.message for event in heard.of(Noted))


def test_the_first_signal_of_a_stop_can_be_chosen(processing, heard):
    program = until_signal()
    heard.react(ContainerStarted, processing.stop)
    processing.run(program, settings={"processing-stop-signal": "SIGTERM"})
    assert program.signals == ["SIGTERM"]


def test_a_stop_that_is_failed_by_its_exit_code_where_the_setting_says_so(processing, heard):
    heard.react(ContainerStarted, processing.stop)
    result = processing.run(until_signal(code=1), settings={"stop-nonzero-exit": "Failed"})
    assert (result.status, result.failure_reason) == (ProcessingJobStatus.FAILED, FAILURE)


def test_a_program_that_does_not_stop_is_killed_after_the_grace(processing, heard):
    heard.react(ContainerStarted, processing.stop)
    result = processing.run(deaf, stop_grace_s=0.05)
    assert result.status is ProcessingJobStatus.STOPPED
    assert result.container_exit_codes == {"algo-1": 137}


@pytest.mark.parametrize(
    ("settings", "status", "reason"),
    [
        ({}, ProcessingJobStatus.STOPPED, None),
        (
            {"processing-max-runtime-status": "Failed"},
            ProcessingJobStatus.FAILED,
            wordings.PROCESSING_TIMED_OUT,
        ),
    ],
)
def test_a_job_that_runs_for_too_long_is_stopped(processing, settings, status, reason):
    result = processing.run(until_signal(), max_runtime_in_seconds=1, settings=settings)
    assert (result.status, result.failure_reason) == (status, reason)


@pytest.mark.parametrize(
    ("settings", "reason"), [({}, wordings.OUT_OF_MEMORY), ({"out-of-memory-reason": "exit-code"}, FAILURE)]
)
def test_a_program_that_was_killed_for_memory(processing, settings, reason):
    result = processing.run(lambda box: box.run_out_of_memory(), settings=settings)
    assert (result.status, result.failure_reason) == (ProcessingJobStatus.FAILED, reason)


def test_a_name_can_be_used_once_only(processing):
    processing.run(lambda _box: 0)
    with pytest.raises(RequestError, match="processing job names are unique"):
        processing.run(lambda _box: 0)


def test_a_training_job_may_have_the_same_name(processing, jobs):
    processing.run(lambda _box: 0)
    jobs.run(lambda _box: 0, job_name="job")
    runs = api_runs(processing)
    assert {run.id for run in runs.all()} == {"training-jobs/job", "processing-jobs/job"}
    with pytest.raises(RequestError, match="a training job and a processing job have this name"):
        runs.find("job")
    assert runs.find("processing-jobs/job").kind == "processing-jobs"


def api_runs(processing):
    from sm_emulate.storage.runs import Runs

    return Runs(processing.home)


def test_an_image_that_is_nowhere_leaves_no_run(engine, home):
    with pytest.raises(ImageNotFoundError):
        api.process(api.processing_request("nowhere:1", job_name="job"), engine=engine)
    assert not (home / "processing-jobs" / "job").exists()


def test_an_output_that_cannot_be_written_is_told_before_anything_starts(processing, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises((RequestError, MachineError), match="output result is no folder"):
        processing.run(lambda _box: 0, outputs={"result": tmp_path / "file" / "out"})
    assert not processing.folder().path.exists()


def test_the_plan_is_what_is_run(processing, tmp_path):
    request = api.processing_request(
        "img:1", job_name="job", outputs=["result"], instance_count=2, environment={"A": "1"}
    )
    first, second = api.processing_plan(request, home=processing.home)
    assert (first.host, second.host) == ("algo-1", "algo-2")
    assert first.container.environment == {
        "AWS_REGION": "us-east-1",
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "/v2/credentials/TOKEN",
        "A": "1",
    }
    assert f"{RESULT}" in first.directories
    assert json.loads(second.files["/opt/ml/config/resourceconfig.json"]) == {
        "current_host": "algo-2",
        "hosts": ["algo-1", "algo-2"],
    }
    assert not (processing.home / "processing-jobs").exists()


def test_no_status_leads_out_of_the_end():
    assert {
        ProcessingJobStatus.COMPLETED,
        ProcessingJobStatus.FAILED,
        ProcessingJobStatus.STOPPED,
    } == TERMINAL
    assert all(following <= set(ProcessingJobStatus) for following in ALLOWED.values())
