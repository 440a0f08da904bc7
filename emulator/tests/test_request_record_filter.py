"""InputFilter and OutputFilter: the platform's subset of JSONPath."""

from __future__ import annotations

import pytest

from sm_emulate.errors import RequestError
from sm_emulate.request.record_filter import NotInRecordError, record_filter

ROW = ["id", "a", "b", "c", "0.9"]
DOCUMENT = {"id": 7, "features": {"x": 1, "y": [2, 3]}, "SageMakerOutput": {"label": "cat"}}


@pytest.mark.parametrize(
    ("path", "kept"),
    [
        ("$", ROW),
        ("", ROW),
        ("$[0]", "id"),
        ("$[-1]", "0.9"),
        ("$[1:]", ["a", "b", "c", "0.9"]),
        ("$[:2]", ["id", "a"]),
        ("$[1:3]", ["a", "b"]),
        ("$[0,-1]", ["id", "0.9"]),
        ("$[0,3:]", ["id", "c", "0.9"]),
        ("$[*]", ROW),
    ],
)
def test_a_row_is_an_array(path, kept):
    filtered = record_filter(path, what="InputFilter")
    assert filtered.select(ROW) == kept
    assert filtered.by_position


@pytest.mark.parametrize(
    ("path", "kept"),
    [
        ("$.id", 7),
        ("$.features.x", 1),
        ("$['features']['y'][0]", 2),
        ("$.features.y[*]", [2, 3]),
        ("$.features.*", [1, [2, 3]]),
        ("$['id','SageMakerOutput']", {"id": 7, "SageMakerOutput": {"label": "cat"}}),
        ('$["id", "missing"]', {"id": 7}),
        ("$.features.['x','y']", {"x": 1, "y": [2, 3]}),
    ],
)
def test_a_document_is_walked_by_names(path, kept):
    assert record_filter(path, what="OutputFilter").select(DOCUMENT) == kept


@pytest.mark.parametrize("path", ["$[5]", "$[0,9]", "$[-6]"])
def test_a_position_outside_a_row_is_an_error(path):
    with pytest.raises(NotInRecordError, match="the record has 5 elements"):
        record_filter(path, what="OutputFilter").select(ROW)


def test_a_name_that_is_missing_is_an_error():
    with pytest.raises(NotInRecordError, match="no 'missing'"):
        record_filter("$.missing", what="InputFilter").select(DOCUMENT)
    with pytest.raises(NotInRecordError, match="no array"):
        record_filter("$.id[0]", what="InputFilter").select(DOCUMENT)


@pytest.mark.parametrize(
    "path", ["features", "$features", "$..id", "$[?(@.x>1)]", "$.a[", "$['a','b.c'", "$[1:2:3]", "$[a]"]
)
def test_what_sagemaker_does_not_support_is_refused(path):
    with pytest.raises(RequestError) as refused:
        record_filter(path, what="InputFilter")
    assert refused.value.value == path
    assert "$[1:]" in (refused.value.expected or "")
