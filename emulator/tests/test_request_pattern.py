from __future__ import annotations

import pytest

from sm_emulate.request import service_model
from sm_emulate.request.pattern import is_checked, matches

TAG = r"([\p{L}\p{Z}\p{N}_.:/=+\-@]*)"


@pytest.mark.parametrize(
    ("pattern", "value", "expected"),
    [
        (r"[a-z]+", "abc", True),
        (r"[a-z]+", "abc1", False),
        (r"[a-z]+", "abc\n", False),
        (r"^[a-z]+$", "abc", True),
        (r"^[a-z]+$", "abc\n", False),
        (r".*", "", True),
        (r".*", "one line, any characters \t é", True),
        (r".*", "two\nlines", False),
        (r".*", "two\u2028lines", False),
        (r"[\S\s]*", "two\nlines", True),
        (r"[.]", ".", True),
        (r"[.]", "x", False),
        (r"\d{2}", "12", True),
        (r"\d{2}", "\u0661\u0662", False),  # Arabic digits: \d is ASCII in Java
        (TAG, "", True),
        (TAG, "team: vision @ 1/2", True),
        (TAG, "Zürich 東京 ٣", True),
        (TAG, "50 %", False),
        (TAG, "x\u20ac", False),  # a currency sign is \p{S}
        (r"\p{L}+", "é", True),
        (r"\p{Lu}", "É", True),
        (r"\p{Lu}", "é", False),
        (r"\P{L}+", "12€", True),
        (r"\P{L}+", "1é", False),
        (r"[^\p{L}]+", "1é", False),
        (r"[\p{M}]*", "", True),
        (r"[\p{M}]", "a", False),
        (r"[^\p{M}]", "a", True),
        (r"arn:[\p{Alnum}\-]+", "arn:aws-cn", True),
        (r"arn:[\p{Alnum}\-]+", "arn:é", False),
        (r"(?!\s*$).+", "  ", False),
        (r"[a-z]{1,3}(?<!b)", "ab", False),
        (r"(?<year>\d+)-\k", "anything: not translated", True),
        (r"[a&~|]", "~", True),
        (r"[\uD800\uDC00-\uDBFF\uDFFF]", "\U0001f600", True),
        (r"[\uD800\uDC00-\uDBFF\uDFFF]", "a", False),
    ],
)
def test_a_pattern_means_what_it_means_in_java(pattern, value, expected):
    assert matches(pattern, value) is expected


@pytest.mark.parametrize(
    "pattern", [r"\p{IsGreek}", r"[a-z&&[^b]]", r"[a[bc]]", r"\Qa.b\E", r"a\Z", "(", "[a", r"x${1,2}", "a\\"]
)
def test_what_has_no_faithful_translation_is_not_checked(pattern):
    assert not is_checked(pattern)
    assert matches(pattern, "anything")


def patterns_not_checked(operation: str) -> list[str]:
    shapes = service_model.load(operation).shapes
    return sorted(
        name for name, shape in shapes.items() if "pattern" in shape and not is_checked(shape["pattern"])
    )


@pytest.mark.parametrize(
    "operation", ["CreateTrainingJob", "CreateModel", "CreateEndpointConfig", "CreateEndpoint"]
)
def test_every_pattern_of_what_is_emulated_is_checked(operation):
    assert patterns_not_checked(operation) == []


def test_the_patterns_of_the_api_that_are_not_checked_are_known():
    # `${1,128}` counts an end of line, which is an error in any dialect
    assert patterns_not_checked("CreateModelPackage") == ["CustomerMetadataKey", "CustomerMetadataValue"]
