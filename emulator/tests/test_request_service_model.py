from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from importlib.machinery import ModuleSpec
from pathlib import Path

import pytest

from sm_emulate.errors import BugError, MachineError
from sm_emulate.request import service_model

WHOLE = {
    "operations": {
        "CreateThing": {"input": {"shape": "In"}, "output": {"shape": "Out"}},
        "DeleteThing": {"input": {"shape": "Unreached"}},
    },
    "shapes": {
        "In": {
            "type": "structure",
            "required": ["Name"],
            "members": {"Name": {"shape": "Name", "documentation": "long"}, "Self": {"shape": "In"}},
            "documentation": "long",
        },
        "Out": {"type": "structure", "members": {"Names": {"shape": "Names"}, "By": {"shape": "By"}}},
        "Names": {"type": "list", "member": {"shape": "Name"}},
        "By": {"type": "map", "key": {"shape": "Key"}, "value": {"shape": "Name"}},
        "Name": {"type": "string", "max": 3},
        "Key": {"type": "string"},
        "Unreached": {"type": "structure", "members": {}},
    },
}


@pytest.fixture
def botocore(tmp_path, monkeypatch) -> Path:
    """A package folder that stands in for botocore; gives its data folder for one version."""
    package = tmp_path / "site" / "botocore"
    version = package / "data" / "sagemaker" / "2017-07-24"
    version.mkdir(parents=True)
    (package / "__init__.py").write_text("raise RuntimeError('imported')")
    monkeypatch.setattr(sys, "path", [str(package.parent)])
    (version / "service-2.json.gz").write_bytes(gzip.compress(json.dumps(WHOLE).encode()))
    return version


def test_the_shapes_that_an_operation_reaches_are_kept_without_their_documentation(botocore):
    model = service_model.load("CreateThing")

    assert set(model.shapes) == {"In", "Out", "Names", "By", "Name", "Key"}
    assert "long" not in json.dumps(model.shapes)
    assert (model.input_shape, model.output_shape) == ("In", "Out")


def test_an_operation_may_answer_nothing(botocore):
    assert service_model.load("DeleteThing").output_shape is None


def test_a_model_that_is_not_packed_is_read_too(botocore):
    (botocore / "service-2.json.gz").unlink()
    (botocore / "service-2.json").write_text(json.dumps(WHOLE))

    assert "In" in service_model.load("CreateThing").shapes


def test_the_newest_version_of_the_api_counts(botocore):
    newer = botocore.parent / "2030-01-01"
    newer.mkdir()
    (newer / "service-2.json").write_text(json.dumps(WHOLE).replace('"max": 3', '"max": 5'))

    assert service_model.load("CreateThing").limit("Name").maximum == 5


def test_the_cache_gives_the_same_and_the_source_is_not_read_again(botocore, tmp_path, monkeypatch):
    cache = tmp_path / "state" / "cache"
    first = service_model.load("CreateThing", cache_dir=cache)
    monkeypatch.setattr(service_model, "_read_source", lambda source: pytest.fail("read the source again"))

    assert service_model.load("CreateThing", cache_dir=cache) == first
    assert [path.name[:22] for path in cache.iterdir()] == ["sagemaker-CreateThing-"]


def test_another_botocore_is_not_answered_from_the_cache_of_the_old_one(botocore, tmp_path):
    service_model.load("CreateThing", cache_dir=tmp_path)
    source = botocore / "service-2.json.gz"
    source.write_bytes(gzip.compress(json.dumps(WHOLE).replace('"max": 3', '"max": 4').encode()))
    os.utime(source, (1, 1))

    assert service_model.load("CreateThing", cache_dir=tmp_path).limit("Name").maximum == 4


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b'{"key": []}', b"\xff\xfe"])
def test_a_spoilt_cache_is_made_again(botocore, tmp_path, content):
    model = service_model.load("CreateThing", cache_dir=tmp_path / "c")
    (cache,) = (tmp_path / "c").iterdir()
    sound = cache.read_bytes()
    cache.write_bytes(content)

    assert service_model.load("CreateThing", cache_dir=tmp_path / "c") == model
    assert cache.read_bytes() == sound


def test_a_cache_that_cannot_be_written_costs_nothing_but_time(botocore, tmp_path):
    in_the_way = tmp_path / "file"
    in_the_way.write_text("")

    assert service_model.load("CreateThing", cache_dir=in_the_way / "cache").operation == "CreateThing"


def test_a_cache_that_cannot_be_replaced_leaves_nothing_half_written(botocore, tmp_path, monkeypatch):
    def refuse(self: Path, target: Path) -> None:
        raise OSError("no")

    monkeypatch.setattr(Path, "replace", refuse)
    service_model.load("CreateThing", cache_dir=tmp_path / "c")

    assert list((tmp_path / "c").iterdir()) == []


def test_a_botocore_that_only_another_finder_knows_is_found(botocore, monkeypatch):
    spec = ModuleSpec("botocore", None, is_package=True)
    spec.submodule_search_locations = [str(botocore.parents[2])]
    monkeypatch.setattr(sys, "path", [])
    monkeypatch.setattr("importlib.util.find_spec", lambda name: spec)

    assert service_model.load("CreateThing").operation == "CreateThing"


def test_no_botocore_is_said_with_the_remedy(monkeypatch):
    monkeypatch.setattr(sys, "path", [])
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)

    with pytest.raises(MachineError) as raised:
        service_model.load("CreateTrainingJob")
    assert raised.value.what == "botocore's description of the SageMaker API is not installed"
    assert raised.value.hint == "install it again: pip install --upgrade botocore"


def test_a_botocore_without_its_data_is_said_likewise(botocore):
    (botocore / "service-2.json.gz").unlink()

    with pytest.raises(MachineError, match="is not installed"):
        service_model.load("CreateThing")


@pytest.mark.parametrize(
    "content",
    [b"not gzip", gzip.compress(b"{"), gzip.compress(b"{}"), gzip.compress(b"[]")],
    ids=["not gzip", "half an object", "no shapes", "a list"],
)
def test_a_spoilt_botocore_is_no_traceback(botocore, content):
    (botocore / "service-2.json.gz").write_bytes(content)

    with pytest.raises(MachineError) as raised:
        service_model.load("CreateThing")
    assert raised.value.what == "botocore's description of the SageMaker API cannot be read"


def test_an_operation_that_an_old_botocore_lacks(botocore):
    with pytest.raises(MachineError) as raised:
        service_model.load("CreateThings")
    assert raised.value.what == "the installed botocore does not know the SageMaker operation CreateThings"
    assert raised.value.expected == "CreateThing or DeleteThing"


def test_botocore_is_read_without_importing_it():
    program = (
        "import sys; from sm_emulate.request import model; model.load('CreateTrainingJob');"
        "print([name for name in sys.modules if name.startswith('botocore')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "[]\n"


def test_limits_are_looked_up_by_path():
    model = service_model.load("CreateTrainingJob")

    job_name = model.limit("TrainingJobName")
    assert (job_name.required, job_name.type, job_name.minimum, job_name.maximum) == (True, "string", 1, 63)
    assert model.limit("InputDataConfig.ChannelName").maximum == 64
    assert model.limit("InputDataConfig[].ChannelName").pattern == r"[A-Za-z0-9\.\-_]+"
    assert model.limit("HyperParameters").maximum == 100
    assert model.limit("HyperParameters.key").maximum == 256
    assert model.limit("HyperParameters.value").maximum == 2500
    assert model.limit("AlgorithmSpecification.ContainerEntrypoint").type == "list"
    assert model.limit("AlgorithmSpecification.ContainerEntrypoint[]").maximum == 256
    assert "ml.m5.large" in model.enum_values("ResourceConfig.InstanceType")
    assert model.enum_values("TrainingJobName") == ()
    assert model.link.endswith("/API_CreateTrainingJob.html")


@pytest.mark.parametrize(
    "path", ["Nonsense", "TrainingJobName.More", "HyperParameters.more", "InputDataConfig.X"]
)
def test_a_path_that_is_not_there_is_our_own_fault(path):
    with pytest.raises(BugError, match=r"CreateTrainingJob has no member"):
        service_model.load("CreateTrainingJob").limit(path)
