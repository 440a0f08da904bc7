"""What stands behind the addresses that containers call AWS at: their role's keys, and the way to other endpoints."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sm_emulate.errors import MachineError
from sm_emulate.events import Warned
from sm_emulate.lifecycle.credentials_address import CredentialsAddress
from sm_emulate.lifecycle.relay import Relay
from sm_emulate.storage.role_keys import RoleKeys

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Mapping

    from sm_emulate.events import Event
    from sm_emulate.storage.s3_on_demand import S3OnDemand
    from sm_emulate.storage.s3_place import S3Place


class AwsInside:
    """Answers all containers of a job.

    Args:
        role_arn: the role whose keys they look for, if it is worth asking for.
        region: whose STS is asked.
        s3: which S3 is meant.
        servers: where connections to a port are passed on to.
        embedded: the port of the embedded S3, where that is the S3 which is meant.
        foreign: whether calls go to something that is not AWS.
        publish: hears what a person should know.
    """

    def __init__(
        self,
        *,
        role_arn: str | None,
        region: str,
        s3: S3Place,
        servers: Mapping[int, tuple[str, int]],
        embedded: int | None,
        foreign: bool,
        publish: Callable[[Event], None],
    ) -> None:
        self._publish = publish
        self._embedded: S3OnDemand | None = None
        self._relays = {port: Relay(_always(server)) for port, server in servers.items()}
        if embedded is not None and s3.folder is not None:
            from sm_emulate.storage.s3_on_demand import S3OnDemand

            self._embedded = S3OnDemand(s3.folder)
            s3 = self._embedded.place
            self._relays[embedded] = Relay(self._served)
        self._keys = RoleKeys(
            role_arn=role_arn,
            region=region,
            s3=s3,
            foreign=foreign,
            note=lambda words: publish(Warned(message=words)),
        )

    def answer(self, connection: socket.socket, *, port: int, host: str, container: str, path: str) -> None:
        """Answer a connection that a container has made.

        Args:
            connection: our end of it.
            port: where it was made.
            host: the container's name in the job.
            container: its id.
            path: where it looks for credentials.
        """
        if (relay := self._relays.get(port)) is not None:
            relay(connection)
            return
        task = {"DockerId": container, "Family": host, "Cluster": "default"}
        CredentialsAddress(path, keys=self._keys, task=task)(connection)

    def close(self) -> None:
        """Serve the embedded S3 no more."""
        if self._embedded is not None:
            self._embedded.close()

    def _served(self) -> tuple[str, int]:
        """Say where the embedded S3 is served; a container that cannot have it finds the connection closed."""
        if self._embedded is None:
            raise ConnectionRefusedError
        try:
            return self._embedded.address()
        except MachineError as error:
            words = f"{error.what}; {error.hint}" if error.hint else error.what
            self._publish(Warned(message=f"the container cannot have the embedded S3: {words}"))
            raise ConnectionRefusedError(error.what) from error


def _always(server: tuple[str, int]) -> Callable[[], tuple[str, int]]:
    return lambda: server
