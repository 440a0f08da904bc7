"""`[tool.sm-emulate]` and sm-emulate.toml: found, read, and every slip told with a suggestion."""

import json
from pathlib import Path

import jsonschema
import pytest

from sm_contracts.configuration import KEYS, configuration_schema, find, read
from sm_emulate.cli.validate import validate
from sm_emulate.errors import RequestError

try:
    import tomllib
except ModuleNotFoundError:  # Python 3.10
    import tomli as tomllib

PUBLISHED = Path(__file__).parents[3] / "docs" / "sm-emulate.schema.json"

EVERYTHING = """
role = ["train", "serve"]
channel = { train = "data,mode=FastFile", test = "s3://bucket/test" }
input = { data = "in,to=/opt/ml/processing/data" }
processing-output = "result,from=/opt/ml/processing/result"
hyperparameter = { epochs = 3, rate = "0.1", shuffle = true }
environment = ["A=1", "B=x=y"]
metric = { loss = "loss: ([0-9.]+)" }
model = "model"
data = "@payload.csv"
content-type = "text/csv"
accept = "application/json"
instance-type = "ml.c5.xlarge"
gpus = "none"
enable-network-isolation = true
select = "SM3"
ignore = { SM112 = "our base is large on purpose" }
fail-on = "warning"
startup-timeout = 60
stop-grace = 5.5
output = "github"
report = { html = "report.html", junit = "/tmp/report.xml" }
"""


def written(folder, text, name="sm-emulate.toml"):
    file = folder / name
    file.write_text(text)
    return file


def test_every_key_is_read_and_paths_start_from_the_file(tmp_path):
    values = read(written(tmp_path, EVERYTHING)).values
    assert set(values) == set(KEYS)
    assert values == {
        "role": ("train", "serve"),
        "channel": (f"train={tmp_path}/data,mode=FastFile", "test=s3://bucket/test"),
        "input": (f"data={tmp_path}/in,to=/opt/ml/processing/data",),
        "processing-output": ("result,from=/opt/ml/processing/result",),
        "hyperparameter": ("epochs=3", "rate=0.1", "shuffle=true"),
        "environment": ("A=1", "B=x=y"),
        "metric": ("loss=loss: ([0-9.]+)",),
        "model": f"{tmp_path}/model",
        "data": f"@{tmp_path}/payload.csv",
        "content-type": "text/csv",
        "accept": "application/json",
        "instance-type": "ml.c5.xlarge",
        "gpus": "none",
        "enable-network-isolation": True,
        "select": ("SM3",),
        "ignore": {"SM112": "our base is large on purpose"},
        "fail-on": "warning",
        "startup-timeout": 60.0,
        "stop-grace": 5.5,
        "output": "github",
        "report": (f"html={tmp_path}/report.html", "junit=/tmp/report.xml"),
    }


def test_keys_are_named_like_the_flags():
    flags = {
        option.opts[0].removeprefix("--") for option in validate.params if option.opts[0].startswith("--")
    }
    assert flags - set(KEYS) <= {"config", "engine", "debug"}
    assert set(KEYS) <= flags


def test_the_published_schema_is_right_about_it(tmp_path):
    schema = json.loads(PUBLISHED.read_text())
    assert schema == configuration_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(tomllib.loads(EVERYTHING), schema)


WRONG = [
    ('selct = "SM3"', "did you mean select?"),
    ('fail_on = "error"', "did you mean fail-on?"),
    ('role = "training"', "one of train, serve"),
    ('ignore = ["SM112"]', "a table that says why"),
    ('ignore = { SM112 = " " }', "a reason"),
    ("ignore = { SM112 = true }", "a reason"),
    ('fail-on = "fatal"', "one of error, warning, info"),
    ('startup-timeout = "1m"', "a number of seconds"),
    ("stop-grace = -1", "a number of seconds"),
    ("enable-network-isolation = 1", "true or false"),
    ('environment = ["A"]', "NAME=VALUE"),
    ("environment = { A = [1] }", "a table of strings"),
    ("model = 3", "a string"),
    ("gpus = true", "a string"),
    ('report = { pdf = "x" }', "formats among"),
    ("report = { html = 1 }", "a table of files"),
    ("select = [1]", "a list of strings"),
]


@pytest.mark.parametrize(("text", "said"), WRONG)
def test_a_slip_is_told_with_what_was_expected_and_the_schema_refuses_it_too(tmp_path, text, said):
    with pytest.raises(RequestError) as caught:
        read(written(tmp_path, text))
    assert said in "\n".join(caught.value.lines())
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(tomllib.loads(text), configuration_schema())


def test_what_is_no_toml_is_told(tmp_path):
    with pytest.raises(RequestError, match="no TOML"):
        read(written(tmp_path, "role = "))
    with pytest.raises(RequestError, match="cannot be read"):
        read(tmp_path / "missing.toml")


def test_it_is_found_upwards(tmp_path):
    deep = tmp_path / "a" / "b"
    deep.mkdir(parents=True)
    assert find(deep) is None
    file = written(tmp_path, 'role = "serve"')
    assert find(deep) == file
    nearer = written(tmp_path / "a", '[tool.sm-emulate]\nrole = "train"', "pyproject.toml")
    assert find(deep) == nearer
    assert read(nearer).values == {"role": ("train",)}


def test_a_pyproject_without_our_table_is_passed_by(tmp_path):
    inner = tmp_path / "inner"
    inner.mkdir()
    written(inner, "[tool.other]\nx = 1", "pyproject.toml")
    outer = written(tmp_path, "[tool.sm-emulate]\n", "pyproject.toml")
    assert find(inner) == outer
    assert read(outer).values == {}


def test_our_own_file_goes_before_pyproject_in_the_same_folder(tmp_path):
    written(tmp_path, "[tool.sm-emulate]\n", "pyproject.toml")
    own = written(tmp_path, "")
    assert find(tmp_path) == own


def test_a_number_of_gpus_may_be_a_number(tmp_path):
    assert read(written(tmp_path, "gpus = 2")).values == {"gpus": "2"}


def test_without_a_file_there_is_nothing():
    assert read(None).values == {}
