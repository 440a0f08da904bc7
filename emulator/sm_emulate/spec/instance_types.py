"""How large the machines behind instance types are.

The numbers are EC2's own (DescribeInstanceTypes), by way of moto, and stand in instance_types.json; nothing is typed
by hand and nothing is fetched when a job runs. `python -m sm_emulate.spec.instance_update` writes the file anew.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

CATALOGUE = Path(__file__).with_name("instance_types.json")


@dataclass(frozen=True, kw_only=True)
class InstanceSize:
    """What one instance has."""

    vcpus: int
    memory_mib: int
    gpus: int = 0
    """Of NVIDIA: other accelerators are not given to containers here."""
    gpu: str = ""
    """The name of the GPU, as `A100`."""
    gpu_memory_mib: int = 0
    """Of one GPU."""
    local_gb: int = 0
    """NVMe disks of the instance. Where there are some, SageMaker passes over VolumeSizeInGB."""

    @property
    def memory_bytes(self) -> int:
        """The memory in bytes."""
        return self.memory_mib << 20


def instance_size(instance_type: str) -> InstanceSize | None:
    """Give the size of a type such as `ml.m5.large`; None where no source tells it."""
    row = catalogue()["types"].get(instance_type)
    return None if row is None else InstanceSize(**{key: row[key] for key in row if key != "from"})


@cache
def catalogue() -> dict[str, Any]:
    """Read the file: `types` by name, `sources`, and the types of the API whose size is `unknown`."""
    read: dict[str, Any] = json.loads(CATALOGUE.read_text(encoding="utf-8"))
    return read
