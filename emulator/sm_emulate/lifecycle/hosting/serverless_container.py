"""What a container finds in a serverless execution environment that it does not find on an instance."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from sm_emulate.spec.serverless import DISK_BYTES, MEMORY_OF_ONE_VCPU_MB

if TYPE_CHECKING:
    from sm_emulate.engine.protocol import ContainerSpec, Engine
    from sm_emulate.request.serverless import Serverless
    from sm_emulate.spec.settings import Settings

_MIB = 1 << 20


def serverless_spec(
    spec: ContainerSpec, serverless: Serverless, *, settings: Settings, engine: Engine
) -> ContainerSpec:
    """Give a serving container the limits of an execution environment: memory, vCPUs, user, and what it may write."""
    cpus = None
    if settings.text("serverless-cpus") == "by-memory":
        wanted = serverless.memory_size_in_mb / MEMORY_OF_ONE_VCPU_MB
        # Docker refuses more than there are
        cpus = round(wanted, 2) if wanted < engine.info().cpus else None
    user = settings.text("serverless-user")
    in_memory = settings.text("serverless-tmp") == "memory"
    missing = settings.text("serverless-shm") == "missing"
    return replace(
        spec,
        memory_bytes=serverless.memory_size_in_mb * _MIB,
        cpus=cpus,
        user=None if user == "image" else user,
        read_only_root=settings.text("serverless-root") == "read-only",
        volumes=() if in_memory else ("/tmp",),  # noqa: S108  # inside the container
        tmpfs={"/tmp": f"size={DISK_BYTES},mode=1777,exec"} if in_memory else {},  # noqa: S108  # likewise
        ipc="none" if missing else None,
        shm_bytes=None if missing else spec.shm_bytes,
    )
