"""The hosts of a training job: algo-1 to algo-N, and the instance group of each."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain, zip_longest
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
    group_names: tuple[str, ...] = ()
    """In the order of the request."""

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
        members = {group: [host for host in self.hosts if host.group == group] for group in self.group_names}
        return [
            {
                "instance_group_name": group,
                "instance_type": hosts[0].instance_type,
                "hosts": sorted(host.name for host in hosts),
            }
            for group, hosts in members.items()
            if hosts
        ]


def cluster_of(resources: ResourceConfig, *, mixed: bool = False) -> Cluster:
    """Number the hosts that a request asks for.

    Args:
        resources: what it asks for.
        mixed: deal the numbers out to the groups in turn, from the last group on, in place of group after group.
    """
    groups = [
        [(group.instance_group_name, group.instance_type)] * group.instance_count
        for group in resources.instance_groups
    ] or [[(HOMOGENEOUS_GROUP, resources.instance_type or "")] * (resources.instance_count or 1)]
    wanted = (
        [one for turn in zip_longest(*reversed(groups)) for one in turn if one]
        if mixed
        else list(chain(*groups))
    )
    return Cluster(
        tuple(
            Host(name=f"algo-{number}", instance_type=instance_type, group=group)
            for number, (group, instance_type) in enumerate(wanted, start=1)
        ),
        tuple(dict.fromkeys(name for group in groups for name, _ in group)),
    )
