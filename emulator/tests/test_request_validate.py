from __future__ import annotations

from datetime import datetime

import pytest

from sm_emulate.errors import RequestError
from sm_emulate.request.model import OperationModel, Problem, check, require

SHAPES = {
    "In": {
        "type": "structure",
        "members": {
            name: {"shape": name}
            for name in (
                [
                    "Text",
                    "Choice",
                    "Whole",
                    "Long",
                    "Real",
                    "Double",
                    "Flag",
                    "Names",
                    "Map",
                    "When",
                    "Bytes",
                    "Nested",
                    "Environment",
                    "OneOf",
                ]
            )
        },
    },
    "Text": {"type": "string", "min": 2, "max": 5, "pattern": "[a-z]*"},
    "Choice": {"type": "string", "enum": ["File", "Pipe", "FastFile"]},
    "Whole": {"type": "integer", "min": 1, "max": 10},
    "Long": {"type": "long"},
    "Real": {"type": "float", "min": 0},
    "Double": {"type": "double", "max": 1},
    "Flag": {"type": "boolean"},
    "Names": {"type": "list", "member": {"shape": "Text"}, "min": 1, "max": 2},
    "Map": {"type": "map", "key": {"shape": "Text"}, "value": {"shape": "Text"}, "max": 2},
    "Environment": {"type": "map", "key": {"shape": "Text"}, "value": {"shape": "Text"}},
    "When": {"type": "timestamp"},
    "Bytes": {"type": "blob"},
    "Nested": {"type": "structure", "required": ["Must"], "members": {"Must": {"shape": "Choice"}}},
    "OneOf": {
        "type": "structure",
        "union": True,
        "members": {"A": {"shape": "Flag"}, "B": {"shape": "Flag"}},
    },
}
MODEL = OperationModel(operation="CreateThing", input_shape="In", output_shape=None, shapes=SHAPES)
PATTERN = "Member must satisfy regular expression pattern: [a-z]*"

SOUND = {
    "Text": "abc",
    "Choice": "Pipe",
    "Whole": 10,
    "Long": 2**40,
    "Real": 0,
    "Double": 0.5,
    "Flag": False,
    "Names": ["ab", "cd"],
    "Map": {"ab": "cd"},
    "When": "2026-01-31T12:00:00Z",
    "Bytes": b"x",
    "Nested": {"Must": "File"},
    "Environment": {"ab": "cd"},
    "OneOf": {"A": True},
}


def test_a_sound_request_has_no_problem():
    assert check(SOUND, MODEL) == []
    require(SOUND, MODEL)


@pytest.mark.parametrize("when", [0, 1.5, "2026-01-31", datetime(2026, 1, 31)])  # noqa: DTZ001  # a time without a zone is taken too
def test_a_time_may_be_written_in_each_way_that_the_api_takes(when):
    assert check({"When": when}, MODEL) == []


def problem(path, what, value=None, expected=None, hint=None):
    return Problem(path=path, what=what, value=value, expected=expected, hint=hint)


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        # types
        ([], problem("", "the request must be an object, not a list", "a list of 0 items", "an object")),
        (
            {"Text": 5},
            problem(
                "Text", "Text must be a string, not a number", "5", "a string", 'write it in quotes: "5"'
            ),
        ),
        (
            {"Text": True},
            problem(
                "Text",
                "Text must be a string, not true or false",
                "true",
                "a string",
                'write it in quotes: "true"',
            ),
        ),
        (
            {"Text": None},
            problem(
                "Text",
                "Text must be a string, not null",
                None,
                "a string",
                "leave the member out to have none",
            ),
        ),
        (
            {"Whole": "3"},
            problem(
                "Whole",
                "Whole must be a whole number, not a string",
                "3",
                "a whole number",
                "write it without quotes: 3",
            ),
        ),
        (
            {"Whole": 2.0},
            problem("Whole", "Whole must be a whole number, not a decimal number", "2.0", "a whole number"),
        ),
        (
            {"Whole": True},
            problem("Whole", "Whole must be a whole number, not true or false", "true", "a whole number"),
        ),
        (
            {"Real": float("nan")},
            problem("Real", "Real must be a number, not NaN or infinity", "NaN", "a number"),
        ),
        (
            {"Flag": "True"},
            problem(
                "Flag",
                "Flag must be true or false, not a string",
                "True",
                "true or false",
                "write it without quotes: true",
            ),
        ),
        ({"Flag": 1}, problem("Flag", "Flag must be true or false, not a number", "1", "true or false")),
        (
            {"Names": "ab"},
            problem(
                "Names", "Names must be a list, not a string", "ab", "a list", "put it in brackets: [...]"
            ),
        ),
        (
            {"Map": ["ab"]},
            problem("Map", "Map must be an object, not a list", "a list of 1 item", "an object"),
        ),
        (
            {"When": "tomorrow"},
            problem(
                "When",
                "When must be a time, as 2026-01-31T12:00:00Z or seconds since 1970, not a string",
                "tomorrow",
                "a time, as 2026-01-31T12:00:00Z or seconds since 1970",
            ),
        ),
        (
            {"Bytes": 5},
            problem(
                "Bytes",
                "Bytes must be bytes, in JSON as base64 text, not a number",
                "5",
                "bytes, in JSON as base64 text",
            ),
        ),
        # members
        (
            {"Nested": {}},
            problem("Nested.Must", "Nested.Must is missing", None, "one of File, Pipe, FastFile"),
        ),
        (
            {"Nested": {"Must": "File", "must": 1}},
            problem(
                "Nested.must",
                "Nested.must is not a member that the API knows",
                None,
                "one of Must",
                "did you mean Must?",
            ),
        ),
        (
            {"Nested": {"Must": "File", "Zzzzzz": 1}},
            problem(
                "Nested.Zzzzzz",
                "Nested.Zzzzzz is not a member that the API knows",
                None,
                "one of Must",
                "a newer botocore may know it: pip install --upgrade botocore",
            ),
        ),
        (
            {"OneOf": {"A": True, "B": True}},
            problem("OneOf", "OneOf must have exactly one member", "an object with 2 members", "one of A, B"),
        ),
        # values
        (
            {"Choice": "fastfile"},
            problem(
                "Choice",
                "Choice does not have a value that the API knows",
                "fastfile",
                "one of File, Pipe, FastFile",
                "did you mean FastFile?",
            ),
        ),
        (
            {"Choice": "zzz"},
            problem(
                "Choice",
                "Choice does not have a value that the API knows",
                "zzz",
                "one of File, Pipe, FastFile",
            ),
        ),
        (
            {"Text": "a"},
            problem(
                "Text",
                "Text is too short: 1 character",
                "a",
                "Member must have length greater than or equal to 2",
            ),
        ),
        (
            {"Text": "a" * 90},
            problem(
                "Text",
                "Text is too long: 90 characters",
                "a" * 80 + "... (90 characters)",
                "Member must have length less than or equal to 5",
            ),
        ),
        (
            {"Text": "a1"},
            problem("Text", "Text does not have the form that the API requires", "a1", PATTERN),
        ),
        (
            {"Text": "ab\n"},
            problem("Text", "Text does not have the form that the API requires", '"ab\\n"', PATTERN),
        ),
        (
            {"Whole": 0},
            problem("Whole", "Whole is too small", "0", "Member must have value greater than or equal to 1"),
        ),
        (
            {"Whole": 11},
            problem("Whole", "Whole is too large", "11", "Member must have value less than or equal to 10"),
        ),
        (
            {"Long": 2**63},
            problem(
                "Long",
                "Long is too large",
                "9223372036854775808",
                "Member must have value less than or equal to 9223372036854775807",
            ),
        ),
        (
            {"Real": -0.5},
            problem("Real", "Real is too small", "-0.5", "Member must have value greater than or equal to 0"),
        ),
        (
            {"Double": 2},
            problem("Double", "Double is too large", "2", "Member must have value less than or equal to 1"),
        ),
        # lists and maps
        (
            {"Names": []},
            problem(
                "Names",
                "Names has too few items: 0",
                None,
                "Member must have length greater than or equal to 1",
            ),
        ),
        (
            {"Names": ["ab"] * 3},
            problem(
                "Names",
                "Names has too many items: 3",
                None,
                "Member must have length less than or equal to 2",
            ),
        ),
        (
            {"Names": ["ab", "1b"]},
            problem("Names[1]", "Names[1] does not have the form that the API requires", "1b", PATTERN),
        ),
        (
            {"Map": {"ab": "1b"}},
            problem("Map.ab", "Map.ab does not have the form that the API requires", "1b", PATTERN),
        ),
        (
            {"Map": {"1b": "ab"}},
            problem("Map key", "Map key does not have the form that the API requires", "1b", PATTERN),
        ),
        (
            {"Map": {"ab": "ab", "cd": "ab", "ef": "ab"}},
            problem(
                "Map", "Map has too many entries: 3", None, "Member must have length less than or equal to 2"
            ),
        ),
        # what people keep secrets in
        (
            {"Environment": {"ab": "s3cret"}},
            problem(
                "Environment.ab",
                "Environment.ab is too long: 6 characters",
                "(6 characters, not shown)",
                "Member must have length less than or equal to 5",
            ),
        ),
        (
            {"Environment": {"ab": 12345}},
            problem(
                "Environment.ab",
                "Environment.ab must be a string, not a number",
                "(5 characters, not shown)",
                "a string",
                "write it in quotes",
            ),
        ),
        (
            {"Environment": "TOKEN=s3cret"},
            problem(
                "Environment",
                "Environment must be an object, not a string",
                "(12 characters, not shown)",
                "an object",
            ),
        ),
    ],
)
def test_one_wrong_thing_is_one_exact_problem(document, expected):
    assert check(document, MODEL) == [expected]


def test_a_key_that_is_no_plain_word_is_quoted_in_the_path():
    (key, value) = check({"Map": {"a b": "1b"}}, MODEL)
    assert (key.path, value.path) == ("Map key", 'Map["a b"]')


def test_an_exempt_member_is_only_held_against_its_type():
    document = {"Names": ["1b", "1" * 6], "Text": "1b"}
    assert [one.path for one in check(document, MODEL)] == ["Names[0]", "Names[1]", "Text"]
    assert [one.path for one in check(document, MODEL, exempt=["Names[]"])] == ["Text"]
    assert [one.path for one in check({"Names": [1]}, MODEL, exempt=["Names[]"])] == ["Names[0]"]


def test_the_first_problem_is_raised_and_the_others_are_its_evidence():
    with pytest.raises(RequestError) as raised:
        require({"Whole": 0, "Flag": "x", "Choice": "File2"}, MODEL)

    assert raised.value.lines() == [
        "error: Whole is too small",
        "  value:    0",
        "  expected: Member must have value greater than or equal to 1",
        "  see:      https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_CreateThing.html",
        "  | also: Flag must be true or false, not a string (expected: true or false)",
        "  | also: Choice does not have a value that the API knows (expected: one of File, Pipe, FastFile)",
    ]


def test_a_flood_of_problems_is_cut_short():
    with pytest.raises(RequestError) as raised:
        require({"Nested": {f"{number}": 1 for number in range(30)} | {"Must": "File"}}, MODEL)
    assert len(raised.value.evidence) == 21
    assert raised.value.evidence[-1] == "and 9 more"


def test_rules_across_members_are_asked_only_about_sound_members():
    asked = []

    def rules(document):
        asked.append(document)
        return [problem("", "too much of everything")]

    with pytest.raises(RequestError, match="Whole is too small"):
        require({"Whole": 0}, MODEL, rules=rules)
    assert asked == []
    with pytest.raises(RequestError, match="too much of everything"):
        require({"Whole": 1}, MODEL, rules=rules)
    assert asked == [{"Whole": 1}]


def test_a_long_list_of_values_shows_the_nearest_first():
    values = [f"ml.m5.{size}xlarge" for size in range(20)]
    model = OperationModel(
        operation="X",
        input_shape="In",
        output_shape=None,
        shapes={
            "In": {"type": "structure", "members": {"Type": {"shape": "Type"}}},
            "Type": {"type": "string", "enum": values},
        },
    )
    (found,) = check({"Type": "ml.m5.19xlarg"}, model)

    assert found.hint == "did you mean ml.m5.19xlarge?"
    assert found.expected is not None
    assert found.expected.startswith("one of ml.m5.19xlarge, ml.m5.0xlarge, ")
    assert found.expected.endswith(", ml.m5.10xlarge ... (20 values)")
