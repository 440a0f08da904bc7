"""What DataCaptureConfig of a transform job leaves: manifests of its inputs and outputs.

https://docs.aws.amazon.com/sagemaker/latest/dg/model-monitor-data-capture-batch.html
"""

from __future__ import annotations

import json
import posixpath
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from sm_emulate.events import now
from sm_emulate.request.location import as_stored
from sm_emulate.storage.stores import store_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sm_emulate.request.transform import TransformRequest
    from sm_emulate.storage.s3_place import S3Place


def capture(request: TransformRequest, inputs: Sequence[str], outputs: Sequence[str], *, s3: S3Place) -> None:
    """Store a manifest of the inputs and one of the outputs, under `input` and `output`, by hour."""
    config = request.data_capture_config
    assert config is not None
    place = as_stored(config.destination_s3_uri).rstrip("/")
    store = store_of(place, s3)
    hour = now().strftime("%Y/%m/%d/%H")
    with tempfile.TemporaryDirectory() as folder:
        draft = Path(folder, "manifest")
        for name, uris in (("input", inputs), ("output", outputs)):
            prefix = _common_folder(uris)
            manifest = [{"prefix": prefix}, *(uri[len(prefix) :] for uri in uris)]
            draft.write_text(json.dumps(manifest), encoding="utf-8")
            store.put(draft, f"{place}/{name}/{hour}/{uuid4()}.json")


def _common_folder(uris: Sequence[str]) -> str:
    folder = posixpath.commonpath([posixpath.dirname(uri.partition("://")[2]) for uri in uris])
    return f"{uris[0].partition('://')[0]}://{folder}/"
