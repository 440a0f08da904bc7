"""The Python door: its names, its builders, and the examples of docs/python-api.md."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from sm_emulate import api
from sm_emulate.errors import RequestError
from sm_emulate.lifecycle.platform import Platform
from sm_emulate.request.endpoint import EndpointRequest
from sm_emulate.request.training import TrainingRequest
from sm_emulate.storage.runs import Runs

ROOT = Path(__file__).parents[2]
SOURCES = str(ROOT / "emulator")


def test_every_public_name_is_there_and_comes_from_where_it_says():
    assert sorted(api.__all__) == sorted(api._HOME)
    for name in api.__all__:
        found = getattr(api, name)
        # a constant does not say where it comes from
        assert isinstance(found, str) or found.__module__ == f"sm_emulate.{api._HOME[name]}", name
    assert set(api.__all__) <= set(dir(api))


def test_type_checkers_see_the_same_names():
    tree = ast.parse(Path(api.__file__).read_text())
    checked = next(node for node in tree.body if isinstance(node, ast.If))
    seen = {
        alias.name: statement.module
        for statement in checked.body
        if isinstance(statement, ast.ImportFrom)
        for alias in statement.names
    }
    assert seen == {name: f"sm_emulate.{home}" for name, home in api._HOME.items()}


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="has no attribute 'trian'"):
        _ = api.trian


def test_importing_the_door_imports_nothing_behind_it():
    code = "import sys, sm_emulate.api; print([m for m in sys.modules if m.startswith('sm_emulate')])"
    got = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": SOURCES},
        capture_output=True,
        text=True,
        check=True,
    )
    assert ast.literal_eval(got.stdout) == ["sm_emulate", "sm_emulate.api"]


@pytest.fixture
def _home(home):
    pass


pytestmark = pytest.mark.usefixtures("_home")


def test_a_training_request_has_defaults_for_what_nobody_wants_to_say(home):
    request = api.training_request("my/image:1")
    assert isinstance(request, TrainingRequest)
    assert request.training_job_name.startswith("image-20")
    assert request.resource_config.first_instance_type == "ml.m5.large"
    assert request.resource_config.total_instances == 1
    assert request.output_data_config.local_path == home / "training-jobs" / request.training_job_name


def test_hyperparameters_become_the_strings_that_the_sdk_makes():
    request = api.training_request(
        "img", hyperparameters={"n": 3, "rate": 0.5, "on": True, "name": "x", "list": [1, "a"]}
    )
    assert request.hyper_parameters == {
        "n": "3",
        "rate": "0.5",
        "on": "true",
        "name": "x",
        "list": '[1, "a"]',
    }


@pytest.mark.parametrize(("value", "seen"), [(None, "null"), (object(), "object")])
def test_a_hyperparameter_that_is_no_json_is_refused(value, seen):
    with pytest.raises(RequestError, match=f"gives hyperparameter x as {seen}"):
        api.training_request("img", hyperparameters={"x": value})


def test_everything_that_can_be_asked_for_arrives(tmp_path):
    request = api.training_request(
        "img",
        job_name="job",
        channels={"train": tmp_path, "val": api.channel("s3://b/v", mode="Pipe", shuffle_seed="7")},
        instance_type="ml.c5.xlarge",
        instance_count=2,
        input_mode="FastFile",
        environment={"A": "b"},
        entrypoint=["python"],
        arguments=["main.py"],
        metrics={"loss": "loss=(.*)"},
        max_runtime_in_seconds=60,
        enable_network_isolation=True,
        output_path=tmp_path / "out",
        role_arn="arn:aws:iam::123456789012:role/mine",
        tags={"k": "v"},
    )
    algorithm = request.algorithm_specification
    train, val = request.input_data_config
    assert (train.channel_name, train.data_source.local_path) == ("train", tmp_path)
    assert (val.channel_name, val.input_mode, val.shuffle_seed) == ("val", "Pipe", 7)
    assert (algorithm.container_entrypoint, algorithm.container_arguments) == (("python",), ("main.py",))
    assert [(one.name, one.regex) for one in algorithm.metric_definitions] == [("loss", "loss=(.*)")]
    assert request.input_mode(train) == "FastFile"
    assert request.resource_config.total_instances == 2
    assert request.environment == {"A": "b"}
    assert request.stopping_condition.max_runtime_in_seconds == 60
    assert request.enable_network_isolation
    assert request.output_data_config.local_path == tmp_path / "out"
    assert request.role_arn.endswith("/mine")
    assert [(tag.key, tag.value) for tag in request.tags] == [("k", "v")]


def test_a_wrong_option_of_a_channel_is_met_with_the_right_ones():
    with pytest.raises(TypeError, match="'content'; there are mode, content_type"):
        api.channel("./data", content="text/csv")


def test_a_wrong_value_is_refused_by_the_platform_s_own_limits():
    with pytest.raises(RequestError, match="InstanceType"):
        api.training_request("img", instance_type="ml.m5.enormous")


def test_an_endpoint_request_has_defaults_and_takes_all_that_can_be_asked_for(tmp_path):
    assert api.endpoint_request("my/image:1").endpoint_name.startswith("image-20")
    request = api.endpoint_request(
        "img",
        model=tmp_path,
        endpoint_name="demo",
        environment={"A": "b"},
        instance_type="ml.c5.xlarge",
        variant_name="Blue",
        startup_timeout_in_seconds=60,
        enable_network_isolation=True,
    )
    assert isinstance(request, EndpointRequest)
    assert request.model.primary.data.path == tmp_path
    assert (request.variant_name, request.instance_type) == ("Blue", "ml.c5.xlarge")
    assert request.variants[0].container_startup_health_check_timeout_in_seconds == 60
    assert request.model.enable_network_isolation
    with pytest.raises(RequestError):
        api.endpoint_request("img", startup_timeout_in_seconds=59)


def test_a_platform_is_checked():
    assert api.platform("2020", region="cn-north-1").settings.text("environment-ecs") == "set"
    with pytest.raises(RequestError, match="no such platform profile"):
        api.platform("2019")
    with pytest.raises(RequestError, match="no such setting"):
        api.platform(settings={"shm": "1g"})


def test_a_plan_makes_nothing_and_says_what_the_job_would_do(jobs, tmp_path):
    (tmp_path / "data").mkdir()
    request = api.training_request("img:1", job_name="job", channels={"train": tmp_path / "data"})
    (planned,) = api.plan(request, platform=Platform(credentials="none"))
    assert not jobs.home.exists()
    seen = {}

    def program(box):
        seen.update(
            spec=box.spec,
            files={path: box.path(path).read_bytes() for path in planned.files},
            directories=[path for path in planned.directories if not box.path(path).is_dir()],
        )

    jobs.run(program, request=request)
    assert seen["files"] == planned.files
    assert seen["directories"] == []
    for field in ("command", "entrypoint", "environment", "hostname", "mounts", "extra_hosts", "shm_bytes"):
        assert getattr(seen["spec"], field) == getattr(planned.container, field), field


def test_a_plan_of_several_hosts_tells_each(home):
    first, second = api.plan(api.training_request("img", instance_count=2))
    assert (first.host, second.host) == ("algo-1", "algo-2")
    assert first.container.aliases == ("algo-1",)
    assert "--network-alias" in second.container.docker_run()


def test_a_plan_does_not_ask_s3_whether_it_may_write(home, monkeypatch):
    asked = []

    class Store:
        def check_writable(self, uri):
            asked.append(uri)
            raise RequestError("there is no such bucket", hint="make it")

    monkeypatch.setattr("sm_emulate.staging.places.store_of", lambda *_: Store())
    request = api.training_request("img", output_path="s3://not-there/out")
    assert len(api.plan(request)) == 1
    assert asked == []
    with pytest.raises(RequestError, match="there is no such bucket"):
        api.train(request)
    assert asked == ["s3://not-there/out"]


def test_a_request_without_output_path_follows_the_home_of_its_run(engine, home, tmp_path):
    engine.add_image("img", lambda box: box.path("/opt/ml/model/m", write=True).touch())
    result = api.train(api.training_request("img", job_name="job"), engine=engine, home=tmp_path / "other")
    assert result.model_archive == tmp_path / "other" / "training-jobs" / "job" / "model.tar.gz"
    assert not home.exists()


def test_what_is_not_there_is_refused_before_anything_is_made(engine, home):
    request = api.training_request("img", channels={"x": "s3://b/in"})
    with pytest.raises(RequestError, match="there is no bucket b"):
        api.train(request, engine=engine, platform=api.platform(s3="embedded"))
    assert not home.exists()


def test_an_image_that_is_only_in_its_registry_is_pulled_and_listeners_hear_how_far_it_is(
    engine, heard, home
):
    engine.add_image("far/img:1", lambda box: 0, only_in_registry=True)
    assert api.train(api.training_request("far/img:1"), engine=engine, listeners=[heard]).succeeded
    assert type(heard[0]).__name__ == "Progress"
    assert heard[0].task == "Pulling far/img:1 layer"


def test_an_engine_of_the_caller_s_stays_open_and_a_found_one_is_closed(jobs, monkeypatch):
    closed = []
    monkeypatch.setattr(jobs.engine, "close", lambda: closed.append(1))
    monkeypatch.setattr("sm_emulate.engine.discover.connect", lambda *_, **__: jobs.engine)
    jobs.run(lambda box: 0)
    assert closed == []
    api.train(api.training_request("img:1", job_name="again"))
    assert closed == [1]
    monkeypatch.undo()


def examples():
    text = (ROOT / "docs" / "python-api.md").read_text()
    return re.findall(r"```python\n(.*?)```", text, re.DOTALL)


def test_the_examples_of_the_documentation_run(engine, model, home, tmp_path, monkeypatch, capsys):
    served = model()

    def image(box):
        if box.argv == ("serve",):
            return served(box)
        box.path("/opt/ml/model/weights", write=True).touch()
        box.print("loss=0.25")
        return 0

    engine.add_image("my-image", image)
    (tmp_path / "data").mkdir()
    (tmp_path / "in").mkdir()
    (tmp_path / "job.py").touch()
    (tmp_path / "rows").mkdir()
    (tmp_path / "rows" / "a.csv").write_bytes(b"5.1,3.5")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sm_emulate.engine.discover.connect", lambda *_, **__: engine)
    monkeypatch.setattr(engine, "close", lambda: None)
    names = {}
    for example in examples():
        exec(compile(example, "docs/python-api.md", "exec"), names)
    printed = capsys.readouterr().out
    assert "Completed" in printed
    assert '"current_host":"algo-1"' in printed
    assert "docker run --rm" in printed
    assert "algo-1 loss=0.25" in printed
    assert f"{b'5.1,3.5,1.4,0.2'[::-1]}" in printed
    assert (tmp_path / "predictions" / "a.csv.out").read_bytes() == b"5.1,3.5"[::-1]
    assert "error: ResourceConfig.InstanceType" in printed
    assert {"iris", "iris-1", "iris-2", "iris-3"} <= {run.name for run in Runs(home).all()}
    monkeypatch.undo()
