"""How a training job ends, told by its status, its FailureReason and what it leaves."""

from __future__ import annotations

import inspect
import json
import tarfile
import threading
from contextlib import suppress
from dataclasses import replace

import pytest
from scenes import Jobs

from sm_emulate import api
from sm_emulate.engine.memory import MemoryEngine
from sm_emulate.errors import (
    EngineError,
    GpuNotFoundError,
    ImageNotFoundError,
    MachineError,
    RequestError,
    StartError,
)
from sm_emulate.events import ContainerExited, ContainerStarted, StatusChanged, Warned
from sm_emulate.lifecycle.training import life
from sm_emulate.spec import wordings
from sm_emulate.storage.runs import Runs

TRAINING = "Training image download completed. Training in progress."


def steps(result):
    return [step.secondary.value for step in result.transitions]


def write(box, inside, text):
    file = box.path(inside, write=True)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def members(archive):
    with tarfile.open(archive) as tar:
        return sorted(tar.getnames())


def failing(code, reason=None):
    def program(box):
        if reason is not None:
            write(box, "/opt/ml/output/failure", reason)
        return code

    return program


def waits_for_a_signal(code):
    def program(box):
        box.next_signal()
        return code

    return program


def deaf(box):
    while True:
        box.next_signal()


def test_exit_0_completes_the_job_with_its_model(jobs):
    result = jobs.run(lambda box: write(box, "/opt/ml/model/weights", "w"))
    assert (result.status.value, result.secondary_status.value) == ("Completed", "Completed")
    assert steps(result) == ["Starting", "Downloading", "Training", "Uploading", "Completed"]
    assert result.failure_reason is None
    assert result.container_exit_codes == {"algo-1": 0}
    assert members(result.model_archive) == ["weights"]
    assert result.output_archive is None
    assert result.succeeded


def test_the_program_is_train_and_sees_the_platform_s_variables(jobs):
    seen = {}

    def program(box):
        seen.update(argv=box.argv, environment=box.environment, hostname=box.hostname)

    jobs.run(program, job_name="My-Job", environment={"MINE": "1"})
    assert seen["argv"] == ("train",)
    assert seen["environment"]["TRAINING_JOB_NAME"] == "My-Job"
    assert seen["environment"]["TRAINING_JOB_ARN"].endswith(":training-job/my-job")
    assert seen["environment"]["MINE"] == "1"
    assert [name for name in seen["environment"] if name.startswith("SM_")] == []
    assert seen["hostname"].endswith(".ec2.internal")


def test_a_training_container_opens_no_port_and_may_write_beside_its_input(jobs):
    seen = {}

    def program(box):
        seen.update(publish=box.spec.publish, limits=(box.spec.memory_bytes, box.spec.cpus))
        write(box, "/opt/ml/input/sm_training.env", "A=1")

    assert jobs.run(program).succeeded
    assert seen == {"publish": (), "limits": (None, None)}


def test_every_group_of_a_cluster_runs_the_same_image_and_command(jobs, tmp_path):
    seen = {}

    def program(box):
        said = json.loads(box.path("/opt/ml/input/config/resourceconfig.json").read_text())
        seen[said["current_host"]] = (said["current_group_name"], box.spec.image, box.argv)

    resources = {
        "InstanceGroups": [
            {"InstanceGroupName": "cpu", "InstanceType": "ml.c5.xlarge", "InstanceCount": 2},
            {"InstanceGroupName": "big", "InstanceType": "ml.m5.large", "InstanceCount": 1},
        ],
        "VolumeSizeInGB": 30,
    }
    request = api.training_request_from_aws(
        {
            "TrainingJobName": "job",
            "RoleArn": "arn:aws:iam::123456789012:role/r",
            "AlgorithmSpecification": {"TrainingImage": "img:1", "TrainingInputMode": "File"},
            "OutputDataConfig": {"S3OutputPath": str(tmp_path / "out")},
            "ResourceConfig": resources,
            "StoppingCondition": {"MaxRuntimeInSeconds": 3600},
        }
    )
    assert jobs.run(program, request=request).succeeded
    assert {host: group for host, (group, *_) in seen.items()} == {
        # numbers do not follow the groups
        "algo-1": "big",
        "algo-2": "cpu",
        "algo-3": "cpu",
    }
    assert len({rest for _, *rest in map(list, seen.values()) for rest in [tuple(rest)]}) == 1


def test_the_program_reads_its_channel_and_cannot_write_it(jobs, tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "x.csv").write_text("1,2")

    def program(box):
        box.print(box.path("/opt/ml/input/data/train/x.csv").read_text())
        with pytest.raises(OSError, match="Read-only"):
            box.path("/opt/ml/input/data/train/y.csv", write=True)

    assert jobs.run(program, channels={"train": tmp_path / "data"}).succeeded
    assert jobs.heard.log() == "1,2\n"


def test_a_non_zero_exit_fails_the_job_with_the_failure_file_and_the_code(jobs):
    result = jobs.run(failing(3, "no such column: y"))
    assert result.status.value == "Failed"
    assert result.failure_reason == "AlgorithmError: no such column: y, exit code: 3"
    assert steps(result) == ["Starting", "Downloading", "Training", "Uploading", "Failed"]
    assert result.container_exit_codes == {"algo-1": 3}
    assert not result.succeeded


def test_without_a_failure_file_the_reason_is_empty_as_on_the_platform(jobs):
    assert jobs.run(failing(1)).failure_reason == "AlgorithmError: , exit code: 1"


def test_a_failure_file_is_cut_at_1024_characters(jobs):
    assert jobs.run(failing(1, "x" * 3000)).failure_reason == f"AlgorithmError: {'x' * 1024}, exit code: 1"


def test_a_failure_file_means_nothing_when_the_exit_is_0(jobs):
    assert jobs.run(failing(0, "ignored")).status.value == "Completed"


def test_a_failure_file_fails_the_job_where_the_setting_says_so(jobs):
    strict = api.platform(settings={"failure-file-on-exit-zero": "fails-job"})
    result = jobs.run(failing(0, "it says"), platform=strict)
    assert (result.status.value, result.failure_reason) == ("Failed", "AlgorithmError: it says, exit code: 0")


def test_artifacts_are_packed_on_failure_too(jobs):
    def program(box):
        write(box, "/opt/ml/model/half", "h")
        write(box, "/opt/ml/output/data/trace", "t")
        return 1

    result = jobs.run(program)
    assert members(result.model_archive) == ["half"]
    assert members(result.output_archive) == ["trace"]


def test_out_of_memory_is_told_in_the_platform_s_words_or_by_its_code(jobs):
    assert jobs.run(lambda box: box.run_out_of_memory()).failure_reason == wordings.OUT_OF_MEMORY
    by_code = api.platform(settings={"out-of-memory-reason": "exit-code"})
    again = jobs.run(lambda box: box.run_out_of_memory(), job_name="again", platform=by_code)
    assert again.failure_reason == "AlgorithmError: , exit code: 137"


def test_an_exit_of_137_without_the_kernel_s_word_is_an_algorithm_error(jobs):
    assert jobs.run(failing(137)).failure_reason == "AlgorithmError: , exit code: 137"


def test_an_image_without_train_fails_the_job_in_the_engine_s_words(jobs):
    jobs.engine.add_image("bare", lambda box: 0, executables=frozenset({"python"}))
    result = jobs.run(lambda box: 0, request=api.training_request("bare", job_name="job"))
    assert result.status.value == "Failed"
    assert result.failure_reason.startswith(
        "ClientError: Artifact upload failed:API error (400): OCI runtime create"
    )
    assert '"train": executable file not found in $PATH' in result.failure_reason
    assert result.container_exit_codes == {}
    assert jobs.described()["TrainingJobStatus"] == "Failed"


def test_stop_sends_sigterm_and_packs_the_model(jobs):
    def program(box):
        write(box, "/opt/ml/model/checkpoint", "c")
        box.print(box.next_signal())

    jobs.heard.react(ContainerStarted, jobs.stop)
    result = jobs.run(program)
    assert (result.status.value, result.secondary_status.value) == ("Stopped", "Stopped")
    assert steps(result) == ["Starting", "Downloading", "Training", "Stopping", "Uploading", "Stopped"]
    assert jobs.heard.log() == "SIGTERM\n"
    assert members(result.model_archive) == ["checkpoint"]
    assert [event.status for event in jobs.heard.of(StatusChanged)][-3:] == [
        "Stopping",
        "Stopping",
        "Stopped",
    ]
    assert result.succeeded


def test_a_non_zero_exit_after_a_stop_is_still_stopped_unless_the_setting_says_failed(jobs):
    jobs.heard.react(ContainerStarted, jobs.stop)
    assert jobs.run(waits_for_a_signal(9)).status.value == "Stopped"
    strict = api.platform(settings={"stop-nonzero-exit": "Failed"})
    jobs.heard.react(ContainerStarted, jobs.stop)
    failed = jobs.run(waits_for_a_signal(9), job_name="again", platform=strict)
    assert (failed.status.value, failed.failure_reason) == ("Failed", "AlgorithmError: , exit code: 9")


def test_a_program_that_does_not_hear_sigterm_is_killed_after_the_grace_period(jobs):
    jobs.heard.react(ContainerStarted, jobs.stop)
    result = jobs.run(deaf, stop_grace_s=0)
    assert result.status.value == "Stopped"
    assert result.container_exit_codes == {"algo-1": 137}


def test_a_second_stop_kills_at_once(jobs):
    jobs.heard.react(StatusChanged, jobs.stop, secondary="Stopping")
    jobs.heard.react(ContainerStarted, jobs.stop)
    result = jobs.run(deaf, stop_grace_s=3600)
    assert (result.status.value, result.container_exit_codes) == ("Stopped", {"algo-1": 137})


def test_two_stops_in_one_moment_kill_too(jobs):
    def twice():
        jobs.stop()
        jobs.stop()

    jobs.heard.react(ContainerStarted, twice)
    result = jobs.run(deaf, stop_grace_s=3600)
    assert (result.status.value, result.container_exit_codes) == ("Stopped", {"algo-1": 137})


def test_a_stop_before_the_start_never_starts_a_container(jobs):
    started = []
    jobs.heard.react(StatusChanged, jobs.stop, secondary="Downloading")
    result = jobs.run(lambda box: started.append(1))
    assert started == []
    assert result.status.value == "Stopped"
    assert result.container_exit_codes == {}
    assert jobs.heard.of(ContainerStarted) == []


def test_a_stop_while_the_container_is_made_is_not_lost(jobs, monkeypatch):
    create = jobs.engine.create

    def stopped_meanwhile(spec):
        made = create(spec)
        jobs.stop()
        jobs.job._attempt.containers.signal("SIGTERM")
        return made

    monkeypatch.setattr(jobs.engine, "create", stopped_meanwhile)
    result = jobs.run(deaf, stop_grace_s=3600)
    assert result.status.value == "Stopped"
    assert jobs.heard.of(ContainerStarted) == []


def test_a_kill_while_the_engine_starts_the_container_is_not_lost(jobs, monkeypatch):
    start = jobs.engine.start

    def killed_meanwhile(container):
        start(container)
        jobs.stop()
        jobs.stop()
        jobs.job._attempt.containers.signal("SIGKILL")

    monkeypatch.setattr(jobs.engine, "start", killed_meanwhile)
    result = jobs.run(deaf, stop_grace_s=3600)
    assert (result.status.value, result.container_exit_codes) == ("Stopped", {"algo-1": 137})


def test_a_file_in_the_run_folder_stops_the_job_for_other_processes(jobs):
    jobs.heard.react(ContainerStarted, jobs.folder().stop_request.touch)
    assert jobs.run(waits_for_a_signal(0)).status.value == "Stopped"


def out_of_time(request):
    return replace(request, stopping_condition=replace(request.stopping_condition, max_runtime_in_seconds=0))


def test_max_runtime_stops_the_job_and_says_so(jobs):
    result = jobs.run(waits_for_a_signal(0), after=out_of_time)
    assert (result.status.value, result.secondary_status.value) == ("Stopped", "MaxRuntimeExceeded")
    assert steps(result)[-3:] == ["Stopping", "Uploading", "MaxRuntimeExceeded"]


def test_a_stop_after_max_runtime_hurries_the_end(jobs):
    jobs.heard.react(StatusChanged, jobs.stop, secondary="Stopping")
    result = jobs.run(deaf, after=out_of_time, stop_grace_s=3600)
    assert result.secondary_status.value == "MaxRuntimeExceeded"


def two_hosts(first, second):
    def program(box):
        return (first if "algo-1" in box.spec.aliases else second)(box)

    return program


def test_one_host_that_fails_stops_the_others_and_gives_the_reason(jobs):
    result = jobs.run(two_hosts(waits_for_a_signal(5), failing(2, "mine")), instance_count=2)
    assert result.failure_reason == "AlgorithmError: mine, exit code: 2"
    assert result.container_exit_codes == {"algo-1": 5, "algo-2": 2}
    assert "Stopping" not in steps(result)


def test_the_reason_of_the_lowest_host_where_the_setting_says_so(jobs):
    lowest = api.platform(settings={"failure-host": "algo-1"})
    program = two_hosts(waits_for_a_signal(5), failing(2, "mine"))
    assert jobs.run(program, instance_count=2, platform=lowest).failure_reason == (
        "AlgorithmError: , exit code: 5"
    )


def test_hosts_find_each_other_by_name(jobs):
    both_know = threading.Barrier(2)

    def knows(box, host):
        with suppress(OSError):
            return box.resolve(host)

    def program(box):
        while not all(knows(box, host) for host in ("algo-1", "algo-2")):
            box.sleep(0.001)
        both_know.wait(180)

    result = jobs.run(program, instance_count=2)
    assert result.container_exit_codes == {"algo-1": 0, "algo-2": 0}
    assert result.status.value == "Completed"


def test_files_of_all_hosts_are_merged_and_clashes_are_told(jobs):
    def program(box):
        name = box.spec.aliases[0]
        write(box, "/opt/ml/model/shared", name)
        write(box, f"/opt/ml/model/{name}", name)

    result = jobs.run(program, instance_count=2)
    assert members(result.model_archive) == ["algo-1", "algo-2", "shared"]
    packed = next(event for event in jobs.heard if type(event).__name__ == "ArtifactPacked")
    assert packed.clashes == ("shared",)


def test_other_files_of_output_are_left_unless_the_setting_says_uploaded(jobs):
    def program(box):
        write(box, "/opt/ml/output/data/in", "i")
        write(box, "/opt/ml/output/beside", "b")
        write(box, "/opt/ml/output/failure", "f")

    assert members(jobs.run(program).output_archive) == ["in"]
    uploaded = api.platform(settings={"output-other-files": "uploaded"})
    again = jobs.run(program, job_name="again", platform=uploaded)
    assert members(again.output_archive) == ["beside", "in"]
    assert sorted(each.name for each in jobs.folder("again").opt_ml("algo-1").iterdir()) == [
        "input",
        "model",
        "output",
    ]


def test_an_empty_model_leaves_no_archive_or_an_empty_one(jobs):
    assert jobs.run(lambda box: 0).model_archive is None
    empty = api.platform(settings={"empty-model-archive": "empty"})
    assert members(jobs.run(lambda box: 0, job_name="again", platform=empty).model_archive) == []


def test_an_output_path_gets_the_archives_and_the_run_folder_links_to_them(jobs, tmp_path):
    result = jobs.run(lambda box: write(box, "/opt/ml/model/m", "m"), output_path=tmp_path / "out")
    assert result.model_archive == tmp_path / "out" / "job" / "output" / "model.tar.gz"
    assert jobs.folder().model_archive.resolve() == result.model_archive


def test_artifacts_go_to_s3_and_stay_in_the_run_folder(jobs, tmp_path):
    platform = api.platform(s3="embedded")
    (platform.s3.folder / "bucket").mkdir(parents=True)
    jobs.run(
        lambda box: write(box, "/opt/ml/model/m", "m"), output_path="s3://bucket/out/", platform=platform
    )
    stored = platform.s3.folder / "bucket" / "out" / "job" / "output" / "model.tar.gz"
    assert members(stored) == ["m"]
    assert stored.read_bytes() == jobs.folder().model_archive.read_bytes()
    assert jobs.described()["ModelArtifacts"] == {
        "S3ModelArtifacts": "s3://bucket/out/job/output/model.tar.gz"
    }


def _uncompressed(request):
    return replace(request, output_data_config=replace(request.output_data_config, compression_type="NONE"))


def _leaves_a_model(box):
    write(box, "/opt/ml/model/deep/weights", "w")
    box.path("/opt/ml/model/latest").symlink_to("deep/weights")
    write(box, "/opt/ml/output/data/plot", "p")


def test_without_compression_the_model_s_files_are_put_one_by_one(jobs):
    platform = api.platform(s3="embedded")
    (platform.s3.folder / "bucket").mkdir(parents=True)
    jobs.run(_leaves_a_model, output_path="s3://bucket/out", after=_uncompressed, platform=platform)
    output = platform.s3.folder / "bucket" / "out" / "job" / "output"
    assert (output / "model" / "deep" / "weights").read_text() == "w"
    assert (output / "model" / "latest").read_text() == "w", "an object cannot be a link"
    assert members(output / "output.tar.gz") == ["plot"]
    assert not (output / "model.tar.gz").exists()
    assert jobs.described()["ModelArtifacts"] == {"S3ModelArtifacts": "s3://bucket/out/job/output/model/"}
    assert [event.message for event in jobs.heard.of(Warned)] == []


def test_without_compression_a_local_output_path_gets_the_files_too(jobs, tmp_path):
    jobs.run(_leaves_a_model, output_path=tmp_path / "out", after=_uncompressed)
    output = tmp_path / "out" / "job" / "output"
    assert (output / "model" / "deep" / "weights").read_text() == "w"
    assert jobs.described()["ModelArtifacts"] == {"S3ModelArtifacts": f"file://{output}/model/"}


def test_an_s3_that_takes_no_artifacts_fails_the_job_and_they_stay_here(jobs):
    platform = api.platform(s3="embedded")
    (platform.s3.folder / "bucket").mkdir(parents=True)

    def program(box):
        write(box, "/opt/ml/model/m", "m")
        (platform.s3.folder / "bucket").rmdir()
        (platform.s3.folder / "bucket").write_text("no folder any more")

    result = jobs.run(program, output_path="s3://bucket/out", platform=platform)
    assert result.failure_reason.startswith("ClientError: Artifact upload failed:")
    assert members(jobs.folder().model_archive) == ["m"]


def test_a_channel_that_cannot_be_listed_fails_the_job_before_its_program_starts(jobs, tmp_path, monkeypatch):
    def unlistable(trees, listings):
        raise MachineError("the manifest of a channel cannot be written", value="no space left on device")

    monkeypatch.setattr(life, "list_channels", unlistable)
    started = []
    with pytest.raises(MachineError, match="the manifest of a channel"):
        jobs.run(started.append)
    assert started == []
    assert jobs.engine.leftovers({}) == []


CALLS = ("create", "logs", "start", "wait")


@pytest.mark.parametrize("call", [*CALLS, "create_network"])
@pytest.mark.parametrize("hosts", [1, 2])
def test_an_engine_that_breaks_leaves_a_clear_error_and_a_failed_job(jobs, call, hosts):
    if call == "create_network" and hosts == 1:
        jobs.engine.fail_next(call, EngineError("unused"))
        assert jobs.run(lambda box: 0).succeeded
        return
    jobs.engine.fail_next(call, EngineError(f"the engine broke in {call}"))
    with pytest.raises(EngineError, match=f"the engine broke in {call}"):
        jobs.run(
            two_hosts(waits_for_a_signal(0), failing(0)) if hosts == 2 else failing(0), instance_count=hosts
        )
    described = jobs.described()
    assert jobs.folder().path.exists() is (described is not None) is jobs.job.began
    assert jobs.job.began or call != "wait"
    if described is not None:
        assert described["TrainingJobStatus"] == "Failed"
        assert described["FailureReason"] == f"InternalServerError: the engine broke in {call}"
    assert jobs.folder().owner_pid() is None


def test_an_engine_that_breaks_while_it_stops_a_container_leaves_none(jobs):
    jobs.engine.fail_next("signal", EngineError("the engine broke in signal"))
    jobs.heard.react(ContainerStarted, jobs.stop)
    with pytest.raises(EngineError, match="broke in signal"):
        jobs.run(deaf)
    assert jobs.described()["TrainingJobStatus"] == "Failed"


@pytest.mark.parametrize("call", ["remove", "remove_network"])
def test_a_clean_up_that_fails_once_is_tried_again_and_hides_nothing(jobs, call):
    jobs.engine.fail_next(call, EngineError("busy"))
    assert jobs.run(failing(1), instance_count=2).status.value == "Failed"
    assert jobs.heard.of(Warned) == []


@pytest.mark.parametrize("call", ["remove", "remove_network"])
def test_a_clean_up_that_fails_for_good_is_a_warning(jobs, call):
    for _ in range(2):
        jobs.engine.fail_next(call, EngineError("broken"))
    result = jobs.run(lambda box: 0, instance_count=2)
    assert result.status.value == "Completed"
    assert any("could not be removed: broken" in event.message for event in jobs.heard.of(Warned))
    for leftover in jobs.engine.leftovers({}):
        jobs.engine.remove_leftover(leftover)


def test_the_first_error_is_told_even_if_the_clean_up_fails_too(jobs):
    jobs.engine.fail_next("start", EngineError("the first"))
    for _ in range(2):
        jobs.engine.fail_next("remove", EngineError("the second"))
    with pytest.raises(EngineError, match="the first"):
        jobs.run(lambda box: 0)
    for leftover in jobs.engine.leftovers({}):
        jobs.engine.remove_leftover(leftover)


def test_a_host_that_cannot_start_stops_the_others(jobs):
    jobs.engine.fail_next("start", StartError("no such program"))
    result = jobs.run(waits_for_a_signal(0), instance_count=2)
    assert result.failure_reason == "ClientError: Artifact upload failed:API error (400): no such program"


def test_a_listener_that_raises_ends_the_job_and_leaves_no_container(jobs):
    def broken():
        raise ZeroDivisionError

    jobs.heard.react(ContainerStarted, broken)
    with pytest.raises(ZeroDivisionError):
        jobs.run(deaf, instance_count=2, stop_grace_s=0)
    assert jobs.described()["FailureReason"].startswith("InternalServerError: ZeroDivisionError")


def test_an_interrupt_ends_the_job_and_leaves_no_container(jobs, monkeypatch):
    from sm_emulate.lifecycle.containers import Containers

    def interrupted(self, timeout):
        raise KeyboardInterrupt

    monkeypatch.setattr(Containers, "hear", interrupted)
    with pytest.raises(KeyboardInterrupt):
        jobs.run(deaf, instance_count=2)
    assert jobs.described()["TrainingJobStatus"] == "Failed"


def test_a_gpu_that_is_not_there_is_this_machine_s_fault(jobs):
    with pytest.raises(GpuNotFoundError):
        jobs.run(lambda box: 0, gpus="1")
    assert not jobs.folder().path.exists()


def test_a_gpu_that_is_there_is_given_and_not_hidden(home, heard):
    engine, seen = MemoryEngine(gpus=1), {}

    def program(box):
        seen.update(gpus=box.spec.gpus, hidden="NVIDIA_VISIBLE_DEVICES" in box.environment)

    Jobs(engine, home, heard).run(program, gpus="1")
    engine.close()
    assert seen["gpus"].count == 1
    assert not seen["hidden"]


def test_a_stop_gives_the_program_120_seconds_unless_told_otherwise():
    assert inspect.signature(api.train).parameters["stop_grace_s"].default == 120


def test_an_image_that_cannot_be_had_leaves_no_run_folder(jobs):
    with pytest.raises(ImageNotFoundError):
        jobs.run(lambda box: 0, request=api.training_request("nowhere", job_name="job"))
    assert Runs(jobs.home).all() == []


def test_a_job_name_can_be_taken_only_once(jobs):
    jobs.run(lambda box: 0)
    with pytest.raises(RequestError, match="this one is taken"):
        jobs.run(lambda box: 1)
    assert jobs.described()["TrainingJobStatus"] == "Completed"


def test_an_exit_is_told_after_the_last_line_of_its_host(jobs):
    jobs.run(lambda box: write(box, "/opt/ml/model/weights", "w") or box.print("last", end=""))
    kinds = [type(event).__name__ for event in jobs.heard if type(event).__name__ != "StatusChanged"]
    assert kinds[:3] == ["ContainerStarted", "LogLines", "ContainerExited"]
    assert jobs.heard.of(ContainerExited)[0].code == 0
