"""What the caller's environment says of AWS: where calls go instead, and whether there may be credentials."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sm_emulate.spec.credentials import VARIABLE as CREDENTIALS_VARIABLE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sm_emulate.storage.s3_place import S3Place

S3_VARIABLE = "AWS_ENDPOINT_URL_S3"
VARIABLE = "AWS_ENDPOINT_URL"
_SIGNS = (
    "AWS_ACCESS_KEY_ID",
    "AWS_PROFILE",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
)
_FILES = (
    ("AWS_SHARED_CREDENTIALS_FILE", ".aws/credentials"),
    ("AWS_CONFIG_FILE", ".aws/config"),
)
_AWS = (".amazonaws.com", ".amazonaws.com.cn", ".api.aws")


def endpoints(s3: S3Place, environ: Mapping[str, str]) -> dict[str, str]:
    """Give AWS_ENDPOINT_URL and AWS_ENDPOINT_URL_S3 as a container should have them; empty when it is AWS.

    Args:
        s3: an endpoint of its own comes first.
        environ: the caller's variables.
    """
    found = {}
    if environ.get("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "").lower() != "true":
        found = {name: environ[name] for name in (VARIABLE, S3_VARIABLE) if environ.get(name)}
        if not found and s3.endpoint_url is None and _config_has_endpoints(environ):
            found = _of_profile()
    if s3.endpoint_url is not None:
        found[S3_VARIABLE] = s3.endpoint_url
    return {name: url for name, url in found.items() if not is_aws(url)}


def is_aws(url: str) -> bool:
    """Whether it is one of AWS's own addresses."""
    from urllib.parse import urlsplit

    try:
        return (urlsplit(url).hostname or "").endswith(_AWS)
    except ValueError:
        return False


def has_credentials(environ: Mapping[str, str]) -> bool:
    """Tell at a glance whether somebody has credentials of AWS: variables or files that may hold some."""
    if any(environ.get(name) for name in (*_SIGNS, CREDENTIALS_VARIABLE)):
        return True
    home = Path(environ.get("HOME") or "/")
    return any(Path(environ.get(name) or home / usual).is_file() for name, usual in _FILES)


def _config_has_endpoints(environ: Mapping[str, str]) -> bool:
    """Look before botocore is imported for it; hardly any configuration has one."""
    home = environ.get("HOME")
    named = environ.get("AWS_CONFIG_FILE") or (f"{home}/.aws/config" if home else None)
    try:
        return named is not None and b"endpoint_url" in Path(named).expanduser().read_bytes()
    except OSError:
        return False


def _of_profile() -> dict[str, str]:
    import botocore.exceptions
    import botocore.session

    try:
        client = botocore.session.Session().create_client("s3")
    except botocore.exceptions.BotoCoreError:
        return {}  # whoever reads the S3 of this configuration says what is wrong with it
    try:
        url = str(client.meta.endpoint_url)
    finally:
        client.close()
    return {S3_VARIABLE: url}
