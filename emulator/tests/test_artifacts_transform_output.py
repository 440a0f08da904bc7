"""Answers of a transform job, assembled, joined and filtered as the developer guide's examples have it."""

from __future__ import annotations

import json

import pytest

from sm_emulate.artifacts.transform_output import Assembly, BadAnswerError
from sm_emulate.request.record_filter import record_filter
from sm_emulate.request.transform import DataProcessing
from sm_emulate.staging.payloads import Payload


def piece(
    answer, records=(), *, content_type="text/csv", lines=True, split=True, kept="$", join="None", **more
):
    processing = DataProcessing(output_filter=record_filter(kept, what="OutputFilter"), join_source=join)
    assembly = Assembly(lines=lines, split=split, processing=processing, content_type=content_type, **more)
    return assembly.piece(Payload(b"", tuple(records)), answer)


def test_answers_are_put_one_after_the_other_or_on_lines():
    assert piece(b"a", lines=False) == b"a"
    assert piece(b"a") == b"a\n"
    assert piece(b"a\nb\n") == b"a\nb\n"
    assert piece(b"a\nb\n", always_newline=True) == b"a\nb\n\n"


def test_a_row_is_followed_by_its_answer():
    assert piece(b"1\n0\n", [b"1,2,3\n", b'4,"5,6",7\n'], join="Input") == b'1,2,3,1\n4,"5,6",7,0\n'
    assert piece(b"0.9", [b"7,1,2\n"], join="Input", kept="$[0,-1]") == b"7,0.9\n"


def test_a_document_is_given_its_answer_as_an_attribute():
    kind = "application/jsonlines"
    assert piece(b'{"label":1}', [b'{"key":1}\n'], join="Input", content_type=kind) == (
        b'{"key":1,"SageMakerOutput":{"label":1}}\n'
    )
    assert piece(b"3", [b"[1,2]\n"], join="Input", content_type=kind) == (
        b'{"SageMakerInput":[1,2],"SageMakerOutput":3}\n'
    )
    assert (
        piece(
            b'{"l":1}', [b'{"id":5,"x":2}'], join="Input", kept="$['id','SageMakerOutput']", content_type=kind
        )
        == b'{"id":5,"SageMakerOutput":{"l":1}}\n'
    )


def test_a_whole_document_is_joined_with_a_whole_answer():
    assert piece(
        b'{\n "label": 1\n}', [b'{\n "key": 1\n}'], join="Input", split=False, lines=False,
        content_type="application/json",
    ) == b'{"key":1,"SageMakerOutput":{"label":1}}'  # fmt: skip


def test_an_answer_alone_can_be_filtered():
    assert piece(b"0.1,0.9\n0.7,0.3\n", kept="$[1]") == b"0.9\n0.3\n"


@pytest.mark.parametrize(
    ("answer", "how"),
    [
        (b"1\n2\n3\n", {"join": "Input"}),
        (b"1,2\n", {"kept": "$[4]"}),
        (b"no json", {"kept": "$.x", "content_type": "application/json"}),
    ],
)
def test_what_cannot_be_joined_or_filtered_is_told(answer, how):
    with pytest.raises(BadAnswerError, match="cannot be joined"):
        piece(answer, [b"a\n", b"b\n"], **how)


def test_each_record_can_be_given_an_id_and_a_time():
    first, second = piece(b"1\n0\n", inference_ids=True).splitlines()
    assert first.startswith(b"1,")
    assert second.endswith(b"Z")
    assert first.split(b",")[1] != second.split(b",")[1]
    document = json.loads(piece(b'{"a":1}', content_type="application/jsonlines", inference_ids=True))
    assert sorted(document) == ["SageMakerInferenceId", "SageMakerInferenceTime", "a"]
