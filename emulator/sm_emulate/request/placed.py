"""A place that an endpoint writes to, as the stores of objects know it."""

from __future__ import annotations

from pathlib import Path

from sm_emulate.request import location


def placed(uri: str, *, base_dir: Path | None = None) -> str:
    """Give `s3://...` as it is, and what is local as an absolute `file:///...` where nothing is percent-encoded."""
    path = location.local_path(uri, base_dir=base_dir)
    if path is None:
        return uri
    import os.path

    return f"file://{Path(os.path.abspath(path))}"  # noqa: PTH100  # Path.resolve would follow links
