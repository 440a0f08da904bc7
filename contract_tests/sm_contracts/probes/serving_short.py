"""Short lives: what needs a fresh container, each under one condition that differs."""

from __future__ import annotations

import os
import shutil
import stat
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sm_contracts.evidence import Missing
from sm_contracts.evidence.serving.connections import SlowBody
from sm_contracts.evidence.serving.lives import (
    BoundPort,
    Isolated,
    ModelDirectory,
    SecondStart,
    Serverless,
    Trial,
    WithoutModel,
)
from sm_contracts.evidence.serving.load import Zombies
from sm_contracts.probes.serving_end import slow_body, zombies
from sm_contracts.probes.serving_http import wait
from sm_contracts.probes.serving_life import Conditions, Life
from sm_contracts.roles import Role

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sm_contracts.evidence.serving.exchange import Exchange
    from sm_contracts.evidence.serving.start import Start
    from sm_contracts.probes import Workbench
    from sm_contracts.probes.serving_long import Sample
    from sm_emulate.api import ContainerSpec, EndpointRequest

MODEL_DIRECTORY = "/opt/ml/model"
BOUND_PORT = 8123
SAFE_PORTS = (9000, 9999)
SERVERLESS_USER = "993:990"
GIB = 1 << 30
ACCEPT_BIND_TO_PORT = "com.amazonaws.sagemaker.capabilities.accept-bind-to-port"
PATIENCE_S = 3.0
"""For the first answer to the sample payload after a healthy ping."""
SETTLED_S = 2.0
"""A container without its model that keeps on answering its pings with the same refusal for this long has said it."""


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What every short life starts from.

    Args:
        bench: what the probe works with.
        request: the endpoint.
        model: folder of the model data; None if none was given.
        sample: the sample payload, if one was given.
        first: the long life's start, and its answers.
        window_s: for a healthy ping: many times what the long life took.
    """

    bench: Workbench
    request: EndpointRequest
    model: Path | None
    sample: Sample | None
    first: Trial
    window_s: float

    @property
    def sample_works(self) -> bool:
        return self.sample is not None and self.sample.works

    def life(
        self,
        name: str,
        *,
        model: Path | None = None,
        vary: Callable[[ContainerSpec], ContainerSpec] | None = None,
        isolated: bool = False,
    ) -> Life:
        """Give a further container."""
        conditions = Conditions(name=name, window_s=self.window_s, model=model, vary=vary, isolated=isolated)
        return Life(self.bench, self.request, conditions)

    def try_once(self, life: Life) -> Trial:
        """Bring it up and send it the sample payload, if there is one; again if it comes too early."""
        with life:
            start = life.begin()
            answers = self.ask(life) if start.healthy else ()
            return life.trial(start, answers)

    def ask(self, life: Life, repeats: int = 1) -> tuple[Exchange, ...]:
        """Send the sample payload until it works, then repeat it."""
        if self.sample is None or self.sample.mute:
            return ()
        # an image that answers its pings before it is ready (SM305) is late again here, and several at once are later
        patience = max(PATIENCE_S, 3 * self.sample.worked_after_s)
        answers = [life.client.send(self.sample.request())]
        began = time.monotonic()
        while (
            not answers[-1].ok
            and answers[-1].failure != "timeout"
            and time.monotonic() - began < patience
            and life.container is not None
            and not self.bench.stopping()
        ):
            wait(0.4, self.bench.stopping)
            answers = [life.client.send(self.sample.request())]
        while len(answers) < repeats and answers[-1].ok:
            answers.append(life.client.send(self.sample.request()))
        return tuple(answers)


def writable_model(setting: Setting) -> Trial:
    """Show it a model directory that it may write to."""
    folder = setting.bench.folder / "writable-model"
    if setting.model is None:
        folder.mkdir(exist_ok=True)
    else:
        shutil.copytree(setting.model, folder, symlinks=True)
    return setting.try_once(setting.life("writable model", vary=_with_model(folder, read_only=False)))


def read_only_model(setting: Setting) -> Trial:
    """Show it an empty model directory that it may not write to."""
    folder = setting.bench.folder / "empty-model"
    folder.mkdir(exist_ok=True)
    return setting.try_once(setting.life("read-only model", vary=_with_model(folder, read_only=True)))


def more_shared_memory(setting: Setting) -> Trial:
    """Give it 1 GiB of /dev/shm."""

    def vary(spec: ContainerSpec) -> ContainerSpec:
        return replace(spec, shm_bytes=GIB)

    return setting.try_once(setting.life("1 GiB shm", model=setting.model, vary=vary))


def model_directory(setting: Setting) -> ModelDirectory:
    """Compare, where no model data was given: the long life had no mount at all."""
    read_only = read_only_model(setting)
    fine = read_only.came_up and (setting.sample is None or read_only.answered)
    return ModelDirectory(
        read_only=read_only,
        writable=None if fine else writable_model(setting),
        sample_given=setting.sample_works,
    )


def isolated(setting: Setting) -> Isolated | Missing:
    """Cut it off from every network."""
    with setting.life("isolated", model=setting.model, isolated=True) as life:
        start = life.begin()
        if not start.healthy and start.outcome == "unhealthy" and not life.directly_reached:
            return Missing("containers on an isolated network cannot be reached on this engine")
        return Isolated(trial=life.trial(start), asked_for=setting.bench.subject.network_isolation)


def serverless(setting: Setting) -> Serverless:
    """Run it as another user, on a read-only root, with only /tmp to write to."""

    def vary(spec: ContainerSpec) -> ContainerSpec:
        return replace(
            spec,
            user=SERVERLESS_USER,
            read_only_root=True,
            tmpfs={**spec.tmpfs, "/tmp": "mode=1777"},  # noqa: S108  # in the container
        )

    model = readable(setting.model, setting.bench.folder / "readable-model")
    trial = setting.try_once(setting.life("serverless", model=model, vary=vary))
    return Serverless(
        trial=trial,
        sample_given=setting.sample_works,
        asked_for=Role.SERVERLESS in setting.bench.subject.roles,
    )


def without_model(setting: Setting) -> WithoutModel:
    """Give it no model data."""
    with setting.life("without model data") as life:
        start = _begin_or_settle(life)
        life.kill() if start.outcome == "exited" else None
        return WithoutModel(
            trial=life.trial(start),
            window_s=setting.window_s,
            logged=life.log_bytes > 0,
            with_model=setting.first,
        )


def _begin_or_settle(life: Life) -> Start:
    """Wait as `begin` does, or until it has refused its pings for a while: it says that it cannot serve."""
    import threading

    found: list[Start] = []
    trouble: list[BaseException] = []

    def begin() -> None:
        try:
            found.append(life.begin())
        except BaseException as error:  # noqa: BLE001  # raised again in the thread that asked
            trouble.append(error)

    waiting = threading.Thread(target=begin, name="waiting", daemon=True)
    waiting.start()
    refused_since: float | None = None
    while waiting.is_alive():
        waiting.join(0.05)
        last = life.pings[-1] if life.pings else None
        if last is None or last.status in (None, 200):
            refused_since = None
        elif refused_since is None:
            refused_since = time.monotonic()
        elif time.monotonic() - refused_since > SETTLED_S and waiting.is_alive():
            life.kill()
            break
    waiting.join()
    if trouble:
        raise trouble[0]
    start = found[0]
    # it did not exit by itself where we ended it
    return replace(start, outcome="unhealthy") if refused_since is not None and not start.healthy else start


def second_start(setting: Setting, wanted: frozenset[type]) -> dict[type, object]:
    """Start it once more; on its way, a slow body, and at the end a worker that is killed."""
    given: dict[type, object] = {}
    with setting.life("second start", model=setting.model) as life:
        start = life.begin()
        answers = setting.ask(life, repeats=3) if start.healthy and setting.sample_works else ()
        given[SecondStart] = SecondStart(first=setting.first, second=life.trial(start, answers))
        if not start.healthy:
            return given
        if SlowBody in wanted:
            given[SlowBody] = slow_body(life, setting.sample)
        if Zombies in wanted:
            given[Zombies] = zombies(life)
    return given


def bound_port(setting: Setting) -> BoundPort:
    """Tell it on which port to listen, as in a pipeline."""
    safe = f"{SAFE_PORTS[0]}-{SAFE_PORTS[1]}"
    told = {"SAGEMAKER_BIND_TO_PORT": str(BOUND_PORT), "SAGEMAKER_SAFE_PORT_RANGE": safe}

    def vary(spec: ContainerSpec) -> ContainerSpec:
        return replace(spec, environment={**spec.environment, **told}, publish=(*spec.publish, BOUND_PORT))

    bench = setting.bench
    with setting.life("bind to port", model=setting.model, vary=vary) as life:
        until = time.monotonic() + setting.window_s
        default = seen = None
        while time.monotonic() < until and not bench.stopping():
            if life.container is not None and life.reached:
                seen = life.client_at(BOUND_PORT).ping()
                default = life.client.ping()
                if seen.ok or default.ok:
                    break
            if life.over:
                break
            wait(0.1, bench.stopping)
        wait(0.2, bench.stopping)  # further ports may open a moment later
        listeners = life.listeners()
        if default is not None and default.ok and seen is not None and not seen.ok:
            seen = life.client_at(BOUND_PORT).ping()
        labels = bench.engine.image(bench.subject.image).labels
        from sm_contracts.evidence.serving.exchange import Exchange

        nothing = Exchange(what="GET /ping", failure="refused", detail="the container had ended")
        return BoundPort(
            port=BOUND_PORT,
            safe=SAFE_PORTS,
            ping=seen or nothing,
            default_ping=default or nothing,
            listeners=listeners,
            exit_code=life.exit_code,
            labelled=labels.get(ACCEPT_BIND_TO_PORT, "").lower() == "true",
        )


def _with_model(folder: Path, *, read_only: bool) -> Callable[[ContainerSpec], ContainerSpec]:
    from sm_emulate.api import Mount

    def vary(spec: ContainerSpec) -> ContainerSpec:
        others = tuple(mount for mount in spec.mounts if mount.target != MODEL_DIRECTORY)
        mount = Mount(source=str(folder), target=MODEL_DIRECTORY, read_only=read_only)
        return replace(spec, mounts=(*others, mount))

    return vary


def readable(model: Path | None, copy: Path) -> Path | None:
    """Give the model folder as any user may read it: SageMaker's is; a user's own folder may be private."""
    if model is None or all(_open_to_all(path) for path in (model, *model.rglob("*"))):
        return model
    shutil.copytree(model, copy)
    for path in (copy, *copy.rglob("*")):
        path.chmod(path.stat().st_mode | (0o755 if path.is_dir() else 0o644))
    return copy


def _open_to_all(path: Path) -> bool:
    mode = os.lstat(path).st_mode
    if stat.S_ISDIR(mode):
        return mode & 0o005 == 0o005
    return bool(mode & 0o004) or stat.S_ISLNK(mode)
