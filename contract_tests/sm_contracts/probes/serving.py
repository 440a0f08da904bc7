"""The serving probe: a long life under one container, and short lives beside it."""

from __future__ import annotations

import time
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sm_contracts.evidence import Missing
from sm_contracts.evidence.serving import answers, connections, end, lives, load
from sm_contracts.evidence.serving.start import FirstInvocation, IdlePings, Start
from sm_contracts.probes import serving_crowd, serving_long, serving_short
from sm_contracts.probes.multi_model.shelf import models_in
from sm_contracts.probes.serving_end import stop
from sm_contracts.probes.serving_life import Conditions, InterruptedLifeError, Life, endpoint_request
from sm_contracts.probes.serving_long import NO_SAMPLE, Sample
from sm_contracts.probes.serving_short import Setting
from sm_contracts.roles import Role

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sm_contracts.evidence.serving.lives import Trial
    from sm_contracts.probes import Evidences, Workbench

AT_ONCE = 2
"""Short lives beside the long one. More would make each other, and it, slow."""
REMEDY_S = 60.0
"""For a container under better conditions, after one that was given the whole start window."""
INTERRUPTED = Missing("the check was interrupted")
NO_ANSWER = Missing("invocations are not answered in time, see SM312")
NOT_WORKING = Missing("the sample payload is not answered 200, see SM311")

_NEEDS_WORKING_SAMPLE = (
    answers.ContentTypeParameters,
    answers.AcceptVariants,
    answers.ExtraHeaders,
    answers.MalformedAnswers,
    load.BusyPings,
    load.ParallelAnswers,
    load.MemoryReadings,
)
_NEEDS_SAMPLE = (FirstInvocation, answers.SampleInvocation, *_NEEDS_WORKING_SAMPLE)
_LONG = (
    Start,
    IdlePings,
    *_NEEDS_SAMPLE,
    answers.AnyInvocation,
    answers.LargeBodies,
    connections.Accepts,
    connections.KeepAlive,
    connections.AfterDrops,
    connections.AfterMalformed,
    end.Stop,
    end.InFlight,
    end.Logs,
    end.ServerBanner,
)
_WITHOUT_SAMPLE = {
    Start,
    IdlePings,
    connections.Accepts,
    connections.AfterMalformed,
    end.Stop,
    end.Logs,
    end.ServerBanner,
    load.Zombies,
    lives.BoundPort,
    lives.Isolated,
    lives.WithoutModel,
}
_SECOND = (lives.SecondStart, connections.SlowBody, load.Zombies)
_SHORT = (
    *_SECOND,
    lives.ModelDirectory,
    lives.SharedMemory,
    lives.WithoutModel,
    lives.Isolated,
    lives.Serverless,
    lives.BoundPort,
)


@dataclass(frozen=True, kw_only=True)
class ServingProbe:
    """Serves the image's model and does to it what SageMaker, the network and clients do."""

    name: str = "serving"
    gives: tuple[type, ...] = (*_LONG, *_SHORT)
    lives: int = 7
    alone: bool = True

    def run(self, bench: Workbench, wanted: frozenset[type]) -> Evidences:
        """Give what is wanted of one container, and of further ones only where it takes them."""
        found: dict[type, object] = {}
        with suppress(InterruptedLifeError):
            _Serving(bench, wanted, found).run()
        return {kind: found.get(kind, INTERRUPTED) for kind in wanted}


PROBES = (ServingProbe(),)


class _Serving:
    """One run of the probe; `found` is filled as it goes."""

    def __init__(self, bench: Workbench, wanted: frozenset[type], found: dict[type, object]) -> None:
        self.bench, self.wanted, self.found = bench, wanted, found
        self.subject = bench.subject
        payload = self.subject.payload
        self.sample = None if payload is None else Sample(payload=payload, accept=payload.accept)
        self.request = endpoint_request(bench)
        self.model = model_folder(bench)
        self.server: str | None = None
        """The Server header of its pings."""
        self.spoilt: Missing | None = None
        """Why the long life can be asked nothing more."""

    def run(self) -> None:
        window = self.subject.limits.startup_timeout_s
        conditions = Conditions(name="long life", window_s=window, model=self.model)
        with ExitStack() as resources:
            life = resources.enter_context(Life(self.bench, self.request, conditions))
            start = life.begin()
            if not start.healthy:
                life.kill()
                self._never_healthy(life, start)
                return
            first = self._sample(life)
            self._check_stopping()
            trial = life.trial(start, tuple(self.sample.answers) if self.sample else ())
            setting = self._setting(trial, max(20.0, 10 * start.seconds))
            self.found[Start] = start
            pool = resources.enter_context(ThreadPoolExecutor(AT_ONCE, thread_name_prefix="short life"))
            short = self._begin_short(pool, setting)
            self.found |= first
            if end.ServerBanner in self.wanted:
                self.server = life.client.ping().header("Server")
            self._acts(life)
            self._end(life)
            for future in short:
                seen = future.result()
                self._check_stopping()
                self.found |= seen

    # --- a container that does not come up ------------------------------------------------------------

    def _never_healthy(self, life: Life, start: Start) -> None:
        rule = "SM302" if start.outcome == "unhealthy" else "SM301"
        missing = Missing(f"the container did not become healthy, see {rule}")
        for kind in self.wanted:
            self.found[kind] = missing
        last = start.pings[-1] if start.pings else None
        worth = start.outcome == "exited" or (
            start.outcome == "unhealthy"
            and not start.other_paths
            and (not start.listeners or (last is not None and (last.status or 0) >= 500))
        )
        if worth:
            trial = life.trial(start)
            window = min(REMEDY_S, max(20.0, 3 * start.seconds))
            remedy, rule = self._remedies(self._setting(trial, window))
            start = replace(start, remedy=remedy, remedy_rule=rule)
        self.found[Start] = start
        if start.patient is not None and start.patient.ok:
            again = start.patient
            self.found[IdlePings] = IdlePings(pings=(again, again))
        if self.subject.model is None and start.outcome != "not-started":
            self.found[lives.WithoutModel] = self._main_without_model(life, start)

    def _main_without_model(self, life: Life, start: Start) -> lives.WithoutModel:
        return lives.WithoutModel(
            trial=life.trial(start), window_s=start.window_s, logged=life.log_bytes > 0, with_model=None
        )

    def _remedies(self, setting: Setting) -> tuple[str, str]:
        """Try what might mend it: a model directory that can be written to, more shared memory."""
        tries: list[Future[tuple[str, str, Trial]]] = []
        with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="remedy") as pool:
            if self.model is not None:
                tries.append(pool.submit(_try, "a writable /opt/ml/model", "SM324", setting, _WRITABLE))
            tries.append(pool.submit(_try, "1 GiB of /dev/shm", "SM338", setting, _SHARED))
        remedy = rule = ""
        for future in tries:
            what, about, trial = future.result()
            works = trial.came_up and (
                self.sample is None or setting.first.outcome != "healthy" or trial.answered
            )
            if about == "SM324":
                self.found[lives.ModelDirectory] = lives.ModelDirectory(
                    read_only=setting.first, writable=trial, sample_given=self.sample is not None
                )
            else:
                self.found[lives.SharedMemory] = lives.SharedMemory(
                    small=setting.first, large=trial, sample_given=self.sample is not None
                )
            if works and not remedy:
                remedy, rule = what, about
        return remedy, rule

    # --- the long life --------------------------------------------------------------------------------

    def _sample(self, life: Life) -> dict[type, object]:
        """Send the sample payload first of all; learn what it does."""
        if self.sample is None or not self.wanted - _WITHOUT_SAMPLE:
            return {}
        given: dict[type, object] = {FirstInvocation: serving_long.first_invocation(life, self.sample)}
        given[answers.SampleInvocation] = serving_long.sample_invocation(life, self.sample)
        return given

    def _acts(self, life: Life) -> None:
        sample = self.sample
        working = sample if sample is not None and sample.works else None
        if sample is not None and sample.answers and not sample.works:
            self._blame_conditions(life, sample)
        for kind in self.wanted & set(_NEEDS_SAMPLE):
            if sample is None:
                self.found[kind] = NO_SAMPLE
            elif working is None and kind in _NEEDS_WORKING_SAMPLE:
                self.found[kind] = NOT_WORKING
        self._act(life, answers.AnyInvocation, lambda: serving_long.any_invocation(life, sample))
        self._act(life, IdlePings, lambda: serving_long.idle_pings(life))
        if working is not None:
            self._with_sample(life, working)
        if sample is not None and sample.mute:
            for kind in (connections.KeepAlive, answers.LargeBodies, end.InFlight):
                self.found[kind] = NO_ANSWER
        self._act(life, connections.KeepAlive, lambda: serving_crowd.keep_alive(life, working))
        self._act(life, connections.Accepts, lambda: serving_crowd.accepts(life))
        if working is not None:
            self._act(life, load.MemoryReadings, lambda: serving_crowd.memory(life, working))
            self._busy(life, working)
        self._act(life, answers.LargeBodies, lambda: serving_long.large_bodies(life, working), spoils="SM313")
        self._act(
            life, connections.AfterDrops, lambda: serving_crowd.after_drops(life, working), spoils="SM320"
        )
        if working is not None:
            self._act(life, answers.MalformedAnswers, lambda: serving_long.malformed_answers(life, working))
        burst = connections.AfterMalformed
        self._act(life, burst, lambda: serving_crowd.after_malformed(life, working), spoils="SM321")

    def _with_sample(self, life: Life, working: Sample) -> None:
        kinds: dict[type, Callable[[Life, Sample], object]] = {
            answers.ContentTypeParameters: serving_long.content_type_parameters,
            answers.AcceptVariants: serving_long.accept_variants,
            answers.ExtraHeaders: serving_long.extra_headers,
        }
        for kind, act in kinds.items():
            self._act(life, kind, lambda act=act: act(life, working))  # type: ignore[misc]  # the default binds the loop's value

    def _busy(self, life: Life, working: Sample) -> None:
        both = {load.BusyPings, load.ParallelAnswers}
        if not both & self.wanted or not self._willing(life, both):
            return
        self.bench.say("serving: many clients")
        pings, parallel = serving_crowd.busy(life, working)
        self._check_stopping()
        self.found[load.BusyPings], self.found[load.ParallelAnswers] = pings, parallel
        self._look_after(life, "SM333")

    def _act(self, life: Life, kind: type, act: Callable[[], object], *, spoils: str = "") -> None:
        if kind not in self.wanted or kind in self.found or not self._willing(life, {kind}):
            return
        seen = act()
        self._check_stopping()
        self.found[kind] = seen
        if spoils:
            self._look_after(life, spoils)

    def _willing(self, life: Life, kinds: set[type]) -> bool:
        """Whether the container can still be asked; if not, say so in the evidence."""
        self._check_stopping()
        if self.spoilt is None and life.container is None:
            self.spoilt = Missing(f"the container had exited with code {life.exit_code}")
        if self.spoilt is None:
            return True
        for kind in kinds:
            self.found[kind] = self.spoilt
        return False

    def _check_stopping(self) -> None:
        """What an act saw while the user wanted to leave was cut short, and tells nothing."""
        if self.bench.stopping():
            raise InterruptedLifeError

    def _look_after(self, life: Life, rule: str) -> None:
        """See whether an act spoilt the container for those that follow."""
        until = time.monotonic() + serving_crowd.RECOVERY_S
        while life.container is not None and time.monotonic() < until and not self.bench.stopping():
            if life.client.ping(timeout_s=6.0).ok:
                return
            time.sleep(0.3)
        self.spoilt = Missing(f"the container was not healthy any more after what {rule} tells about")

    def _blame_conditions(self, life: Life, sample: Sample) -> None:
        """See whether a sample that fails would work under better conditions."""
        last = sample.answers[-1]
        if last.failure == "timeout" or (last.answered and (last.status or 0) < 500):
            return
        trial = replace(life.trial(self._start), answers=tuple(sample.answers))
        remedy, rule = self._remedies(self._setting(trial, max(20.0, 10 * trial.seconds)))
        seen = self.found.get(answers.SampleInvocation)
        if isinstance(seen, answers.SampleInvocation):
            self.found[answers.SampleInvocation] = replace(seen, remedy=remedy, remedy_rule=rule)

    @property
    def _start(self) -> Start:
        start = self.found[Start]
        assert isinstance(start, Start)
        return start

    def _end(self, life: Life) -> None:
        """Stop the container, and read what it left behind."""
        kinds: set[type] = {end.Stop, end.InFlight, end.Logs}
        if kinds & self.wanted:
            if life.container is None:
                self._willing(life, kinds & {end.Stop, end.InFlight})
            else:
                self.bench.say("serving: stop")
                asked = end.InFlight in self.wanted - set(self.found) and self.spoilt is None
                window = self.subject.limits.serve_stop_grace_s
                told, flight = stop(life, self._working, in_flight=asked, window_s=window)
                self._check_stopping()
                self.found[end.Stop] = told
                self.found.setdefault(end.InFlight, flight or self.spoilt)
        life.kill()
        life.await_log()
        self.found[end.Logs] = end.Logs(bytes=life.log_bytes, tail=life.log_tail)
        self.found[end.ServerBanner] = end.ServerBanner(
            server=self.server, log_lines=tuple(life.dev_lines[:3])
        )

    @property
    def _working(self) -> Sample | None:
        return self.sample if self.sample is not None and self.sample.works else None

    # --- short lives ----------------------------------------------------------------------------------

    def _setting(self, first: Trial, window_s: float) -> Setting:
        return Setting(
            bench=self.bench,
            request=self.request,
            model=self.model,
            sample=self.sample,
            first=first,
            window_s=min(self.subject.limits.startup_timeout_s, window_s),
        )

    def _begin_short(self, pool: ThreadPoolExecutor, setting: Setting) -> list[Future[dict[type, object]]]:
        """Begin those that are wanted, the longest first."""
        wanted = self.wanted
        tasks: list[Callable[[], dict[type, object]]] = []
        if set(_SECOND) & wanted:
            if self.sample is not None and self.sample.mute:
                self.found[connections.SlowBody] = NO_ANSWER
            second = wanted - set(self.found)
            tasks.append(lambda: serving_short.second_start(setting, second))
        if lives.BoundPort in wanted:
            tasks.append(lambda: {lives.BoundPort: serving_short.bound_port(setting)})
        fine = self.sample is None or self.sample.works
        if self.model is None:
            if lives.ModelDirectory in wanted and fine:
                tasks.append(lambda: {lives.ModelDirectory: serving_short.model_directory(setting)})
            self.found[lives.WithoutModel] = lives.WithoutModel(
                trial=setting.first, window_s=setting.window_s, logged=True, with_model=None
            )
        else:
            if fine:
                self.found[lives.ModelDirectory] = lives.ModelDirectory(
                    read_only=setting.first, writable=None, sample_given=self.sample is not None
                )
            if lives.WithoutModel in wanted:
                tasks.append(lambda: {lives.WithoutModel: serving_short.without_model(setting)})
        if fine:
            self.found[lives.SharedMemory] = lives.SharedMemory(
                small=setting.first, large=None, sample_given=self.sample is not None
            )
        else:
            self.found[lives.ModelDirectory] = self.found[lives.SharedMemory] = NOT_WORKING
        if lives.Isolated in wanted:
            tasks.append(lambda: {lives.Isolated: serving_short.isolated(setting)})
        if lives.Serverless in wanted:
            tasks.append(lambda: {lives.Serverless: serving_short.serverless(setting)})
        return [pool.submit(task) for task in tasks]


def _try(what: str, rule: str, setting: Setting, trial: Callable[[Setting], Trial]) -> tuple[str, str, Trial]:
    return what, rule, trial(setting)


_WRITABLE = serving_short.writable_model
_SHARED = serving_short.more_shared_memory


def model_folder(bench: Workbench) -> Path | None:
    """Unpack a model archive once for all lives."""
    model = bench.subject.model
    if model is not None and Role.MULTI_MODEL in bench.subject.roles:
        # it may be a folder of archives: the container that serves one model has the first of them
        _, model = models_in(model)[0]
    if model is None or not model.name.endswith(".tar.gz"):
        return model
    from sm_emulate import api

    bench.say("serving: unpacking the model")
    folder = bench.folder / "model"
    api.unpack_model(model, folder)
    return folder
