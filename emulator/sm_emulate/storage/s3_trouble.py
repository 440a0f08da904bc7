"""What S3 and boto3 refuse, in words. No exception of boto3 comes further than this."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from sm_emulate.errors import RequestError, SmEmulateError, StorageError
from sm_emulate.storage.s3_uri import bucket_and_key

if TYPE_CHECKING:
    from collections.abc import Iterator

    from botocore.exceptions import ClientError

    from sm_emulate.storage.s3_place import S3Place

_OTHER_S3 = "--s3 URL names another S3, --s3 embedded one whose buckets are folders of this machine"
_CREDENTIALS = f"`aws configure` or AWS_PROFILE gives some; {_OTHER_S3}"
_DENIED = {"AccessDenied", "403", "Forbidden", "AllAccessDisabled", "AccountProblem"}
_BAD_CREDENTIALS = {
    "ExpiredToken",
    "ExpiredTokenException",
    "InvalidAccessKeyId",
    "InvalidToken",
    "RequestExpired",
    "SignatureDoesNotMatch",
    "TokenRefreshRequired",
}
_GONE = {"NoSuchKey", "404", "NotFound"}
_CHANGED = {"PreconditionFailed", "412"}


@contextmanager
def asked(uri: str, s3: S3Place) -> Iterator[None]:
    """Turn what boto3 raises inside the `with` into an error in words, about `uri`."""
    from boto3.exceptions import Boto3Error
    from botocore.exceptions import BotoCoreError, ClientError
    from urllib3.exceptions import HTTPError

    try:
        yield
    except ClientError as failure:
        raise _refused(failure, uri, s3) from failure
    except Boto3Error as failure:  # s3transfer's: the cause is among the words only
        cause = failure.__context__
        if isinstance(cause, ClientError):
            raise _refused(cause, uri, s3) from failure
        if isinstance(cause, BotoCoreError):
            raise _not_reached(cause, uri, s3) from failure
        raise StorageError(f"S3 did not take it: {failure}", value=uri) from failure
    except BotoCoreError as failure:
        raise _not_reached(failure, uri, s3) from failure
    except HTTPError as failure:
        raise StorageError(
            f"the connection to S3 broke: {failure}", value=uri, hint="run it again: what has come is kept"
        ) from failure


def _refused(failure: ClientError, uri: str, s3: S3Place) -> SmEmulateError:
    code = str(failure.response.get("Error", {}).get("Code", ""))
    words = str(failure.response.get("Error", {}).get("Message", "")) or str(failure)
    bucket, _ = bucket_and_key(uri)
    seen = (f"{code}: {words}",)
    if code == "NoSuchBucket":
        return RequestError(
            f"there is no bucket {bucket}", value=uri, expected=f"a bucket of {s3.name}", hint=_OTHER_S3
        )
    if code == "InvalidBucketName":
        return RequestError(
            "this is no name of a bucket",
            value=bucket,
            expected="3 to 63 lower-case letters, digits, dots and hyphens",
        )
    if code in _GONE:
        return StorageError("the object is not in S3 (any more)", value=uri, evidence=seen)
    if code in _CHANGED:
        return StorageError("the object was changed while it was read", value=uri, hint="run it again")
    if code in _DENIED:
        return StorageError(
            "S3 denies the access",
            value=uri,
            expected="s3:ListBucket on the bucket; s3:GetObject and s3:PutObject on its objects",
            hint="see whose credentials these are with `aws sts get-caller-identity`",
            evidence=seen,
        )
    if code in _BAD_CREDENTIALS:
        return StorageError("S3 does not accept the credentials", value=uri, hint=_CREDENTIALS, evidence=seen)
    return StorageError(f"S3 answered {code or 'an error'}", value=uri, evidence=seen)


def _not_reached(failure: Exception, uri: str, s3: S3Place) -> SmEmulateError:
    from botocore import exceptions as of

    if isinstance(
        failure,
        (
            of.NoCredentialsError,
            of.PartialCredentialsError,
            of.CredentialRetrievalError,
            of.SSOError,
            of.NoAuthTokenError,
            of.TokenRetrievalError,
            of.InvalidConfigError,
            of.ProfileNotFound,
        ),
    ):
        return StorageError(
            "there are no AWS credentials to reach S3 with",
            value=uri,
            hint=_CREDENTIALS,
            evidence=(str(failure),),
        )
    if isinstance(failure, of.ParamValidationError):
        return RequestError(
            "this is no name of a bucket or object",
            value=uri,
            expected="s3://BUCKET/KEY",
            evidence=tuple(str(failure).splitlines()[1:]),
        )
    if "endpoint" in type(failure).__name__.lower():
        return StorageError(
            "S3 cannot be connected to",
            value=uri,
            expected=f"that {s3.name} answers",
            hint=_OTHER_S3,
            evidence=(str(failure),),
        )
    return StorageError(f"S3 could not be asked: {failure}", value=uri, hint=_OTHER_S3)
