"""What `--dry-run` prints."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from sm_emulate.api.host_plan import HostPlan


def print_plan(hosts: list[HostPlan], *, as_json: bool) -> None:
    """Print each host's files, environment and `docker run` line."""
    import shlex
    from dataclasses import replace

    from sm_emulate.report.terminal import size
    from sm_emulate.request.secrets import masked

    hosts = [
        replace(host, container=replace(host.container, environment=masked(host.container.environment)))
        for host in hosts
    ]

    if as_json:
        click.echo(
            json.dumps(
                [
                    {
                        "Host": host.host,
                        "Directories": list(host.directories),
                        "Pipes": list(host.pipes),
                        "Channels": [
                            {
                                "ChannelName": channel.channel,
                                "Source": channel.source,
                                "Way": channel.way,
                                "Objects": channel.objects,
                                "Bytes": channel.size,
                                "BytesToDownload": channel.missing,
                            }
                            for channel in host.channels
                        ],
                        "Files": {path: content.decode() for path, content in host.files.items()},
                        "Mounts": [
                            {"Source": mount.source, "Target": mount.target, "ReadOnly": mount.read_only}
                            for mount in host.container.mounts
                        ],
                        "Environment": dict(host.container.environment),
                        "DockerRun": host.container.docker_run(),
                    }
                    for host in hosts
                ],
                indent=2,
            )
        )
        return
    for host in hosts:
        click.echo(f"# {host.host}")
        for directory in host.directories:
            click.echo(f"{directory}/")
        for pipe in host.pipes:
            click.echo(f"{pipe}  (a FIFO)")
        for path, content in host.files.items():
            click.echo(f"{path}\n    {content.decode()}")
        for channel in host.channels:
            click.echo(
                f"\n# channel {channel.channel}: {channel.way}, {channel.objects} objects, {size(channel.size)}"
                + (f", {size(channel.missing)} of them not in the cache" if channel.missing else "")
            )
        click.echo("\n# environment")
        for name, value in host.container.environment.items():
            click.echo(f"{name}={value}")
        click.echo("\n# the same container by hand")
        click.echo(shlex.join(host.container.docker_run()) + "\n")
