"""The labels by which an image says what it can do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sm_contracts.rule import Fail, Inconclusive, Outcome, Pass

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sm_contracts.evidence.image import Configuration


def label_is_true(configuration: Configuration, label: str) -> Iterator[Outcome]:
    """Judge whether an image has a label with the value `true`."""
    value = configuration.labels.get(label)
    if value == "true":
        yield Pass({"label": value})
    elif value is not None and value.lower() == "true":
        yield Inconclusive(
            f"the label {label} says {value!r}; whether SageMaker takes that for true is not documented",
            "write true in lower case",
        )
    else:
        said = "is missing" if value is None else f"says {value!r}"
        yield Fail(f"the label {label} {said}", {"label": value})
