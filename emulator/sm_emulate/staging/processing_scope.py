"""What a processing job may ask for that cannot be done here yet: said before anything is started."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sm_emulate.errors import RequestError
from sm_emulate.staging.processing_tree import is_copied

if TYPE_CHECKING:
    from sm_emulate.request.processing import ProcessingRequest

_PAGE = "docs/processing.md tells what is emulated"


def check_emulated(request: ProcessingRequest) -> None:
    """Refuse what would silently be something else here.

    Raises:
        RequestError: for the first such thing.
    """
    for name, source in request.managed_inputs:
        if source.here is None:
            raise RequestError(
                f"input {name}: only data on this machine can be read yet",
                value=source.s3_uri,
                expected="a path or file:///FOLDER",
                hint=f"copy it here first, or put another source in its place: --input {name}=PATH",
            )
        if is_copied(source):
            raise RequestError(
                f"input {name}: this way of reading it is not emulated yet",
                value=f"{source.mode}, {source.s3_data_type}, {source.distribution}",
                expected="File, S3Prefix and FullyReplicated",
                hint=_PAGE,
            )
    for name, output in request.managed_outputs:
        if output.here is None:
            raise RequestError(
                f"output {name}: outputs can only be kept on this machine yet",
                value=output.s3_uri,
                expected="a path or file:///FOLDER",
                hint=_PAGE,
            )
