"""What this machine can run, and what to do about the rest: `sm-emulate doctor`."""

from __future__ import annotations

import os
import shutil
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from sm_emulate.engine.owner import owner_is_gone
from sm_emulate.engine.protocol import LABEL_HOME, LABEL_OWNER, LABEL_SESSION
from sm_emulate.errors import EngineNotFoundError, MachineError, SmEmulateError
from sm_emulate.spec.credentials import ADDRESS
from sm_emulate.storage.aws_environment import has_credentials

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sm_emulate.engine.protocol import Engine, EngineInfo, Leftover

_GIB = 1 << 30
_SCARCE = 10 * _GIB
"""A training image with a framework takes 1 to 10 GB."""
_TOO_LITTLE = 1 * _GIB
_SKEW = 5.0
"""Seconds; AWS refuses requests whose clock is five minutes off, and logs read oddly long before."""

Status = Literal["ok", "warn", "fail"]


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that was looked at."""

    name: str
    status: Status
    """`fail` means that training could not run here."""
    seen: str
    remedy: str | None = None


@dataclass(frozen=True, kw_only=True)
class Examination:
    """All that was looked at, the engine first."""

    findings: tuple[Finding, ...]

    @property
    def can_train(self) -> bool:
        """Whether a training job could run here; if not, `sm-emulate doctor` exits with 3."""
        return all(finding.status != "fail" for finding in self.findings)

    def as_json(self) -> dict[str, object]:
        """Give everything for a machine, keys always present."""
        return {"can_train": self.can_train, "findings": [asdict(finding) for finding in self.findings]}


def examine(connect: Callable[[], Engine], *, state_folder: Path) -> Examination:
    """Look at the engine and at this machine. Starts no container, leaves nothing behind.

    Args:
        connect: finds the engine, or raises `EngineNotFoundError`.
        state_folder: where runs are kept; it need not exist yet.
    """
    try:
        engine = connect()
    except MachineError as error:
        return Examination(findings=(_no_engine(error), _disk("disk: state folder", state_folder)))
    try:
        return Examination(findings=tuple(_look(engine, state_folder)))
    finally:
        engine.close()


def _look(engine: Engine, state_folder: Path) -> Iterator[Finding]:
    try:
        info = engine.info()
    except SmEmulateError as error:
        yield _broken("engine", error)
        yield _disk("disk: state folder", state_folder)
        return
    now = datetime.now(timezone.utc)
    yield Finding(
        name="engine",
        status="ok",
        seen=f"{info.name} {info.version}, API {info.api_version}, {info.endpoint}"
        + (", rootless" if info.rootless else ""),
    )
    yield Finding(name="image store", status="ok", seen=f"{info.storage_driver} in {info.root_dir}")
    yield from _guarded("transports", lambda: _transports(engine, info, state_folder))
    yield _gpus(info)
    yield _credentials(engine)
    yield from _disks(info, state_folder)
    yield _fast_file()
    yield _cache()
    yield _clock(info, now)
    yield _limits(info)
    yield from _guarded("leftovers", lambda: _leftovers(engine, state_folder))


def _guarded(name: str, look: Callable[[], Finding]) -> Iterator[Finding]:
    """A look that goes wrong is a finding of its own, not the end of the examination."""
    try:
        yield look()
    except SmEmulateError as error:
        yield _broken(name, error)


def _broken(name: str, error: SmEmulateError) -> Finding:
    words = "; ".join((error.what, *error.evidence))
    return Finding(name=name, status="fail", seen=words, remedy=error.hint or "see the engine's own log")


def _no_engine(error: MachineError) -> Finding:
    seen = "; ".join((error.what, *([error.value] if error.value else []), *error.evidence))
    remedy = error.hint or "install and start a container engine"
    name = "engine"
    if isinstance(error, EngineNotFoundError) and "permission denied" in seen:
        remedy = "let your user talk to the engine: sudo usermod -aG docker $USER, then log in again"
    return Finding(name=name, status="fail", seen=seen, remedy=remedy)


def _transports(engine: Engine, info: EngineInfo, state_folder: Path) -> Finding:
    """Bind: the engine mounts our folders as they are. Volume: files are copied in and out."""
    folder = state_folder.absolute()
    while not folder.is_dir():
        folder = folder.parent
    shared = engine.shares(str(folder))
    if shared is None:
        return Finding(
            name="transports",
            status="ok",
            seen=f"bind, not probed: {info.name} tells only when a container runs",
        )
    if shared:
        return Finding(name="transports", status="ok", seen=f"bind: the engine sees {folder}")
    return Finding(
        name="transports",
        status="warn",
        seen=f"volume: the engine does not see {folder}, so files are copied in and out",
        remedy="share the folder with the engine's virtual machine, or use an engine on this machine",
    )


def _gpus(info: EngineInfo) -> Finding:
    cards = _cards()
    way = "the NVIDIA runtime" if "nvidia" in info.runtimes else "CDI" if info.cdi_devices else None
    host = f"{len(cards)} on this machine ({', '.join(cards)})" if cards else "none on this machine"
    if way is None and cards:
        return Finding(
            name="gpu",
            status="warn",
            seen=f"{host}, but the engine hands none out",
            remedy="install the NVIDIA Container Toolkit, then: sudo nvidia-ctk runtime configure "
            "--runtime=docker && sudo systemctl restart docker",
        )
    if way is None:
        return Finding(name="gpu", status="ok", seen="none; jobs run on the CPU")
    if not cards and info.endpoint.startswith("unix://"):
        return Finding(
            name="gpu",
            status="warn",
            seen=f"the engine has {way}, but nvidia-smi shows no GPU",
            remedy="check the driver: nvidia-smi must list the GPUs",
        )
    devices = f", devices {', '.join(info.cdi_devices)}" if info.cdi_devices else ""
    return Finding(name="gpu", status="ok", seen=f"through {way}{devices}; {host}")


def _credentials(engine: Engine) -> Finding:
    """Whether boto3 in containers finds keys, and whose."""
    name = "credentials in containers"
    entry = engine.network_entry
    if entry is None:
        return Finding(
            name=name,
            status="warn",
            seen="none: the network of this engine's containers cannot be entered from here",
            remedy="run sm-emulate on the engine's own Linux machine; jobs that do not call AWS need none",
        )
    how = "" if entry == "thread" else ", set up by a second container since you are not root"
    whose = "temporary ones made from yours" if has_credentials(os.environ) else "you have none of AWS"
    return Finding(name=name, status="ok", seen=f"at {ADDRESS}{how}: {whose}")


def _cards() -> tuple[str, ...]:
    """Give the names of this machine's NVIDIA GPUs, as nvidia-smi tells them."""
    import subprocess

    if shutil.which("nvidia-smi") is None:
        return ()
    try:
        asked = subprocess.run(
            ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"],
            capture_output=True,
            text=True,
            check=False,
            timeout=20,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ()
    return (
        tuple(line.strip() for line in asked.stdout.splitlines() if line.strip())
        if asked.returncode == 0
        else ()
    )


def _disks(info: EngineInfo, state_folder: Path) -> Iterator[Finding]:
    if info.endpoint.startswith("unix://") and Path(info.root_dir).is_dir():
        yield _disk("disk: images", Path(info.root_dir))
    yield _disk("disk: state folder", state_folder)


def _disk(name: str, folder: Path) -> Finding:
    place = folder.absolute()
    while not place.exists():
        place = place.parent
    if not os.access(place, os.W_OK) and name.endswith("state folder"):
        return Finding(
            name=name,
            status="fail",
            seen=f"{place} cannot be written to",
            remedy="choose another state folder",
        )
    free = shutil.disk_usage(place).free
    status: Status = "fail" if free < _TOO_LITTLE else "warn" if free < _SCARCE else "ok"
    remedy = None
    if status != "ok" and name.endswith("state folder"):
        remedy = (
            "make room: `sm-emulate clean --all` removes runs that are over; or choose another state folder"
        )
    elif status != "ok":
        remedy = "make room: docker system df shows what images and containers take"
    return Finding(name=name, status=status, seen=f"{free / _GIB:.1f} GiB free in {place}", remedy=remedy)


def _fast_file() -> Finding:
    """Whether FastFile channels in S3 are fetched when they are read."""
    from sm_emulate.storage.s3_mount import why_not

    reason = why_not()
    if reason is None:
        return Finding(name="fast file", status="ok", seen="channels in S3 are fetched as they are read")
    return Finding(
        name="fast file", status="ok", seen=f"channels in S3 are downloaded before the start: {reason}"
    )


def _cache() -> Finding:
    from sm_emulate.report.terminal import size
    from sm_emulate.storage.object_cache import object_cache

    cache = object_cache(os.environ)
    return Finding(
        name="cache",
        status="ok",
        seen=f"{size(cache.size())} of channels in S3, in {cache.folder}; `sm-emulate clean --cache` removes it",
    )


def _clock(info: EngineInfo, now: datetime) -> Finding:
    off = (info.server_time - now).total_seconds()
    if abs(off) <= _SKEW:
        return Finding(name="clock", status="ok", seen="the engine's clock agrees with ours")
    return Finding(
        name="clock",
        status="warn",
        seen=f"the engine's clock is {abs(off):.0f} s {'ahead of' if off > 0 else 'behind'} ours",
        remedy="set the clock of the engine's machine (a virtual machine that slept: restart it)",
    )


def _limits(info: EngineInfo) -> Finding:
    missing = [
        warning for warning in info.warnings if "limit" in warning.lower() or "cgroup" in warning.lower()
    ]
    seen = f"cgroup v{info.cgroup_version}, {info.cpus} CPUs, {info.memory_bytes / _GIB:.1f} GiB of memory"
    if not missing:
        return Finding(name="limits", status="ok", seen=seen)
    return Finding(
        name="limits",
        status="warn",
        seen="; ".join((seen, *missing)),
        remedy="instance sizes cannot be fully kept: enable the memory controller (cgroup_enable=memory "
        "swapaccount=1 on the kernel's command line), or delegate it to your user for a rootless engine",
    )


def _leftovers(engine: Engine, state_folder: Path) -> Finding:
    labels = {LABEL_SESSION: "", LABEL_HOME: str(state_folder.absolute())}  # others have theirs
    found = [leftover for leftover in engine.leftovers(labels) if _abandoned(leftover)]
    if not found:
        return Finding(name="leftovers", status="ok", seen="none")
    names = ", ".join(f"{leftover.kind} {leftover.name}" for leftover in found[:5])
    more = f" and {len(found) - 5} more" if len(found) > 5 else ""
    return Finding(
        name="leftovers",
        status="warn",
        seen=f"{len(found)} of runs that ended without tidying up: {names}{more}",
        remedy="sm-emulate clean",
    )


def _abandoned(leftover: Leftover) -> bool:
    gone = owner_is_gone(leftover.labels.get(LABEL_OWNER, ""))
    if gone is None:
        # nobody to ask: a container that runs is taken to be wanted
        return leftover.kind == "container" and not leftover.running
    return gone
