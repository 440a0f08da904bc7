"""The hosts of a training job: algo-1 to algo-N, and the instance group of each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sm_emulate.request.training import ResourceConfig

HOMOGENEOUS_GROUP = "homogeneousCluster"
"""The group's name in resourceconfig.json of a job that names no groups."""


@dataclass(frozen=True, kw_only=True)
class Host:
    name: str
    instance_type: str
    group: str


@dataclass(frozen=True)
class Cluster:
    """All hosts, in the order of their numbers."""

    hosts: tuple[Host, ...]

    def host(self, name: str) -> Host:
        """Give a host by its name."""
        return next(host for host in self.hosts if host.name == name)

    @property
    def names(self) -> list[str]:
        """As resourceconfig.json lists them: sorted as text, so algo-10 comes before algo-2."""
        return sorted(host.name for host in self.hosts)

    @property
    def groups(self) -> list[dict[str, object]]:
        """`instance_groups` of resourceconfig.json."""
        return [
            {
                "instance_group_name": group,
                "instance_type": instance_type,
                "hosts": sorted(host.name for host in self.hosts if host.group == group),
            }
            for group, instance_type in dict.fromkeys((host.group, host.instance_type) for host in self.hosts)
        ]


def cluster_of(resources: ResourceConfig) -> Cluster:
    """Number the hosts that a request asks for."""
    if resources.instance_groups:
        wanted = [
            (group.instance_group_name, group.instance_type)
            for group in resources.instance_groups
            for _ in range(group.instance_count)
        ]
    else:
        wanted = [(HOMOGENEOUS_GROUP, resources.instance_type or "")] * (resources.instance_count or 1)
    return Cluster(
        tuple(
            Host(name=f"algo-{number}", instance_type=instance_type, group=group)
            for number, (group, instance_type) in enumerate(wanted, start=1)
        )
    )
