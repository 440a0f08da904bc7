"""Each command from its words to its output, on the in-memory engine."""

from __future__ import annotations

import io
import json
import os
import signal
import sys
import threading

import pytest

from sm_emulate import cli
from sm_emulate.cli.interrupts import Interrupts
from sm_emulate.errors import EngineNotFoundError
from sm_emulate.events import LogLines, StatusChanged
from sm_emulate.storage.runs import Runs


@pytest.fixture
def run(monkeypatch, capfd, home, engine):
    """Run the command on the in-memory engine; give exit code, stdout and stderr."""
    monkeypatch.setattr("sm_emulate.engine.discover.connect", lambda *_, **__: engine)
    monkeypatch.setattr(engine, "close", lambda: None)

    def run(*words):
        monkeypatch.setattr(sys, "argv", ["sm-emulate", *map(str, words)])
        with pytest.raises(SystemExit) as leaving:
            cli.main()
        out, err = capfd.readouterr()
        return leaving.value.code, out, err

    yield run
    monkeypatch.undo()


@pytest.fixture
def data(tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "x.csv").write_text("1,2")
    return folder


def trains(box):
    box.print("loss=0.25")
    box.path("/opt/ml/model/m", write=True).write_text("m")
    return 0


def fails(box):
    box.path("/opt/ml/output/failure", write=True).write_text("no column y")
    return 1


def test_train_prints_the_result_on_stdout_and_the_log_on_stderr(run, engine, home, data):
    engine.add_image("img", trains)
    code, out, err = run(
        "train", "img", "--job-name", "job", "--channel", f"train={data}", "--metric", "loss=loss=([0-9.]+)"
    )
    folder = home / "training-jobs" / "job"
    assert code == 0
    lines = out.splitlines()
    assert lines[:2] == ["Completed  job", "loss: 0.25"]
    assert lines[2].startswith(f"{folder}/model.tar.gz  ")
    assert lines[3:] == [str(folder)]
    assert "loss=0.25" in err.splitlines()
    assert "Training - Training image download completed. Training in progress." in err
    assert "\x1b" not in err


def test_train_as_json_is_describe_training_job(run, engine, home):
    engine.add_image("img", trains)
    code, out, _ = run(
        "train", "img", "--job-name", "job", "--hyperparameter", "epochs=3", "--output", "json"
    )
    described = json.loads(out)
    assert code == 0
    assert described["TrainingJobStatus"] == "Completed"
    assert described["HyperParameters"] == {"epochs": "3"}
    assert described["Emulator"]["RunFolder"] == str(home / "training-jobs" / "job")


def test_a_job_that_fails_is_the_container_s_fault(run, engine):
    engine.add_image("img", fails)
    code, out, _ = run("train", "img", "--job-name", "job")
    assert code == 1
    assert "FailureReason: AlgorithmError: no column y, exit code: 1" in out.splitlines()


def test_quiet_leaves_the_container_s_lines(run, engine):
    engine.add_image("img", trains)
    assert run("train", "img", "--quiet")[2] == "loss=0.25\n"


def test_lines_of_several_hosts_are_marked(run, engine):
    engine.add_image("img", trains)
    _, _, err = run("train", "img", "--instance-count", 2, "--quiet")
    assert {"algo-1 | loss=0.25", "algo-2 | loss=0.25"} <= set(err.splitlines())


def test_train_takes_the_json_of_create_training_job_and_flags_over_it(run, engine, tmp_path, data):
    engine.add_image("img", trains)
    request = {
        "TrainingJobName": "from-file",
        "RoleArn": "arn:aws:iam::123456789012:role/r",
        "AlgorithmSpecification": {"TrainingImage": "other", "TrainingInputMode": "File"},
        "InputDataConfig": [
            {
                "ChannelName": "train",
                "ContentType": "text/csv",
                "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://b/in"}},
            }
        ],
        "OutputDataConfig": {"S3OutputPath": str(tmp_path / "out")},
        "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 30},
        "StoppingCondition": {"MaxRuntimeInSeconds": 3600},
    }
    file = tmp_path / "job.json"
    file.write_text(json.dumps(request))
    code, out, _ = run("train", "img", "--request", file, "--channel", f"train={data}", "--output", "json")
    described = json.loads(out)
    assert code == 0
    assert described["AlgorithmSpecification"]["TrainingImage"] == "img"
    assert described["InputDataConfig"][0]["ContentType"] == "text/csv"
    assert (tmp_path / "out" / "from-file" / "output" / "model.tar.gz").is_file()


def test_train_reads_its_request_from_standard_input(run, monkeypatch, tmp_path):
    request = {
        "TrainingJobName": "from-stdin",
        "RoleArn": "arn:aws:iam::123456789012:role/r",
        "AlgorithmSpecification": {"TrainingImage": "img", "TrainingInputMode": "File"},
        "OutputDataConfig": {"S3OutputPath": str(tmp_path / "out")},
        "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 30},
        "StoppingCondition": {"MaxRuntimeInSeconds": 3600},
    }
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(json.dumps(request).encode())))
    code, out, _ = run("train", "--request", "-", "--dry-run", "--output", "json")
    assert code == 0
    assert "from-stdin" in out


def test_a_request_that_never_came_over_standard_input_is_told_as_such(run, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"")))
    code, out, err = run("train", "--request", "-", "--dry-run")
    assert (code, out) == (2, "")
    assert "the request file is not JSON" in err
    assert "nothing came over standard input" in err


def test_a_dry_run_starts_nothing_and_needs_no_engine(run, monkeypatch, home, data):
    def no_engine(*_args, **_more):
        raise EngineNotFoundError("none")

    monkeypatch.setattr("sm_emulate.engine.discover.connect", no_engine)
    code, out, _ = run("train", "img", "--job-name", "job", "--channel", f"train={data}", "--dry-run")
    assert code == 0
    assert not home.exists()
    lines = out.splitlines()
    assert "/opt/ml/model/" in lines
    assert "/opt/ml/input/data/train/" in lines
    assert "TRAINING_JOB_NAME=job" in lines
    assert any(line.startswith("docker run --rm ") and line.endswith("img train") for line in lines)
    as_json = json.loads(run("train", "img", "--job-name", "job", "--dry-run", "--output", "json")[1])
    assert as_json[0]["DockerRun"][:2] == ["docker", "run"]
    assert as_json[0]["Files"]["/opt/ml/input/config/hyperparameters.json"] == "{}"


@pytest.mark.parametrize(
    ("words", "code", "what"),
    [
        (("train", "nowhere"), 3, "the image is not on this engine and cannot be pulled"),
        (("train", "img", "--channel", "train=/no/such"), 2, "channel train: no such file or folder"),
        (("train", "img", "--channel", "./data"), 2, "a channel has no name"),
        (("train", "img", "--hyperparameters", "/no/such.json"), 2, "hyperparameters"),
        (("train", "img", "--instance-type", "ml.nothing"), 2, "InstanceType"),
        (("train", "img", "--setting", "shm-size=big"), 2, "setting shm-size does not take this value"),
        (("train", "img", "--gpus", "some"), 2, "--gpus does not take this value"),
        (("train", "img", "--gpus", "1"), 3, "a GPU was asked for"),
        (("train", "img", "--metric", "loss=["), 2, "the regex of metric loss cannot be read"),
        (("serve", "img", "--model", "/no/such.tar.gz"), 2, "the model is not there"),
        (("invoke", "nobody", "--data", "x"), 2, "no endpoint of this name runs"),
        (("invoke", "--data", "@/no/such"), 2, "the payload cannot be read"),
        (("describe", "nobody"), 2, "there is no run of this name"),
        (("stop", "nobody"), 2, "there is no run of this name"),
        (("logs", "nobody"), 2, "there is no run of this name"),
        (("clean", "nobody"), 2, "there is no run of this name"),
    ],
)
def test_wrong_input_has_its_own_message_and_exit_code(run, engine, words, code, what):
    engine.add_image("img", trains)
    got, out, err = run(*words)
    assert (got, out) == (code, "")
    assert err.partition("error: ")[2].startswith(what) or what in err.partition("error: ")[2].splitlines()[0]
    assert "Traceback" not in err


def test_wrong_input_leaves_no_run_folder(run, engine, home):
    engine.add_image("img", trains)
    for words in (("--channel", "x=/no/such"), ("--setting", "nope=1"), ("--gpus", "some")):
        assert run("train", "img", *words)[0] == 2
    assert Runs(home).all() == []


def test_without_an_engine_the_exit_code_is_3_and_nothing_is_made(run, monkeypatch, home):
    def no_engine(*_args, **_more):
        raise EngineNotFoundError("no container engine answers", hint="start one")

    monkeypatch.setattr("sm_emulate.engine.discover.connect", no_engine)
    code, out, err = run("train", "img", "--output", "json")
    assert code == 3
    assert json.loads(out)["error"]["code"] == "no-engine"
    assert "hint:     start one" in err
    assert Runs(home).all() == []


def once(monkeypatch, what, action):
    """Do something when the terminal has told the first event of which `what` is true."""
    from sm_emulate.report.terminal import Terminal

    tell = Terminal.__call__

    def told(self, event):
        tell(self, event)
        if not done and what(event):
            done.append(1)
            action()

    done = []
    monkeypatch.setattr(Terminal, "__call__", told)


def is_line(event):
    return isinstance(event, LogLines)


def is_stopping(event):
    return isinstance(event, StatusChanged) and event.secondary == "Stopping"


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 0)])
def test_a_signal_stops_the_job_as_stop_training_job_does(run, engine, monkeypatch, number, code):
    def program(box):
        box.path("/opt/ml/model/m", write=True).touch()
        box.print("ready")
        box.print(box.next_signal())

    engine.add_image("img", program)
    once(monkeypatch, is_line, lambda: os.kill(os.getpid(), number))
    got, out, err = run("train", "img", "--job-name", "job")
    assert got == code
    assert out.startswith("Stopped  job\n")
    assert "model.tar.gz" in out
    assert "SIGTERM" in err.splitlines()


def test_a_second_signal_kills(run, engine, monkeypatch):
    def program(box):
        box.print("ready")
        while True:
            box.next_signal()

    def press():
        os.kill(os.getpid(), signal.SIGINT)

    engine.add_image("img", program)
    once(monkeypatch, is_line, press)
    once(monkeypatch, is_stopping, press)
    code, out, _ = run("train", "img", "--output", "json")
    assert code == 130
    assert json.loads(out)["Emulator"]["ContainerExitCodes"] == {"algo-1": 137}


def test_a_signal_before_there_is_anything_to_stop_interrupts():
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt), Interrupts():
        os.kill(os.getpid(), signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before


def stopping_when_in_service(monkeypatch, action):
    """Do something in a thread once the endpoint is in service, then stop it."""
    from sm_emulate.lifecycle.hosting.endpoint import Endpoint

    serve = Endpoint.serve

    def served(self):
        def act():
            try:
                action(self)
            finally:
                self.stop()

        thread = threading.Thread(target=act)
        thread.start()
        result = serve(self)
        thread.join()
        return result

    monkeypatch.setattr(Endpoint, "serve", served)


def test_serve_prints_where_it_serves_and_ends_with_0_when_it_is_stopped(run, engine, model, monkeypatch):
    engine.add_image("img", model())
    seen = []
    stopping_when_in_service(monkeypatch, lambda endpoint: seen.append(endpoint.url))
    code, out, err = run("serve", "img", "--endpoint-name", "demo")
    assert code == 0
    assert out == f"{seen[0]}/endpoints/demo/invocations\n"
    assert "InService - serving at" in err
    assert "OutOfService - Endpoint stopped" in err


def test_a_container_that_dies_in_service_is_exit_code_1(run, engine, model, monkeypatch):
    served = model(exits=3)
    engine.add_image("img", served)
    from sm_emulate.lifecycle.hosting.endpoint import Endpoint

    serve = Endpoint.serve
    monkeypatch.setattr(Endpoint, "serve", lambda self: served.crash.set() or serve(self))
    code, _, err = run("serve", "img")
    assert code == 1
    assert "Failed - the container exited with code 3" in err


def test_an_endpoint_that_is_not_healthy_is_exit_code_1_with_its_diagnosis(run, engine):
    engine.add_image("img", lambda box: box.print("cannot load the model") or 2)
    code, out, err = run("serve", "img", "--output", "json")
    assert code == 1
    error = json.loads(out)["error"]
    assert error["code"] == "endpoint-failed"
    assert error["value"] == "the container exited with code 2 before it answered GET /ping with 200"
    assert error["evidence"] == ["cannot load the model"]
    assert "  | cannot load the model" in err.splitlines()


def test_a_stdout_that_breaks_does_not_leave_an_endpoint_behind(run, engine, model, monkeypatch):
    engine.add_image("img", model())

    def broken(_endpoint, _flags):
        raise BrokenPipeError

    monkeypatch.setattr("sm_emulate.cli.serve._tell", broken)
    monkeypatch.setattr(os, "dup2", lambda *_: None)
    assert run("serve", "img")[0] == 0
    assert engine.leftovers({}) == []


def test_invoke_gives_the_body_alone_on_stdout(run, endpoints, model, tmp_path):
    payload = tmp_path / "payload"
    payload.write_bytes(b"\x00abc")
    with endpoints.new(model()) as endpoint:
        endpoint.start()
        assert run("invoke", "demo", "--data", "abc")[:2] == (0, "cba")
        assert run("invoke", "--data", f"@{payload}")[:2] == (0, "cba\x00")
        code, out, err = run("invoke", "demo", "--data", "abc", "--verbose")
        assert (code, out) == (0, "cba")
        assert err.startswith("HTTP 200\n")
        code, out, err = run("invoke", "demo", "--data", "x", "--target-variant", "Nope")
        assert (code, out) == (2, "")
        assert err.startswith("ValidationError: Variant Nope")


def test_a_payload_that_is_too_long_is_the_request_s_fault(run, endpoints, model, tmp_path):
    payload = tmp_path / "payload"
    with payload.open("wb") as file:
        file.truncate(26 * 1024 * 1024)
    with endpoints.new(model()) as endpoint:
        endpoint.start()
        code, out, err = run("invoke", "demo", "--data", f"@{payload}")
    assert (code, out) == (2, "")
    assert err.startswith("413: HTTP content length exceeded 26214400 bytes")


def finished(run, engine, program=trains, name="job"):
    engine.add_image("img", program)
    return run("train", "img", "--job-name", name)


def test_ps_lists_what_runs_and_with_all_what_is_over(run, engine):
    finished(run, engine)
    code, out, err = run("ps")
    assert (code, out) == (0, "")
    assert "ps --all" in err
    _, out, _ = run("ps", "--all")
    header, row = out.splitlines()
    assert header.split() == ["NAME", "KIND", "STATUS", "CREATIONTIME", "IMAGE", "URL"]
    assert row.split()[:3] == ["job", "training-jobs", "Completed"]
    listed = json.loads(run("ps", "--all", "--output", "json")[1])
    assert [(each["Name"], each["SecondaryStatus"]) for each in listed] == [("job", "Completed")]


def test_ps_lists_the_youngest_first_whatever_was_written_last(run, home):
    for name, second in (("old", 1), ("young", 2), ("old", 1)):
        folder = Runs(home).folder("endpoints", name)
        folder.path.mkdir(parents=True, exist_ok=True)
        created = f"2026-01-01T00:00:0{second}.000+00:00"
        folder.write(folder.standing, {"EndpointStatus": "InService", "CreationTime": created})
    assert [line.split()[0] for line in run("ps")[1].splitlines()[1:]] == ["young", "old"]


def test_ps_calls_a_run_whose_process_died_abandoned(run, home):
    folder = Runs(home).folder("training-jobs", "dead")
    folder.path.mkdir(parents=True)
    folder.write(folder.request, {})
    assert run("ps")[1].splitlines()[1].split()[:3] == ["dead", "training-jobs", "Abandoned"]
    assert json.loads(run("describe", "dead")[1]) == {"Emulator": {"Abandoned": True}}


def test_describe_is_the_result(run, engine, home):
    finished(run, engine)
    described = json.loads(run("describe", "job")[1])
    assert described == json.loads((home / "training-jobs" / "job" / "result.json").read_text())


def test_logs_are_the_bytes_that_the_container_wrote(run, engine):
    finished(run, engine, lambda box: [box.print(f"line {number}") for number in range(5)] and 0)
    assert run("logs", "job")[1] == "".join(f"line {number}\n" for number in range(5))
    assert run("logs", "job", "--tail", "2")[1] == "line 3\nline 4\n"
    assert run("logs", "job", "--tail", "0")[1] == ""
    assert run("logs", "job", "--host", "algo-1", "--tail", "99")[1].startswith("line 0\n")
    assert run("logs", "-f", "job")[1].endswith("line 4\n")
    code, _, err = run("logs", "job", "--host", "algo-2")
    assert code == 2
    assert "expected: algo-1" in err


def test_a_run_that_is_named_twice_is_meant_once(run, engine):
    finished(run, engine)
    assert run("stop", "job", "job")[1] == "training-jobs/job: Completed (it was over already)\n"
    assert run("clean", "job", "training-jobs/job") == (0, "removed training-jobs/job\n", "")


def test_only_training_and_tuning_jobs_have_metrics(run, home):
    folder = Runs(home).folder("transform-jobs", "batch")
    folder.path.mkdir(parents=True)
    folder.write(folder.request, {})
    code, _, err = run("metrics", "batch")
    assert code == 2
    assert err.startswith("error: a transform job has no metrics\n")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["0.5"], "this is no weight"),
        (["AllTraffic=nan"], "this is no weight"),
        (["AllTraffic=inf"], "this is no weight"),
        (["AllTraffic=0"], "value:    AllTraffic=0"),
        (["AllTraffic=1", "AllTraffic=2"], "the weight of a variant is given twice"),
        (["all=1"], "expected: AllTraffic"),
    ],
)
def test_wrong_weights_are_told(run, endpoints, model, words, said):
    with endpoints.new(model()) as endpoint:
        endpoint.start()
        code, _, err = run("update", "demo", *[each for word in words for each in ("--weight", word)])
    assert (code, said in err) == (2, True), err


def test_components_are_offered_of_the_endpoint_that_is_invoked(home):
    from click import Context

    from sm_emulate.cli.invoke import invoke
    from sm_emulate.cli.options import complete_components

    runs = Runs(home)
    with runs.create("endpoints", "one") as one, runs.create("endpoints", "two") as two:
        for run in (one, two):
            described = {"InferenceComponents": [{"InferenceComponentName": f"of-{run.name}"}]}
            run.write(run.request, {})
            run.write(run.result, {"Emulator": described})
        ctx = Context(invoke)
        ctx.params = {"endpoint": "two", "home": home}
        assert complete_components(ctx, None, "of") == ["of-two"]


def test_stop_of_a_run_that_is_over_says_so(run, engine):
    finished(run, engine)
    finished(run, engine, name="other")
    assert run("stop", "job", "other") == (
        0,
        "training-jobs/job: Completed (it was over already)\ntraining-jobs/other: Completed (it was over already)\n",
        "",
    )
    assert run("stop", "--all") == (0, "", "")
    assert run("stop")[0] == 2


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("train", "Bad Image!"), 2, "cannot be the name of an image"),
        (("train", "img:1", "--hyperparameter", "k=\udcff"), 2, "no text in UTF-8"),
        (("serve", "img:"), 2, "cannot be the name of an image"),
        (("train", "img:1", "--stop-grace", "nan"), 2, "not a number of seconds"),
        (("train", "img:1", "--instance-type", "m5.large"), 2, "did you mean ml.m5.large"),
        (("serve", "img:1", "--instance-count", "0"), 2, "InitialInstanceCount"),
        (("serve", "--component", "a=img:1", "--direct"), 2, "--component does not go with --direct"),
        (("serve", "img:1", "--component", "a=img:1", "--model", "m"), 2, "does not go with an IMAGE"),
        (("serve", "--component", "a=img:1,copys=2"), 2, "did you mean copies=?"),
        (("serve", "--variant", "a=img:1,wieght=2"), 2, "did you mean weight=?"),
        (("serve", "--container", "a=img:1,modle=x", "--container", "b=img:1"), 2, "did you mean model=?"),
        (("transform", "img:1", "--input", ".", "--instance-count", "0"), 2, "InstanceCount"),
        (("tune", "img:1", "--minimize", "loss", "--metric", "loss=(.)", "--range", "a=1..2", "--parallel", "0"),
         2, "MaxParallelTrainingJobs"),
        (("invoke", "--stream", "--async"), 2, "--stream and --async exclude each other"),
        (("invoke", "--bidirectional", "--component", "a"), 2, "--component and --bidirectional exclude each other"),
        (("invoke", "--bidirectional", "--linger", "nan"), 2, "not a number of seconds"),
        (("validate", "img:1", "--stop-grace", "nan"), 2, "not a number of seconds"),
        (("train", "img:1", "--job-name", ""), 2, "TrainingJobName is too short"),
        (("process", "img:1", "--job-name", ""), 2, "ProcessingJobName is too short"),
        (("transform", "img:1", "--input", ".", "--job-name", ""), 2, "TransformJobName is too short"),
        (("serve", "img:1", "--endpoint-name", ""), 2, "EndpointName does not have the form"),
    ],
)  # fmt: skip
def test_wrong_words_are_told(run, engine, words, code, said):
    engine.add_image("img:1", trains)
    ended, _, err = run(*words)
    assert (ended, said in err) == (code, True), err


@pytest.mark.parametrize(
    ("model", "said"),
    [
        ([], "CreateModel and CreateTransformJob, each an object"),
        ({"ModelName": "m", "PrimaryContainer": "img"}, "PrimaryContainer.Image is missing"),
        ({"ModelName": "m", "Containers": [None]}, "Containers[0] must be an object"),
        ({"ModelName": "m", "PrimaryContainer": {"Image": "img"}, "InferenceExecutionConfig": 7}, "must be an object"),
    ],
)  # fmt: skip
def test_a_wrong_model_of_a_transform_job_is_told(run, tmp_path, model, said):
    job = {
        "TransformJobName": "job",
        "ModelName": "m",
        "TransformInput": {
            "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": str(tmp_path)}}
        },
        "TransformOutput": {"S3OutputPath": str(tmp_path)},
        "TransformResources": {"InstanceType": "ml.m5.large", "InstanceCount": 1},
    }
    file = tmp_path / "job.json"
    file.write_text(json.dumps({"CreateModel": model, "CreateTransformJob": job}))
    code, _, err = run("transform", "--request", file)
    assert (code, said in err) == (2, True), err
    assert run("transform", "--request", file, "--model", ".")[0] == 2


def test_an_output_path_that_cannot_be_is_refused_before_anything_starts(run, engine, home, tmp_path):
    engine.add_image("img:1", trains)
    (tmp_path / "file").touch()
    code, _, err = run("train", "img:1", "--output-path", tmp_path / "file" / "deep")
    assert code == 2
    assert "the output path is no folder" in err
    assert Runs(home).all() == []


def test_a_channel_that_is_a_link_to_nowhere_says_so(run, tmp_path):
    (tmp_path / "data").symlink_to("/nowhere/at/all")
    code, _, err = run("train", "img:1", "--channel", f"train={tmp_path / 'data'}")
    assert code == 2
    assert "it is a link to nowhere" in err
    assert "/nowhere/at/all" in err


def test_settings_are_completed():
    from sm_emulate.cli.options import complete_settings

    assert complete_settings(None, None, "config-d") == ["config-directory-mode="]


def test_a_job_that_ran_out_of_time_says_so(run, engine):
    engine.add_image("slow:1", lambda box: box.next_signal() and 0)
    code, out, err = run("train", "slow:1", "--job-name", "job", "--max-run", "1")
    assert code == 0
    assert out.startswith("Stopped (MaxRuntimeExceeded)  job\n")
    assert "sending SIGTERM; SIGKILL follows in 120 s" in err


def test_clean_removes_what_is_named_or_all_that_is_over_and_nothing_alive(run, engine, home):
    finished(run, engine)
    finished(run, engine, name="other")
    assert run("clean")[1:] == ("", "nothing is left over\n")
    assert run("clean", "job")[1] == "removed training-jobs/job\n"
    runs = Runs(home)
    with runs.create("endpoints", "alive") as alive:
        alive.write(alive.request, {})
        code, _, err = run("clean", "alive")
        assert code == 2
        assert "sm-emulate stop alive" in err
        assert run("clean", "--all")[1] == "removed training-jobs/other\n"
        assert [each.name for each in runs.all()] == ["alive"]


def test_the_home_can_be_chosen_by_flag(run, engine, tmp_path, home):
    engine.add_image("img", trains)
    assert run("train", "img", "--home", tmp_path / "there", "--job-name", "job")[0] == 0
    assert (tmp_path / "there" / "training-jobs" / "job" / "model.tar.gz").is_file()
    assert not home.exists()


@pytest.mark.parametrize(("value", "coloured"), [("", True), ("1", False)])
def test_no_color_is_honoured_on_a_terminal(monkeypatch, value, coloured):
    from sm_emulate.cli import options

    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("NO_COLOR", value)
    assert options.colours_allowed() is coloured
    monkeypatch.setenv("TERM", "dumb")
    assert options.colours_allowed() is False
