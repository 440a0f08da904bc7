"""Where calls to AWS go instead of AWS, as boto3's own configuration and the chosen S3 say."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sm_emulate.storage.s3_place import S3Place

S3_VARIABLE = "AWS_ENDPOINT_URL_S3"
VARIABLE = "AWS_ENDPOINT_URL"
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
