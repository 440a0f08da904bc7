"""SageMaker containers for people who compose their tests with testcontainers; docs/pytest.md shows how.

They are testcontainers' own `DockerContainer`s: `with_env`, `with_network` and the rest work as always. What they do
not have is the gateway, the statuses and the artifacts of `sm_emulate.api`. Needs the extra `testcontainers`.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import requests
from docker.types import Mount
from testcontainers.core.container import DockerContainer
from testcontainers.core.wait_strategies import HttpWaitStrategy

from sm_emulate import api

if TYPE_CHECKING:
    from collections.abc import Mapping

PORT = 8080
START_WINDOW_S = 480
INVOCATION_TIMEOUT_S = 70
"""What AWS advises for clients of a model that may take its 60 seconds."""


class _Staged(DockerContainer):
    """A container with files of ours that go when it goes."""

    def __init__(self, image: str, **kwargs: Any) -> None:
        super().__init__(image, **kwargs)
        self._folder = Path(tempfile.mkdtemp(prefix="sm-emulate-"))

    def stop(self, force: bool = True, delete_volume: bool = True) -> None:
        """Stop and remove it, and the files that it was given."""
        super().stop(force, delete_volume)
        shutil.rmtree(self._folder, ignore_errors=True)


class ServingContainer(_Staged):
    """An inference image as SageMaker starts it: `serve`, the model read-only, ready when GET /ping answers 200.

    Args:
        image: the image.
        model: folder or .tar.gz for /opt/ml/model; unpacked as hosting does, with the same refusals.
        environment: of the container.
        startup_timeout_s: for the first healthy ping.
    """

    def __init__(
        self,
        image: str,
        *,
        model: str | Path | None = None,
        environment: Mapping[str, str] | None = None,
        startup_timeout_s: int = START_WINDOW_S,
        **kwargs: Any,
    ) -> None:
        super().__init__(image, **kwargs)
        self.with_command("serve").with_exposed_ports(PORT)
        for name, value in (environment or {}).items():
            self.with_env(name, value)
        if model is not None:
            self.with_kwargs(
                mounts=[_mount(self._unpacked(Path(model).absolute()), "/opt/ml/model", ro=True)]
            )
        self.waiting_for(HttpWaitStrategy(PORT, "/ping").with_startup_timeout(startup_timeout_s))

    @property
    def url(self) -> str:
        """Address of the container itself."""
        return f"http://{self.get_container_host_ip()}:{self.get_exposed_port(PORT)}"

    def invoke(
        self, body: bytes, *, content_type: str | None = None, accept: str | None = None
    ) -> requests.Response:
        """POST a payload to /invocations."""
        headers = {"Content-Type": content_type, "Accept": accept}
        return requests.post(
            f"{self.url}/invocations",
            data=body,
            headers={name: value for name, value in headers.items() if value is not None},
            timeout=INVOCATION_TIMEOUT_S,
        )

    def _unpacked(self, model: Path) -> Path:
        if model.is_dir():
            return model
        folder = self._folder / "model"
        api.unpack_model(model, folder)
        return folder


class TrainingContainer(_Staged):
    """A training image as SageMaker starts it: `train`, and one host's /opt/ml to the letter.

    Args:
        image: the image.
        channels: name of each channel and its folder or file.
        wanted: what else `sm_emulate.api.training_request` takes: hyperparameters, entrypoint ...
    """

    def __init__(
        self, image: str, *, channels: Mapping[str, str | Path] | None = None, **wanted: Any
    ) -> None:
        super().__init__(image)
        request = api.training_request(image, channels=channels or {}, **wanted)
        host = api.plan(request, home=self._folder)[0]
        spec = host.container
        self._opt_ml = self._folder / "training-jobs" / request.training_job_name / "opt-ml" / host.host
        for path in host.directories:
            self._inside(path).mkdir(parents=True, exist_ok=True)
        for path, content in host.files.items():
            file = self._inside(path)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
        for name, value in spec.environment.items():
            self.with_env(name, value)
        if spec.command is not None:
            self.with_command(list(spec.command))
        settings: dict[str, Any] = {
            "mounts": [_mount(Path(each.source), each.target, ro=each.read_only) for each in spec.mounts],
            "hostname": spec.hostname,
            "extra_hosts": dict(line.split(":", 1) for line in spec.extra_hosts),
        }
        if spec.entrypoint is not None:
            settings["entrypoint"] = list(spec.entrypoint)
        self.with_kwargs(**settings)

    @property
    def model_folder(self) -> Path:
        """/opt/ml/model on this machine."""
        return self._inside("/opt/ml/model")

    @property
    def output_folder(self) -> Path:
        """/opt/ml/output on this machine."""
        return self._inside("/opt/ml/output")

    @property
    def failure(self) -> str | None:
        """What the program wrote to /opt/ml/output/failure; None if it did not."""
        file = self.output_folder / "failure"
        return file.read_text(encoding="utf-8", errors="replace") if file.is_file() else None

    def wait_for_exit(self, timeout_s: float = 600) -> int:
        """Wait until the program has ended, and give its exit code."""
        ended = self.get_wrapped_container().wait(timeout=timeout_s)
        return int(ended["StatusCode"])

    def _inside(self, path: str) -> Path:
        return self._opt_ml / PurePosixPath(path).relative_to("/opt/ml")


def _mount(source: Path, target: str, *, ro: bool) -> Mount:
    return Mount(target=target, source=str(source), type="bind", read_only=ro)
