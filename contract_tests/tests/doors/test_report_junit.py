"""JUnit's XML: the shape that Jenkins and GitLab read."""

from dataclasses import replace
from xml.etree import ElementTree as ET

from sm_contracts.reports import render

# what the common schema (Jenkins' xUnit plugin, junit-10.xsd) allows, as far as it is used here
SHAPE = {
    "testsuites": ({"name", "time", "tests", "failures", "errors"}, {"testsuite"}),
    "testsuite": (
        {"name", "tests", "failures", "errors", "time", "skipped", "timestamp", "hostname", "id", "package"},
        {"properties", "testcase", "system-out", "system-err"},
    ),
    "properties": (set(), {"property"}),
    "property": ({"name", "value"}, set()),
    "testcase": ({"name", "classname", "time"}, {"skipped", "error", "failure", "system-out", "system-err"}),
    "skipped": ({"message", "type"}, set()),
    "failure": ({"message", "type"}, set()),
    "error": ({"message", "type"}, set()),
    "system-out": (set(), set()),
}


def parse(verdict):
    return ET.fromstring(render(verdict, "junit").encode())


def test_it_has_the_common_shape(verdict):
    root = parse(verdict)
    assert root.tag == "testsuites"
    for element in root.iter():
        attributes, children = SHAPE[element.tag]
        assert set(element.attrib) <= attributes
        assert {child.tag for child in element} <= children


def test_one_test_case_for_each_rule(verdict):
    cases = {case.get("name"): case for case in parse(verdict).iter("testcase")}
    assert list(cases) == [f"{rule.id} {rule.name}" for rule in verdict.rules]
    outcome = {name.split()[0]: [child.tag for child in case] for name, case in cases.items()}
    assert outcome == {
        "SM101": ["skipped"],
        "SM103": [],
        "SM112": ["skipped"],
        "SM202": ["skipped"],
        "SM304": ["failure", "system-out"],
        "SM311": ["skipped"],
        "SM330": ["system-out"],  # a warning, and --fail-on is error: CI and our exit code agree
    }
    assert cases["SM311 invocation-failed"][0].get("message").startswith("inconclusive: no sample payload")
    assert "slowest_seconds: 3.2" in cases["SM304 ping-slow"][0].text


def test_the_counts_are_right(verdict):
    suite = parse(verdict).find("testsuite")
    assert {name: suite.get(name) for name in ("tests", "failures", "errors", "skipped")} == {
        "tests": "7", "failures": "1", "errors": "0", "skipped": "4",
    }  # fmt: skip


def test_a_check_that_broke_is_an_error_not_a_failure(verdict):
    broken = replace(verdict, rules=(replace(verdict.rules[4], id="SM002", name="probe-crashed"),))
    suite = parse(broken).find("testsuite")
    assert (suite.get("failures"), suite.get("errors")) == ("0", "1")
    assert suite.find("testcase/error") is not None
