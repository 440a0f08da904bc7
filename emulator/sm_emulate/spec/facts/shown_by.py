"""Which tests show which fact: one place to fill in."""

from __future__ import annotations

COMPLETE = False
"""Whether every emulated fact has to name a test; a test of this package holds us to it once it is True."""

SHOWN_BY: dict[str, tuple[str, ...]] = {}
"""Fact id to pytest node ids, such as `emulator/tests/test_train.py::test_train_replaces_cmd`."""
