"""The keys that a container is given: temporary ones of AWS, made from the caller's own."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from sm_emulate.storage.s3_place import S3Place

SESSION_NAME = "SageMaker"
DURATION_SECONDS = 3600
AHEAD = timedelta(minutes=16)
"""So long before their end keys are renewed; botocore in the container asks for new ones 15 minutes before."""
_ASSUMED_LIFE = (3600, 2700, 1800, 1200, 900, 600)
_TIMEOUT_SECONDS = 5
_OURS = "sm-emulate"
NOBODY = (
    "the program asks for AWS credentials, and this machine has none: AWS will refuse its calls, as those of a role "
    "that may do nothing (`aws configure`, or an S3 of your own)"
)
"""Not an error at the address: boto3 would not even make a client then, which on the platform it always does."""


class NoKeysError(Exception):
    """There are no keys to give; the text says why and what to do, to a person who reads it in the container."""


@dataclass(frozen=True, kw_only=True, repr=False)
class Keys:
    """One set of keys. It has no repr, so that no log can hold it."""

    access_key: str
    secret_key: str
    token: str
    """Empty where there is none, as with the keys of an S3 that is not AWS."""
    expiration: datetime
    role_arn: str


class RoleKeys:
    """The keys of one job, fetched when its container first asks. Any thread may ask.

    Args:
        role_arn: the role of the job; one that is no real one is not asked for.
        region: whose STS is asked.
        s3: which S3 is meant; its own keys, if it has any, are the container's.
        foreign: whether calls from inside go to something that is not AWS: keys without a session are good enough
            there if it makes no others.
        note: told what the container is given in place of the role's keys.
    """

    def __init__(
        self,
        *,
        role_arn: str | None,
        region: str,
        s3: S3Place,
        foreign: bool,
        note: Callable[[str], None],
    ) -> None:
        self._role, self._region, self._s3, self._foreign, self._note = role_arn, region, s3, foreign, note
        self._lock = threading.Lock()
        self._kept: Keys | None = None
        self._session: Any = None

    def current(self) -> Keys:
        """Give keys that are good for some time.

        Raises:
            NoKeysError: there are none.
        """
        with self._lock:
            if self._kept is None or self._kept.expiration - AHEAD < _now():
                self._kept = self._fetched()
            return self._kept

    def _fetched(self) -> Keys:
        access, secret = self._s3.access_key, self._s3.secret_key
        if access and secret:
            return self._keys(access, secret)
        # half a second, paid by the first container that asks
        import botocore.exceptions
        import botocore.session

        if self._session is None:
            self._session = botocore.session.Session()
        try:
            found = self._session.get_credentials()
            frozen = None if found is None else found.get_frozen_credentials()
        except botocore.exceptions.BotoCoreError as error:
            raise NoKeysError(f"your AWS credentials cannot be read: {error}") from error
        if found is None or frozen is None:
            if self._foreign:
                return self._keys(_OURS, _OURS)
            self._note(NOBODY)
            return self._keys("ASIASMEMULATENOBODY0", "nobody", "nobody")
        if frozen.token:
            return self._keys(frozen.access_key, frozen.secret_key, frozen.token, life=_life(found))
        try:
            return self._from_sts()
        except (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError) as error:
            if self._foreign:  # an S3 that has no STS; its keys are no keys of AWS
                return self._keys(frozen.access_key, frozen.secret_key)
            raise NoKeysError(f"AWS gives no temporary credentials: {error}") from error

    def _from_sts(self) -> Keys:
        """Take on the job's role, or failing that the caller's own rights for an hour."""
        import botocore.config
        import botocore.exceptions

        config = botocore.config.Config(
            connect_timeout=_TIMEOUT_SECONDS, read_timeout=_TIMEOUT_SECONDS, retries={"total_max_attempts": 2}
        )
        sts = self._session.create_client(
            "sts", region_name=self._region, endpoint_url=self._s3.endpoint_url, config=config
        )
        try:
            if self._role is not None:
                try:
                    answer = sts.assume_role(
                        RoleArn=self._role, RoleSessionName=SESSION_NAME, DurationSeconds=DURATION_SECONDS
                    )
                    return self._answered(answer)
                except botocore.exceptions.ClientError as error:
                    code = error.response.get("Error", {}).get("Code", "refused")
                    self._note(
                        f"you may not take on {self._role} ({code}): the container gets temporary credentials "
                        "with your own rights"
                    )
            return self._answered(sts.get_session_token(DurationSeconds=DURATION_SECONDS))
        finally:
            sts.close()

    def _answered(self, answer: dict[str, Any]) -> Keys:
        given = answer["Credentials"]
        return Keys(
            access_key=given["AccessKeyId"],
            secret_key=given["SecretAccessKey"],
            token=given["SessionToken"],
            expiration=given["Expiration"],
            role_arn=self._role or "",
        )

    def _keys(self, access: str, secret: str, token: str = "", *, life: int = DURATION_SECONDS) -> Keys:
        return Keys(
            access_key=access,
            secret_key=secret,
            token=token,
            expiration=_now() + timedelta(seconds=life),
            role_arn=self._role or "",
        )


def _life(found: Any) -> int:
    """Tell how many seconds credentials are surely good for; those that know no end are looked at again in an hour."""
    if not hasattr(found, "refresh_needed"):
        return DURATION_SECONDS
    return next((s for s in _ASSUMED_LIFE if not found.refresh_needed(refresh_in=s)), _ASSUMED_LIFE[-1])


def _now() -> datetime:
    return datetime.now(timezone.utc)
