"""Data capture: the schema to the letter, names by variant and hour, and what happens when the disk does not follow."""

from __future__ import annotations

import base64
import json
import re
import threading

import pytest

from sm_emulate.events import Warned
from sm_emulate.gateway.captured import Captured
from sm_emulate.lifecycle.hosting import data_capture
from sm_emulate.lifecycle.hosting.data_capture import DataCapturing, record
from sm_emulate.request.data_capture import DataCapture, from_config
from sm_emulate.storage.s3_place import S3Place

AT = 1767323045.5  # 2026-01-02T03:04:05.5Z


def captured(request=b"1,2", answer=b'{"a":1}', **changes):
    return Captured(
        **{
            "at": AT,
            "variant_name": "AllTraffic",
            "inference_id": None,
            "request_type": "text/csv",
            "request": request,
            "answer_type": "application/json; charset=utf-8",
            "answer": answer,
            **changes,
        }
    )


def config(tmp_path=None, **changes):
    return DataCapture(
        **{
            "destination": f"file://{tmp_path}/captured",
            "sampling_percentage": 100,
            "takes_input": True,
            "takes_output": True,
            "csv_content_types": frozenset({"text/csv"}),
            "json_content_types": frozenset({"application/json"}),
            **changes,
        }
    )


@pytest.fixture
def capturing(tmp_path, heard):
    def make(**changes):
        return DataCapturing(
            config(tmp_path, **changes),
            endpoint_name="demo",
            s3=S3Place(),
            drafts=tmp_path / "drafts",
            publish=heard,
        )

    return make


def test_the_schema():
    found = record(captured(inference_id="id-1"), config())
    assert re.fullmatch(r"[0-9a-f-]{36}", found["eventMetadata"].pop("eventId"))
    assert found == {
        "captureData": {
            "endpointInput": {
                "observedContentType": "text/csv",
                "mode": "INPUT",
                "data": "1,2",
                "encoding": "CSV",
            },
            "endpointOutput": {
                "observedContentType": "application/json; charset=utf-8",
                "mode": "OUTPUT",
                "data": '{"a":1}',
                "encoding": "JSON",
            },
        },
        "eventMetadata": {"inferenceId": "id-1", "inferenceTime": "2026-01-02T03:04:05Z"},
        "eventVersion": "0",
    }


def test_what_is_named_in_no_list_is_base64_and_so_is_what_no_json_can_hold():
    found = record(captured(b"\xff,1", b"x", answer_type="image/png"), config())["captureData"]
    assert found["endpointInput"]["data"] == base64.b64encode(b"\xff,1").decode()
    assert found["endpointOutput"]["data"] == base64.b64encode(b"x").decode()
    assert {side["encoding"] for side in found.values()} == {"BASE64"}


@pytest.mark.parametrize(
    ("modes", "sides"),
    [
        (["Input"], {"endpointInput"}),
        (["Output"], {"endpointOutput"}),
        (["InputAndOutput"], {"endpointInput", "endpointOutput"}),
        (["Input", "Output"], {"endpointInput", "endpointOutput"}),
    ],
)
def test_the_capture_mode_decides_on_the_sides(modes, sides):
    made = from_config(
        {
            "DataCaptureConfig": {
                "InitialSamplingPercentage": 20,
                "DestinationS3Uri": "s3://bucket/x",
                "CaptureOptions": [{"CaptureMode": mode} for mode in modes],
            }
        }
    )
    assert made.sampling_percentage == 20
    assert set(record(captured(), made)["captureData"]) == sides


def test_capture_that_is_not_enabled_is_none():
    assert from_config({"DataCaptureConfig": {"EnableCapture": False}}) is None


def test_lines_go_to_files_by_variant_and_hour(capturing, tmp_path):
    writing = capturing()
    writing.start()
    for number in range(3):
        writing.take(captured(b"%d" % number))
    writing.take(captured(variant_name="Other"))
    writing.take(captured(at=AT + 3600))
    writing.close()
    folder = tmp_path / "captured" / "demo"
    files = sorted(folder.rglob("*.jsonl"))
    assert [str(file.parent.relative_to(folder)) for file in files] == [
        "AllTraffic/2026/01/02/03",
        "AllTraffic/2026/01/02/04",
        "Other/2026/01/02/03",
    ]
    assert re.fullmatch(r"04-05-500-[0-9a-f-]{36}\.jsonl", files[0].name)
    lines = [json.loads(line) for line in files[0].read_text().splitlines()]
    assert [line["captureData"]["endpointInput"]["data"] for line in lines] == ["0", "1", "2"]
    assert not (tmp_path / "drafts").exists()


def test_what_cannot_be_stored_is_told_once_and_loses_no_answer(capturing, tmp_path, heard):
    (tmp_path / "captured").write_text("in the way")
    writing = capturing()
    writing.start()
    writing.take(captured())
    writing.take(captured(variant_name="Other"))
    writing.close()
    first, last = (event.message for event in heard.of(Warned))
    assert first.startswith("captured data cannot be stored: ")
    assert last == "data capture left 2 invocations out"


def test_a_disk_that_is_too_slow_holds_up_nobody(capturing, tmp_path, heard, monkeypatch):
    monkeypatch.setattr(data_capture, "MOST_WAITING", 5)
    writing = capturing()
    for _ in range(8):
        writing.take(captured())  # nobody writes yet
    writing.start()
    writing.close()
    (file,) = (tmp_path / "captured").rglob("*.jsonl")
    assert len(file.read_text().splitlines()) == 5
    assert [event.message for event in heard.of(Warned)] == [
        "data capture cannot follow: invocations are left out of it",
        "data capture left 3 invocations out",
    ]


def test_a_file_is_stored_without_waiting_for_the_end(tmp_path, heard):
    writing = DataCapturing(
        config(tmp_path),
        endpoint_name="demo",
        s3=S3Place(),
        drafts=tmp_path / "drafts",
        publish=heard,
        file_seconds=0.05,
    )
    writing.start()
    writing.take(captured())
    for _ in range(18_000):
        if list((tmp_path / "captured").rglob("*.jsonl")):
            break
        threading.Event().wait(0.01)
    stored = list((tmp_path / "captured").rglob("*.jsonl"))
    writing.close()
    assert len(stored) == 1


def test_what_comes_after_the_end_is_told(capturing, tmp_path, heard):
    writing = capturing()
    writing.start()
    writing.take(captured())
    writing.close()
    writing.take(captured())
    (file,) = (tmp_path / "captured").rglob("*.jsonl")
    assert len(file.read_text().splitlines()) == 1
    assert [event.message for event in heard.of(Warned)] == [
        "an answer came after its data capture had ended: it is left out"
    ]
