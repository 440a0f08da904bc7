"""What a transform job makes of its container's answers: assembled, joined with the input, filtered.

https://docs.aws.amazon.com/sagemaker/latest/dg/batch-transform-data-processing.html
"""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from sm_emulate.events import now
from sm_emulate.request.record_filter import NotInRecordError
from sm_emulate.request.transform import bare
from sm_emulate.spec.transform_job import INFERENCE_ID, INFERENCE_TIME, INPUT, OUTPUT
from sm_emulate.staging.payloads import csv_line, csv_row, json_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sm_emulate.request.transform import DataProcessing
    from sm_emulate.staging.payloads import Batch, Payload


class BadAnswerError(Exception):
    """An answer cannot be put beside its records; the words go into the job's log."""


@dataclass(frozen=True, kw_only=True)
class Assembly:
    """How answers become an output object.

    Args:
        lines: AssembleWith is Line.
        split: SplitType is not None: an answer has a line for each record.
        processing: filters and join.
        content_type: of records and answers alike, where they are joined.
        inference_ids: each record is given an id and a time (DataCaptureConfig.GenerateInferenceId).
        always_newline: with Line, an answer that ends with a newline gets one more.
    """

    lines: bool
    split: bool
    processing: DataProcessing
    content_type: str | None
    inference_ids: bool = False
    always_newline: bool = False

    def stretch(self, batch: Batch, answers: Sequence[bytes]) -> bytes:
        """Give what the answers to all bodies of a batch add to the output object.

        Raises:
            BadAnswerError: as `piece`.
        """
        if not self._as_it_is:
            return b"".join(self.piece(batch.payload(n), answer) for n, answer in enumerate(answers))
        if not self.lines:
            return b"".join(answers)
        if self.always_newline:
            return b"\n".join((*answers, b""))
        return b"".join([each if each.endswith(b"\n") else each + b"\n" for each in answers])

    def piece(self, payload: Payload, answer: bytes) -> bytes:
        """Give what one answer adds to the output object.

        Raises:
            BadAnswerError: it cannot be joined with its records, or lacks what the filter names.
        """
        if self._as_it_is:
            return self._ended(answer)
        processing = self.processing
        try:
            answers = answer.splitlines() if self.split else [answer]
            if processing.joins and len(answers) != len(payload.records):
                raise BadAnswerError(
                    f"{len(answers)} records came back for {len(payload.records)}: they cannot be joined"
                )
            records = payload.records if processing.joins else (None,) * len(answers)
            joined = [self._record(one, own) for one, own in zip(records, answers, strict=True)]
        except (NotInRecordError, ValueError, RecursionError, csv.Error) as error:
            raise BadAnswerError(f"the answer cannot be joined or filtered: {error}") from error
        if bare(self.content_type) == "text/csv" or self.lines:
            return b"".join(one if one.endswith(b"\n") else one + b"\n" for one in joined)
        return b"".join(joined)

    @cached_property
    def _as_it_is(self) -> bool:
        processing = self.processing
        return processing.output_filter.keeps_all and not processing.joins and not self.inference_ids

    def _ended(self, answer: bytes) -> bytes:
        if self.lines and (self.always_newline or not answer.endswith(b"\n")):
            return answer + b"\n"
        return answer

    def _record(self, record: bytes | None, answer: bytes) -> bytes:
        kept = self.processing.output_filter
        if bare(self.content_type) == "text/csv":
            row = [] if record is None else csv_row(record)
            if kept.by_position:
                selected = kept.select([*row, *csv_row(answer)])
            else:
                raise NotInRecordError(f"{kept.text}: a row of CSV has no names")
            return csv_line(
                [*(selected if isinstance(selected, list) else [selected]), *self._ids().values()]
            )
        given = json.loads(answer)
        joined = given if record is None else _joined(json.loads(record), given)
        selected = kept.select(joined)
        if self.inference_ids and isinstance(selected, dict):
            selected = selected | self._ids()
        return json_text(selected)

    def _ids(self) -> dict[str, str]:
        if not self.inference_ids:
            return {}
        return {
            INFERENCE_ID: str(uuid4()),
            INFERENCE_TIME: now().isoformat(timespec="seconds").replace("+00:00", "Z"),
        }


def _joined(record: Any, answer: Any) -> dict[str, Any]:
    if isinstance(record, dict):
        return record | {OUTPUT: answer}
    return {INPUT: record, OUTPUT: answer}
