"""Payloads that are made from the sample."""

from __future__ import annotations

import json

import pytest

from sm_contracts.probes.serving_payloads import distinct, malformed, padded
from sm_contracts.subject import SamplePayload

CSV = SamplePayload(body=b"5,3.6\n5.8,4\n4.8,3.4\n", content_type="text/csv")
JSON = SamplePayload(
    body=b'{"instances": [[1, 2], [3, 4]], "normalize": true}', content_type="application/json"
)
BINARY = SamplePayload(body=bytes(range(128, 256)), content_type="application/x-npy")


@pytest.mark.parametrize("sample", [CSV, JSON, BINARY])
def test_malformed_payloads_are_not_the_sample(sample):
    made = malformed(sample)
    assert len({each.what for each in made}) == 5
    assert all((each.body, each.content_type) != (sample.body, sample.content_type) for each in made)
    assert b"" in [each.body for each in made]


def test_malformed_json_is_well_formed_where_it_is_another_value():
    other = next(each for each in malformed(JSON) if each.what == "another kind of value")
    assert json.loads(other.body) != json.loads(JSON.body)


def test_rows_of_a_table_are_payloads_of_their_own():
    made = distinct(CSV)
    assert made[0] == CSV.body
    assert {b"5,3.6\n", b"5.8,4\n", b"4.8,3.4\n"} < set(made)
    assert len(made) == len(set(made))


def test_numbers_and_records_of_json_vary_and_flags_do_not():
    made = [json.loads(body) for body in distinct(JSON)]
    assert {"instances": [[2, 3], [4, 5]], "normalize": True} in made
    assert {"instances": [[3, 4]], "normalize": True} in made
    assert all(each["normalize"] is True for each in made)


def test_one_line_of_text_varies_by_its_numbers():
    made = distinct(SamplePayload(body=b"1,2.5", content_type="text/csv"))
    assert b"2,3.5" in made


def test_what_is_no_text_has_no_variants():
    assert distinct(BINARY) == [BINARY.body]


def test_a_padded_body_has_its_size_and_begins_as_it_was():
    made = padded(JSON.body, 4096)
    assert len(made) == 4096
    assert json.loads(made) == json.loads(JSON.body)
