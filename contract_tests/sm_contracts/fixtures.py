"""What the pytest fixtures give: jobs and endpoints of any image, in a few words."""

from __future__ import annotations

import json
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sm_emulate import api

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from sm_emulate.api import Answer, Endpoint, Engine, TrainingResult


@dataclass(kw_only=True)
class TrainingFactory:
    """Runs training jobs to their end."""

    engine: Engine
    home: Path

    def __call__(self, image: str, *, gpus: str = "auto", **wanted: Any) -> TrainingResult:
        """Run a job; `wanted` is what `sm_emulate.api.training_request` takes. A failed job is a result, too."""
        request = api.training_request(image, **wanted)
        return api.train(request, engine=self.engine, home=self.home, gpus=gpus)


@dataclass(frozen=True, kw_only=True)
class LiveEndpoint:
    """An endpoint in service."""

    endpoint: Endpoint

    @property
    def name(self) -> str:
        return self.endpoint.request.endpoint_name

    @property
    def url(self) -> str:
        """Address of the gateway: `/ping`, `/invocations`, and what boto3 takes as `endpoint_url`."""
        return self.endpoint.url

    @property
    def invocations_url(self) -> str:
        """Where to POST a payload."""
        return f"{self.url}/invocations"

    def invoke(
        self,
        body: bytes | str | object,
        *,
        content_type: str | None = None,
        accept: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Invoke it as InvokeEndpoint does: bytes and text as they are, anything else as JSON."""
        if isinstance(body, bytes):
            payload, implied = body, None
        elif isinstance(body, str):
            payload, implied = body.encode(), None
        else:
            payload, implied = json.dumps(body).encode(), "application/json"
        return api.invoke(
            self.name,
            payload,
            content_type=content_type or implied,
            accept=accept,
            headers=headers,
            home=self.endpoint.run_folder.home,
        )


@dataclass(kw_only=True)
class EndpointFactory:
    """Starts endpoints, and stops them all at its end."""

    engine: Engine
    home: Path
    _open: ExitStack = field(default_factory=ExitStack, repr=False)

    def __call__(self, image: str, *, gpus: str = "auto", **wanted: Any) -> LiveEndpoint:
        """Start an endpoint; `wanted` is what `sm_emulate.api.endpoint_request` takes.

        Raises:
            EndpointFailedError: it did not pass the ping health check; the error has the diagnosis.
        """
        request = api.endpoint_request(image, **wanted)
        serving = api.serve(request, engine=self.engine, home=self.home, gpus=gpus)
        return LiveEndpoint(endpoint=self._open.enter_context(serving))

    def __enter__(self) -> EndpointFactory:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()
