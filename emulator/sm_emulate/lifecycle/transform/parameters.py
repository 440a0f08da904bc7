"""How a transform job sends: what its request says, else what its container wants, else the defaults.

https://docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-batch-code.html
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sm_emulate.spec import transform_job as spec

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from sm_emulate.gateway.caller import CallAnswer
    from sm_emulate.request.transform import TransformRequest


@dataclass(frozen=True, kw_only=True)
class Parameters:
    """The three that are in force."""

    max_concurrent_transforms: int
    max_payload_in_mb: int
    """0 sends bodies of any size, in chunks."""
    batch_strategy: str
    """`MULTI_RECORD` or `SINGLE_RECORD`."""
    answer: CallAnswer | None = field(default=None, repr=False, compare=False)
    """The first container's own to GET /execution-parameters; None if there was none."""

    @property
    def line(self) -> str:
        """The line in the job's data log."""
        return (
            f"MaxConcurrentTransforms={self.max_concurrent_transforms}, MaxPayloadInMB={self.max_payload_in_mb}, "
            f"BatchStrategy={self.batch_strategy}"
        )


def parameters_of(
    request: TransformRequest,
    answers: Mapping[str | None, CallAnswer | None],
    *,
    warn: Callable[[str], None],
) -> Parameters:
    """Decide them.

    Args:
        request: comes first.
        answers: what each container that counts says to GET /execution-parameters, by its name in a pipeline; None if
            it said nothing. The strictest of their wishes is heeded.
        warn: given what is wrong with an answer; a 404 is nothing wrong.
    """
    wanted = _strictest([_wanted(answer, name, warn) for name, answer in answers.items()])
    strategy = request.batch_strategy
    payload = request.max_payload_in_mb
    decided = Parameters(
        max_concurrent_transforms=request.max_concurrent_transforms
        or wanted.get("MaxConcurrentTransforms")
        or spec.DEFAULT_MAX_CONCURRENT,
        max_payload_in_mb=payload
        if payload is not None
        else wanted.get("MaxPayloadInMB", spec.DEFAULT_MAX_PAYLOAD_MB),
        batch_strategy=spec.SPELLED[strategy]
        if strategy is not None
        else wanted.get("BatchStrategy", spec.SPELLED["MultiRecord"]),
        answer=next(iter(answers.values())),
    )
    together = decided.max_concurrent_transforms * decided.max_payload_in_mb
    if together > spec.MAX_PAYLOAD_MB:
        warn(
            f"GET {spec.EXECUTION_PARAMETERS}: with what the container wants, MaxConcurrentTransforms times "
            f"MaxPayloadInMB is {together}; CreateTransformJob takes at most {spec.MAX_PAYLOAD_MB}"
        )
    return decided


def _strictest(wishes: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Give the smallest of each value; 0 is no limit, and SINGLE_RECORD suits a container that takes more, too."""
    found: dict[str, Any] = {}
    for name in ("MaxConcurrentTransforms", "MaxPayloadInMB"):
        given = [wish[name] for wish in wishes if name in wish]
        if given:
            found[name] = min((value for value in given if value), default=0)
    strategies = {wish["BatchStrategy"] for wish in wishes if "BatchStrategy" in wish}
    if strategies:
        single = spec.SPELLED["SingleRecord"]
        found["BatchStrategy"] = single if single in strategies else strategies.pop()
    return found


def _wanted(answer: CallAnswer | None, container: str | None, warn: Callable[[str], None]) -> dict[str, Any]:
    where = f"GET {spec.EXECUTION_PARAMETERS}{spec.of(container)}"
    if answer is None or answer.status == 404:
        return {}
    if answer.status != 200:
        warn(f"{where} was answered with status {answer.status}: the defaults are used")
        return {}
    try:
        given = json.loads(answer.body)
    except ValueError:
        given = None
    if not isinstance(given, dict):
        warn(f"{where} gave no JSON object: the defaults are used")
        return {}
    sound: dict[str, Any] = {}
    for name in ("MaxConcurrentTransforms", "MaxPayloadInMB"):
        value = given.get(name)
        if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
            sound[name] = value
        elif name in given:
            warn(f"{where} gave {name} as {value!r}: the default is used")
    strategy = given.get("BatchStrategy")
    if strategy in spec.SPELLED.values():
        sound["BatchStrategy"] = strategy
    elif "BatchStrategy" in given:
        warn(
            f"{where} gave BatchStrategy as {strategy!r}, not SINGLE_RECORD or MULTI_RECORD: the default is used"
        )
    return sound
