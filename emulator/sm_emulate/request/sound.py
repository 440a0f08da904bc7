"""From a document of one API call to the frozen request that it holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from sm_emulate.request import location
from sm_emulate.request.document import build
from sm_emulate.request.validate import require

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from pathlib import Path

    from sm_emulate.request.service_model import OperationModel
    from sm_emulate.request.validate import Problem

RequestT = TypeVar("RequestT")


def sound_request(
    kind: type[RequestT],
    document: Mapping[str, Any],
    *,
    model: OperationModel,
    locations: Collection[str],
    problems: Callable[[Any], list[Problem]],
    base_dir: Path | None,
) -> RequestT:
    """Check a document, and give the request that it holds.

    Args:
        kind: what to give.
        document: the JSON of the API.
        model: of the call.
        locations: members that take a path or `file://` where the API has `s3://`.
        problems: lists what is wrong across the members of a document that the model finds sound.
        base_dir: the folder that relative paths start from; the current one if None.

    Raises:
        RequestError: for the first thing that is wrong, with the others as evidence.
    """
    require(
        document,
        model,
        exempt=locations,
        rules=lambda sound: [*location.problems(sound, locations, model), *problems(sound)],
    )
    return build(kind, location.absolute(document, locations, base_dir=base_dir))
