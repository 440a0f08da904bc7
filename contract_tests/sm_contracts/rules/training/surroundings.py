"""Network, hosts, users, memory, devices: what is around the program."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sm_contracts.evidence.training.devices import GpuUse
from sm_contracts.evidence.training.ending import Metrics
from sm_contracts.evidence.training.variants import Isolated, Permissions, SharedMemory, TwoHosts
from sm_contracts.roles import Role
from sm_contracts.rule import Fail, Inconclusive, Outcome, Pass, Severity, rule
from sm_contracts.rules.training import sources

if TYPE_CHECKING:
    from collections.abc import Iterator

_SHARED_MEMORY = re.compile(
    r"bus error|SIGBUS|insufficient shared memory|(shared memory|/dev/shm)\W.{0,80}no space left"
    r"|no space left on device.{0,80}(shared memory|/dev/shm|torch_)",
    re.IGNORECASE,
)
_SIGBUS = 128 + 7
_FEWEST_LOOKS, _SHORTEST_S = 20, 2.0


@rule(
    "SM214",
    "network-required",
    severity=Severity.WARNING,
    roles=Role.TRAIN,
    needs=Isolated,
    source=sources.ISOLATION,
)
def network_required(isolated: Isolated) -> Iterator[Outcome]:
    """Training needs a network.

    What:
        A run under network isolation fails, and the same run with a network completes. It is an error where the
        image is meant to be run isolated (--enable-network-isolation).

    Why:
        With EnableNetworkIsolation the container reaches nothing, gets no credentials, and reads and writes S3 only
        through its channels and output folders. Marketplace algorithms always run so; jobs in a VPC without NAT and
        endpoints are no better off.

    Fix:
        Put packages and pretrained weights into the image or into a channel, and read data from channels only.
    """
    if not isolated.run.completed:
        yield Fail(
            f"under network isolation training {isolated.run.outcome}",
            isolated.run.as_evidence(),
            severity=Severity.ERROR if isolated.asked else None,
        )


@rule(
    "SM215",
    "hostname-assumption",
    severity=Severity.WARNING,
    roles=Role.TRAIN,
    needs=TwoHosts,
    source=sources.RUNNING,
)
def hostname_assumption(hosts: TwoHosts) -> Iterator[Outcome]:
    """Training expects to be called algo-N, or its peers to be there at once.

    What:
        A run fails where the host name is not `algo-N` and, on two hosts, the other name resolves some seconds late.
        With the host name algo-N and names that resolve at once it completes. It is an error where one host alone
        fails: then no job of this image completes.

    Why:
        The container's host name is that of the instance (`ip-10-0-1-2.ec2.internal`). `algo-1` to `algo-N` are names
        in DNS only, and they resolve when the other hosts are up, which can take minutes.

    Fix:
        Take `current_host` and `hosts` from resourceconfig.json, not `socket.gethostname()`. Look names up in a loop
        until they resolve.
    """
    if hosts.run.completed:
        return
    if hosts.at_ease is not None and hosts.at_ease.completed:
        yield Fail(
            f"{hosts.run.way}, training {hosts.run.outcome}; with the host name algo-N it completes",
            hosts.run.as_evidence(),
            severity=Severity.ERROR if hosts.alone else None,
        )
    else:
        yield Inconclusive(f"{hosts.run.way}, training {hosts.run.outcome}, whatever the hosts are called")


@rule(
    "SM216",
    "config-unreadable",
    severity=Severity.ERROR,
    roles=Role.TRAIN,
    needs=Permissions,
    source=sources.SDK_USER,
)
def config_unreadable(permissions: Permissions) -> Iterator[Outcome]:
    """The image's user may not do what training has to do.

    What:
        Under the image's own USER and the platform's modes (/opt/ml/input/config is 0644, all else 0755, all owned
        by root) training fails; with folders that anybody may enter and write it completes.

    Why:
        SageMaker does not change the user. A user other than root cannot enter a directory of mode 0644, so it reads
        no config file; and it cannot write to /opt/ml/model and /opt/ml/output.

    Fix:
        Train as root: remove USER, or put `USER root` at the end of the Dockerfile. The container is alone on its
        instance.
    """
    if permissions.open is not None and not permissions.strict.completed:
        user = permissions.user or "root"
        yield Fail(
            f"as user {user}, with the platform's permissions, training {permissions.strict.outcome}",
            {"user": user} | permissions.strict.as_evidence(),
        )
    else:
        yield Pass({"user": permissions.user or "root"})


@rule(
    "SM218",
    "shared-memory",
    severity=Severity.WARNING,
    roles=Role.TRAIN,
    needs=SharedMemory,
    source=sources.SDK_SHARED_MEMORY,
)
def shared_memory(memory: SharedMemory) -> Iterator[Outcome]:
    """Training needs more than 64 MiB of shared memory.

    What:
        With 64 MiB of /dev/shm a run ends in a bus error or for want of shared memory, and completes with 1 GiB; or
        its log tells of such an error.

    Why:
        No request makes /dev/shm larger. PyTorch's DataLoader, Ray, and everything that passes tensors between
        processes uses it.

    Fix:
        Use fewer DataLoader workers, `torch.multiprocessing.set_sharing_strategy("file_system")`, or point the
        library to /tmp.
    """
    run = memory.run
    if memory.roomy is not None and not run.completed:
        yield Fail(
            f"with 64 MiB of shared memory training {run.outcome}, with 1 GiB it completes", run.as_evidence()
        )
    elif (said := _SHARED_MEMORY.search(run.text)) or run.exit_code == _SIGBUS:
        told = "a bus error" if said is None else repr(said.group())
        yield Fail(f"with 64 MiB of shared memory training meets {told}", run.as_evidence())


@rule(
    "SM223",
    "metric-not-found",
    severity=Severity.WARNING,
    roles=Role.TRAIN,
    needs=Metrics,
    source=sources.METRICS,
)
def metric_not_found(metrics: Metrics) -> Iterator[Outcome]:
    """A metric definition finds nothing in the log.

    What:
        A metric definition that was given matched no line of stdout or stderr with a number in its first group, or
        its regex has no group.

    Why:
        SageMaker searches the log line by line, and the first group is the number. A definition that never matches
        gives no chart, and a tuning job on it fails because no job reports its objective.

    Fix:
        Put the number, and only the number, in round brackets: `loss=([0-9.]+)`. Print whole lines (progress bars
        end in CR) and flush them.
    """
    for name, reason in metrics.broken.items():
        yield Fail(f"metric {name} can find nothing: {reason}", {"metric": name})
    for name, count in metrics.matches.items():
        if not count:
            yield Fail(f"metric {name} matched no line of the log", {"metric": name})
    yield Pass({"matches": dict(metrics.matches)})


@rule("SM227", "gpu-not-used", severity=Severity.ERROR, roles=Role.TRAIN, needs=GpuUse, source=sources.IMAGE)
def gpu_not_used(gpu: GpuUse) -> Iterator[Outcome]:
    """Training does not use the GPU that it is given.

    What:
        A GPU was requested and is there, and during the whole run no process of the container had one of its devices
        open.

    Why:
        A CPU build of the framework, a missing CUDA toolkit, or libraries for another driver make a program fall back
        to the CPU without an error: the job costs what a GPU costs and takes what a CPU takes.

    Fix:
        Install the CUDA build of the framework, and have the program fail when `CUDA_VISIBLE_DEVICES` or
        `nvidia-smi` shows a GPU that it cannot use.
    """
    if gpu.opened:
        yield Pass({"devices": list(gpu.opened)})
    elif gpu.looks < _FEWEST_LOOKS or gpu.run.seconds < _SHORTEST_S:
        yield Inconclusive(
            f"in {gpu.run.seconds:.1f} s its open devices could be looked at {gpu.looks} times only",
            "give sample data that trains longer, on a local engine, as root",
        )
    else:
        yield Fail(
            f"in {gpu.run.seconds:.1f} s no process opened a GPU ({gpu.looks} looks)",
            {"looks": gpu.looks} | gpu.run.as_evidence(),
        )
