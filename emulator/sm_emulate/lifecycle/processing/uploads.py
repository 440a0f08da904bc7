"""Continuous outputs of a processing job: each is uploaded all the while, from every host, under one prefix."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sm_emulate.events import Warned
from sm_emulate.lifecycle.companion import Companion, PlatformFailure
from sm_emulate.lifecycle.processing.outputs import uri_of
from sm_emulate.lifecycle.uploader import Uploader
from sm_emulate.spec import wordings
from sm_emulate.storage.mirror import Mirror
from sm_emulate.storage.stores import store_of

if TYPE_CHECKING:
    from sm_emulate.lifecycle.processing.companions import ProcessingSurroundings
    from sm_emulate.request.processing import S3Output


class Uploads(Companion):
    """Keeps S3 up to date with one output of every host; what goes away here stays there."""

    def __init__(self, around: ProcessingSurroundings, name: str, output: S3Output) -> None:
        self._around, self._name = around, name
        prefix = uri_of(output).rstrip("/") + "/"
        store = store_of(prefix, around.platform.s3)
        self._hosts = {
            host: Uploader(
                Mirror(tree.path(output.local_path), store, prefix, markers=False, deletes=False),
                hand_back=around.hand_back,
                publish=around.publish,
            )
            for host, tree in around.trees.items()
        }

    def started(self, host: str, container: str) -> None:
        """Begin to upload what the host writes."""
        del container
        self._hosts[host].begin()

    def finish(self) -> None:
        """Upload the rest.

        Raises:
            PlatformFailure: the store has not taken it; the files stay in the run folder.
        """
        for host, each in self._hosts.items():
            if (trouble := each.end()) is not None:
                raise PlatformFailure(wordings.upload_failed(trouble))
            for name, reason in each.mirror.left_out.items():
                words = f"output {self._name} of {host} is without {name}: {reason}"
                self._around.publish(Warned(message=words))

    def close(self) -> None:
        """Upload the rest if nobody has asked for it: the job ends in disorder."""
        for each in self._hosts.values():
            each.end()
