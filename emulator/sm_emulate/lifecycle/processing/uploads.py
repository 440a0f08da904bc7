"""Continuous outputs of a processing job: each is uploaded all the while, from every host, under one prefix."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sm_emulate.lifecycle.processing.outputs import uri_of
from sm_emulate.lifecycle.uploader import UploadedFolder, Uploader
from sm_emulate.storage.mirror import Mirror
from sm_emulate.storage.stores import store_of

if TYPE_CHECKING:
    from sm_emulate.lifecycle.processing.companions import ProcessingSurroundings
    from sm_emulate.request.processing import S3Output


class Uploads(UploadedFolder):
    """Keeps S3 up to date with one output of every host; what goes away here stays there."""

    def __init__(self, around: ProcessingSurroundings, name: str, output: S3Output) -> None:
        prefix = uri_of(output).rstrip("/") + "/"
        store = store_of(prefix, around.platform.s3)
        super().__init__(
            {
                host: Uploader(
                    Mirror(tree.path(output.local_path), store, prefix, markers=False, deletes=False),
                    hand_back=around.hand_back,
                    publish=around.publish,
                )
                for host, tree in around.trees.items()
            },
            left_out=lambda file, host, reason: f"output {name} of {host} is without {file}: {reason}",
            publish=around.publish,
        )
