"""Whether a transform job has any input."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sm_emulate.errors import RequestError
from sm_emulate.request.location import as_stored
from sm_emulate.request.naming import DEFAULT_ROLE_ARN
from sm_emulate.spec.wordings import no_objects_found
from sm_emulate.storage.s3_uri import bucket_and_key, is_s3
from sm_emulate.storage.stores import store_of

if TYPE_CHECKING:
    from sm_emulate.request.transform import TransformRequest
    from sm_emulate.storage.s3_place import S3Place


def check_input(request: TransformRequest, *, s3: S3Place, region: str) -> None:
    """Look whether there is an object below the input prefix; a manifest is read by the job.

    Raises:
        RequestError: there is none, in the words of CreateTransformJob.
        StorageError: S3 cannot be asked.
    """
    source = request.transform_input.data_source.s3
    uri = as_stored(source.s3_uri)
    if source.s3_data_type == "ManifestFile" or next(iter(store_of(uri, s3).objects(uri)), None) is not None:
        return
    if not is_s3(uri):
        raise RequestError(
            f'No objects found under "{uri}" given in input data source',
            expected="a file, or a folder with files",
        )
    bucket, _ = bucket_and_key(uri)
    role = request.model.execution_role_arn or DEFAULT_ROLE_ARN
    raise RequestError(
        no_objects_found(uri, region, role, bucket).rstrip("."),
        hint=f"these are SageMaker's words; {s3.name} was asked, --s3 names another S3",
    )
