"""Whether what a processing job reads and writes in S3 can be read and written: asked before anything is started."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sm_emulate.errors import RequestError
from sm_emulate.spec.wordings import no_objects_found
from sm_emulate.staging.processing_data import objects_of
from sm_emulate.storage.s3_uri import bucket_and_key, is_s3
from sm_emulate.storage.stores import store_of

if TYPE_CHECKING:
    from sm_emulate.request.processing import ProcessingRequest
    from sm_emulate.storage.s3_place import S3Place


def check_places(request: ProcessingRequest, *, s3: S3Place, region: str) -> None:
    """Look at each input's place and at each output's.

    Raises:
        RequestError: there is nothing to read, or no bucket to write to.
        StorageError: S3 cannot be asked.
    """
    for _, source in request.managed_inputs:
        if source.s3_data_type == "ManifestFile":
            objects_of(source, s3=s3)
        elif (
            is_s3(source.s3_uri)
            and next(iter(store_of(source.s3_uri, s3).objects(source.s3_uri)), None) is None
        ):
            bucket, _ = bucket_and_key(source.s3_uri)
            raise RequestError(
                no_objects_found(source.s3_uri, region, request.role_arn, bucket).rstrip("."),
                hint=f"these are SageMaker's words; {s3.name} was asked, --s3 names another S3",
            )
    for _, output in request.managed_outputs:
        if is_s3(output.s3_uri):
            store_of(output.s3_uri, s3).check_writable(output.s3_uri)
