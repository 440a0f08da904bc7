"""`--gpus`: which GPUs a container is given."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sm_emulate.engine.protocol import GpuRequest
from sm_emulate.errors import RequestError

if TYPE_CHECKING:
    from sm_emulate.engine.protocol import Engine

_GPU_FAMILY = re.compile(r"ml\.(p|g)\d")
FORMS = "auto, none, all, a number, or device=ID[,ID...]"


def gpu_request(text: str, *, instance_type: str, engine: Engine) -> GpuRequest | None:
    """Read the flag; None gives no GPU.

    `auto` gives all GPUs where the instance type has some and the engine, too; the engine is asked for no other
    instance type.

    Raises:
        RequestError: none of the forms.
    """
    if text == "auto":
        if not _GPU_FAMILY.match(instance_type):
            return None
        info = engine.info()
        return GpuRequest() if "nvidia" in info.runtimes or info.cdi_devices else None
    if text in {"none", "0"}:
        return None
    if text == "all":
        return GpuRequest()
    if text.isdecimal():
        return GpuRequest(count=int(text))
    if text.startswith("device=") and all(devices := text.removeprefix("device=").split(",")):
        return GpuRequest(devices=tuple(devices))
    raise RequestError("--gpus does not take this value", value=text, expected=FORMS)
