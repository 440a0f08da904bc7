"""The images that an engine of the Docker API has."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from sm_emulate.engine import render
from sm_emulate.engine.wire import RefusedError
from sm_emulate.errors import ImageNotFoundError, NotFoundError

if TYPE_CHECKING:
    from sm_emulate.engine.protocol import HistoryStep, Image, PullProgress, RegistryManifest
    from sm_emulate.engine.wire import Client
    from sm_emulate.errors import EngineError

_NO_NAME = "invalid reference format"


class DockerImages:
    """The part of an `Engine` that knows images."""

    _client: Client

    def image(self, reference: str) -> Image:
        try:
            return render.image(self._client.call("GET", f"/images/{quote(reference, safe='/:@')}/json"))
        except (NotFoundError, RefusedError) as error:
            # 400 is Docker's for a name that is none
            if isinstance(error, RefusedError) and error.status != 400 and _NO_NAME not in error.words:
                raise
            raise no_image(reference, error) from error

    def pull(self, reference: str, progress: PullProgress | None = None) -> Image:
        from sm_emulate.engine import registry

        registry.pull(self._client, reference, progress)
        return self.image(reference)

    def load(self, archive: str) -> tuple[str, ...]:
        from sm_emulate.engine import loading

        return loading.load(self._client, archive)

    def history(self, reference: str) -> tuple[HistoryStep, ...]:
        try:
            return render.history(self._client.call("GET", f"/images/{quote(reference, safe='/:@')}/history"))
        except NotFoundError as error:
            raise no_image(reference, error) from error

    def registry_manifest(self, reference: str, timeout: float) -> RegistryManifest:
        from sm_emulate.engine import registry

        return registry.manifest(self._client, reference, timeout)

    def stored_manifest(self, reference: str) -> RegistryManifest | None:
        import json

        if self._client.version < render.TELLS_MANIFESTS:
            return None
        wanted = {"filters": json.dumps({"reference": [reference]}), "manifests": 1}
        for found in self._client.call("GET", "/images/json", query=wanted) or ():
            if found.get("Manifests"):
                return render.stored_manifest(found)
        return None


def no_image(reference: str, error: EngineError) -> ImageNotFoundError:
    return ImageNotFoundError(
        "the container engine has no such image",
        value=reference,
        hint="build or pull it; `docker images` lists what is there",
        evidence=error.evidence,
    )
