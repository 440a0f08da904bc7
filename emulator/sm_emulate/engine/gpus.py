"""`--gpus`: which GPUs a container is given."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from sm_emulate.engine.protocol import GpuRequest
from sm_emulate.errors import RequestError

if TYPE_CHECKING:
    from sm_emulate.engine.protocol import Engine, EngineInfo

_GPU_FAMILY = re.compile(r"ml\.(p|g)\d")
_DRIVER = Path("/proc/driver/nvidia/gpus")
FORMS = "auto, none, all, a number, or device=ID[,ID...]"


def gpu_request(text: str, *, instance_type: str, engine: Engine) -> GpuRequest | None:
    """Read the flag; None gives no GPU.

    `auto` gives as many GPUs as the instance type has, as far as the engine has them; the engine is asked for no
    instance type without GPUs.

    Raises:
        RequestError: none of the forms.
    """
    if text == "auto":
        if not _GPU_FAMILY.match(instance_type):
            return None
        info = engine.info()
        if "nvidia" not in info.runtimes and not info.cdi_devices:
            return None
        from sm_emulate.spec.instance_types import instance_size

        size = instance_size(instance_type)
        # a number that the engine does not have would be refused; all that it has are never too many
        here = gpu_count(info) or 1
        return GpuRequest(count=size.gpus if size is not None and 0 < size.gpus <= here else None)
    if text in {"none", "0"}:
        return None
    if text == "all":
        return GpuRequest()
    if text.isdecimal():
        return GpuRequest(count=int(text))
    if text.startswith("device=") and all(devices := text.removeprefix("device=").split(",")):
        return GpuRequest(devices=tuple(devices))
    raise RequestError("--gpus does not take this value", value=text, expected=FORMS)


def gpu_count(info: EngineInfo) -> int | None:
    """Count the GPUs of the engine's machine; None where that cannot be seen."""
    named = {name for name in info.cdi_devices if re.fullmatch(r"nvidia\.com/gpu=\d+", name)}
    if named:
        return len(named)
    if info.endpoint.startswith("unix:") and _DRIVER.is_dir():
        return sum(1 for _ in _DRIVER.iterdir())
    return None
