"""A warm pool: what one job's instances leave for the next job that matches it.

Here that is the private network of several hosts, whose making and removal take longer than the start of a container,
and the cache directory of each host. No process of ours stays for it: a pool whose time is over is removed by the next
`train` or `clean`.
https://docs.aws.amazon.com/sagemaker/latest/dg/train-warm-pools.html
"""

from __future__ import annotations

import os
import time
from contextlib import ExitStack, contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sm_emulate.engine.ownership import hand_back
from sm_emulate.engine.protocol import LABEL_HOME, LABEL_POOL, Leftover
from sm_emulate.errors import MachineError, SmEmulateError
from sm_emulate.events import Noted, Warned
from sm_emulate.storage.runs import Runs
from sm_emulate.storage.trouble import told
from sm_emulate.storage.warm_pools import WarmPools

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sm_emulate.engine.protocol import Engine
    from sm_emulate.lifecycle.training.life import JobParts
    from sm_emulate.request.training import TrainingRequest
    from sm_emulate.storage.warm_pools import PoolFolder


class WarmPool:
    """A pool while a job has it."""

    def __init__(self, parts: JobParts, folder: PoolFolder, *, network: str | None, since: float) -> None:
        self._parts, self.folder = parts, folder
        self.network = network
        """The id of the network that it has."""
        self._since = since
        self.status: dict[str, Any] = {"Status": "InUse"}
        """WarmPoolStatus of DescribeTrainingJob."""
        self.until: float | None = None
        self.healthy = True
        """Whether the instances may be used again: not after an InternalServerError."""
        self._note(None)

    @property
    def labels(self) -> dict[str, str]:
        """Of what the pool keeps on the engine."""
        own = {LABEL_HOME: str(self._parts.run_folder.home), LABEL_POOL: self.folder.id}
        return {**self._parts.labels, **own}

    def cache(self, host: str) -> Path:
        """What a host sees as its warm pool cache."""
        return self.folder.cache(host)

    def keep(self, network: str) -> None:
        """Have it keep this network."""
        self.network = network
        self._note(None)

    def leave(self) -> None:
        """Leave it for the next job, if it is to be kept."""
        seconds = self._parts.request.resource_config.keep_alive_period_in_seconds
        if not seconds or not self.healthy:
            self.status = {"Status": "Terminated", "ResourceRetainedBillableTimeInSeconds": 0}
            return
        self.until = time.time() + seconds
        self.status = {"Status": "Available"}
        self._note(self.until)

    def _note(self, until: float | None) -> None:
        parts = self._parts
        with told("the warm pool cannot be written down", self.folder.path):
            self.folder.write(
                {
                    "Match": match_of(parts.request),
                    "TrainingJobName": parts.request.training_job_name,
                    "ImageId": parts.image.id,
                    "Network": self.network,
                    "Since": self._since,
                    "AvailableSince": None if until is None else time.time(),
                    "Until": until,
                }
            )


@contextmanager
def warm_pool(parts: JobParts) -> Iterator[WarmPool | None]:
    """Give the pool that a job has: one that another job left, a new one, or none at all."""
    pools = WarmPools(parts.run_folder.home)
    wanted = parts.request.resource_config.keep_alive_period_in_seconds
    if not wanted and (not pools.all() or not match_of(parts.request)):
        yield None
        return
    with ExitStack() as held:
        with pools.alone():
            found = _take(pools, parts)
            if found is None and not wanted:
                pool = None
            else:
                folder, facts = found or (pools.new(), {})
                held.enter_context(pools.holding(folder))
                since = facts.get("Since") or time.time()
                pool = WarmPool(parts, folder, network=facts.get("Network"), since=since)
        if pool is None:
            yield None
            return
        try:
            yield pool
        except BaseException:
            pool.healthy = False
            raise
        finally:
            pool.leave()
            _hand_back(parts.engine, pool.folder, parts.image.id)
            held.close()
            if pool.until is None:
                try:
                    with pools.alone():
                        _terminate(pool.folder, parts.engine)
                        pools.gone()
                except SmEmulateError as error:  # it can never hide why the job ended
                    parts.publish(Warned(message=f"{error.what}; `sm-emulate clean` tries again"))


def match_of(request: TrainingRequest) -> dict[str, Any]:
    """Give what has to be the same for a job to use another one's pool; nothing for a job that can use none."""
    resources = request.resource_config
    if resources.instance_groups or request.enable_managed_spot_training:
        return {}
    network = request.raw.get("VpcConfig") or {}
    return {
        "RoleArn": request.role_arn,
        "InstanceCount": resources.total_instances,
        "InstanceType": resources.first_instance_type,
        "VolumeKmsKeyId": resources.raw.get("VolumeKmsKeyId"),
        "VolumeSizeInGB": resources.volume_size_in_gb,
        "SecurityGroupIds": network.get("SecurityGroupIds"),
        "Subnets": network.get("Subnets"),
        "EnableInterContainerTrafficEncryption": request.enable_inter_container_traffic_encryption,
        "EnableNetworkIsolation": request.enable_network_isolation,
    }


MAX_SECONDS = 28 * 24 * 3600
"""So long at most a pool moves from job to job."""


def _take(pools: WarmPools, parts: JobParts) -> tuple[PoolFolder, dict[str, Any]] | None:
    """Find a pool that matches, and tell the job that left it."""
    match = match_of(parts.request)
    for folder in pools.all():
        facts = folder.read()
        old = time.time() - float(facts.get("Since") or 0) > MAX_SECONDS
        if not folder.available or old or facts.get("Match") != match:
            continue
        network = facts.get("Network")
        if network and network not in _networks(parts.engine, folder):
            facts["Network"] = None  # somebody has removed it, or it is another engine's
        last = str(facts.get("TrainingJobName"))
        retained = time.time() - float(facts.get("AvailableSince") or 0)
        _tell(
            parts.run_folder.home,
            last,
            {
                "Status": "Reused",
                "ResourceRetainedBillableTimeInSeconds": round(retained),
                "ReusedByJob": parts.request.training_job_name,
            },
        )
        parts.publish(Noted(message=f"using the warm pool of {last}"))
        return folder, facts
    return None


def terminate(
    pools: WarmPools, engine: Engine, *, jobs: frozenset[str] | None = frozenset()
) -> list[Leftover]:
    """Remove the pools that are of no more use; give what of them was on the engine.

    Args:
        pools: where they are.
        engine: where their networks are.
        jobs: those that these jobs have left are removed before their time, too; None stands for all jobs.

    Raises:
        MachineError: one cannot be removed.
    """
    removed: list[Leftover] = []
    if not pools.all():
        return removed
    with pools.alone():
        for folder in pools.all():
            facts = folder.read()
            chosen = jobs is None or facts.get("TrainingJobName") in jobs
            if folder.in_use or (folder.available and not chosen):
                continue
            if facts.get("AvailableSince"):
                ended = min(time.time(), float(facts.get("Until") or 0))
                status = {
                    "Status": "Terminated",
                    "ResourceRetainedBillableTimeInSeconds": round(ended - facts["AvailableSince"]),
                }
                _tell(pools.home, str(facts.get("TrainingJobName")), status)
            _hand_back(engine, folder, str(facts.get("ImageId")))
            removed += _terminate(folder, engine)
        pools.gone()
    return removed


def _terminate(folder: PoolFolder, engine: Engine) -> list[Leftover]:
    removed = engine.leftovers({LABEL_POOL: folder.id})
    for leftover in removed:
        engine.remove_leftover(leftover)
    with told("a warm pool cannot be removed", folder.path):
        folder.delete()
    return removed


def is_kept(leftover: Leftover, pools: WarmPools) -> bool:
    """Whether a pool keeps this for a job that may come."""
    pool = leftover.labels.get(LABEL_POOL)
    found = None if pool is None else pools.find(pool)
    return found is not None and (found.in_use or found.available)


def seen_now(description: dict[str, Any]) -> dict[str, Any]:
    """Give a job's description with the status that its warm pool has now."""
    pool = description.get("WarmPoolStatus") or {}
    until = (description.get("Emulator") or {}).get("WarmPoolUntil")
    if (
        pool.get("Status") != "Available"
        or until is None
        or datetime.fromisoformat(until).timestamp() > time.time()
    ):
        return description
    kept = (description.get("ResourceConfig") or {}).get("KeepAlivePeriodInSeconds", 0)
    over = {"Status": "Terminated", "ResourceRetainedBillableTimeInSeconds": kept}
    return {**description, "WarmPoolStatus": over}


def _tell(home: Path, job: str, status: dict[str, Any]) -> None:
    """Write a pool's new status into the description of the job that left it."""
    run = Runs(home).folder("training-jobs", job)
    described = run.read(run.result)
    if described is not None and "WarmPoolStatus" in described:
        with told("the status of a warm pool cannot be written down", run.path):
            run.write(run.result, {**described, "WarmPoolStatus": status})


def _networks(engine: Engine, folder: PoolFolder) -> set[str]:
    return {each.id for each in engine.leftovers({LABEL_POOL: folder.id}) if each.kind == "network"}


def _hand_back(engine: Engine, folder: PoolFolder, image: str) -> None:
    """Have what containers cached as root belong to the calling user, so that it can be removed."""
    try:
        hand_back(
            engine, image, folder.path, uid=os.getuid(), gid=os.getgid(), labels={LABEL_POOL: folder.id}
        )
    except MachineError:  # removing it will tell
        return
