"""The course of the multi-model probe: what one container is asked, in an order in which no act spoils the next."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from sm_contracts.evidence import Missing
from sm_contracts.evidence import multi_model as seen
from sm_contracts.probes.multi_model.exhaustion import exhaust
from sm_contracts.probes.multi_model.shelf import Shelf, stem
from sm_contracts.probes.multi_model.surroundings import vary
from sm_contracts.probes.multi_model.talk import EndedError, Talk, opaque
from sm_contracts.probes.serving_crowd import LAZY_COLLECTORS
from sm_contracts.probes.serving_life import Conditions, Life, endpoint_request
from sm_contracts.probes.serving_long import Sample

if TYPE_CHECKING:
    from sm_contracts.evidence.multi_model import Loaded
    from sm_contracts.probes import Workbench

LABEL = "com.amazonaws.sagemaker.capabilities.multi-models"
MODELS = 5
"""Loaded at once, where they load quickly: enough for more than one page of a small list."""
COPIES_S = 15.0
"""For the loads of those that only make the list longer."""
CYCLES = 4
CYCLE_LIMIT_S = 10.0
MIB = 1 << 20
_RENAMED = "sm-emulate/another-name.tar.gz"
"""A TargetModel that no file of the model has anything to do with."""
_NOT_LOADED = Missing("no model could be loaded, see SM404")
_NO_SUCH_PATH = frozenset({404, 405, 501})


class Session:
    """One use of the probe.

    Args:
        bench: the image, the sample input, the engine.
        wanted: types of evidence.
        found: evidence is put here as it comes, so that an interruption loses little.
    """

    def __init__(self, bench: Workbench, wanted: frozenset[type], found: dict[type, object]) -> None:
        self._bench, self._wanted, self._found = bench, wanted, found
        payload = bench.subject.payload
        self._sample = None if payload is None else Sample(payload=payload, accept=payload.accept)
        self._memory: list[int] = []
        """Resident bytes before the first load and after each of the first ones."""

    def run(self) -> None:
        bench = self._bench
        self._found[seen.CapabilityLabel] = seen.CapabilityLabel(
            value=bench.engine.image(bench.subject.image).labels.get(LABEL)
        )
        if not self._wanted - {seen.CapabilityLabel}:
            return
        shelf = Shelf(bench)
        conditions = Conditions(
            name="many models", window_s=bench.subject.limits.startup_timeout_s, vary=vary(shelf)
        )
        with Life(bench, endpoint_request(bench), conditions) as life:
            start = life.begin()
            self._found[seen.PingWithoutModels] = seen.PingWithoutModels(start=start)
            if not start.healthy:
                self._rest(Missing("the container did not become healthy, see SM403"))
                return
            talk = Talk(life, shelf, self._sample)
            try:
                self._before(talk)
                if shelf.trouble is not None:
                    self._rest(shelf.trouble)
                    return
                self._models(life, shelf, talk)
            except EndedError:
                self._rest(Missing(f"the container had exited with code {life.exit_code}"))
                return
            finally:
                if talk.watched:
                    self._found[seen.PingsWhileLoading] = seen.PingsWhileLoading(loads=tuple(talk.watched))
        if seen.Exhaustion in self._wanted and seen.Exhaustion not in self._found:
            self._exhaust(shelf, start.seconds, talk)

    # --- before a model is loaded ---------------------------------------------------------------------

    def _before(self, talk: Talk) -> None:
        self._found[seen.ListBeforeLoad] = seen.ListBeforeLoad(page=talk.page())
        if seen.UnknownName in self._wanted:
            name, key = opaque("unknown.tar.gz", 0), "unknown.tar.gz"
            self._found[seen.UnknownName] = seen.UnknownName(
                get=talk.get(name, key), delete=talk.unload(name, key), invoke=talk.invoke(name, key)
            )

    # --- with models ----------------------------------------------------------------------------------

    def _models(self, life: Life, shelf: Shelf, talk: Talk) -> None:
        """Load the first models, and do to them what the platform does."""
        self._say("loading models")
        self._read_memory(life)
        first = talk.loaded(opaque(shelf.keys[0], 1), shelf.keys[0])
        listed = talk.page() if first.ok else None
        self._read_memory(life)
        second = talk.loaded(opaque(shelf.keys[-1], 2), shelf.keys[-1])
        self._read_memory(life)
        models = (first, second)
        derived = None if self._fine(first) else self._derived(talk, first)
        blamed = ("SM408",) if derived is not None else ()
        loads_blamed = blamed if not first.ok else ()
        self._found[seen.Loads] = seen.Loads(models=models, listed=listed, blamed=loads_blamed)
        ready = tuple(model for model in models if model.ok)
        if not ready:
            self._found[seen.Names] = seen.Names(
                first=first, derived=derived, sample_given=self._sample is not None
            )
            self._rest(
                Missing("models cannot be loaded under an opaque name, see SM408") if derived else _NOT_LOADED
            )
            return
        self._found[seen.Invocations] = seen.Invocations(
            models=ready, sample_given=self._sample is not None, blamed=blamed if first.ok else ()
        )
        if seen.DoubleLoad in self._wanted:
            self._found[seen.DoubleLoad] = seen.DoubleLoad(
                again=talk.load(ready[0].name, ready[0].target_model)
            )
        self._lists(talk, shelf, first, ready, derived)
        if seen.Unloaded in self._wanted:
            self._unload(life, talk, ready[-1])

    def _fine(self, model: Loaded) -> bool:
        """Whether it works as far as can be told."""
        if not model.ok or model.invoked is None:
            return False
        return model.invoked.ok or (self._sample is None and model.invoked.status not in _NO_SUCH_PATH)

    def _derived(self, talk: Talk, first: Loaded) -> Loaded | None:
        """Try a model that does not work under the names that TargetModel gives; the one that works, if any."""
        if seen.Names not in self._wanted:
            return None
        key = first.target_model
        for name in dict.fromkeys((stem(key), key.rpartition("/")[2])):
            tried = talk.loaded(name, key)
            if self._fine(tried):
                return tried
        return None

    def _lists(
        self, talk: Talk, shelf: Shelf, first: Loaded, ready: tuple[Loaded, ...], derived: Loaded | None
    ) -> None:
        """Load copies of the models under further names, and read the list."""
        if not self._wanted & {seen.Names, seen.Paging, seen.PingsWhileLoading}:
            return
        self._say("listing models")
        names = [model.name for model in ready]
        renamed = None
        key = ready[0].target_model
        if seen.Names in self._wanted and self._fine(ready[0]):
            renamed = talk.loaded(opaque(_RENAMED, 3), key, target=_RENAMED)
            names += [renamed.name] if renamed.ok else []
        spent = 0.0
        number = MODELS
        while len(names) < MODELS and number < 2 * MODELS:
            number += 1
            name = opaque(shelf.keys[-1], number)
            answer = talk.load(name, shelf.keys[-1])
            spent += answer.seconds
            names += [name] if seen.accepted(answer) else []
            if spent > COPIES_S:
                break
        if derived is not None and derived.ok:
            names.append(derived.name)
        pages = talk.pages(most=len(names) + 3)
        strange = tuple(
            dict.fromkeys(each for page in pages for each in page.names if each not in talk.given)
        )
        self._found[seen.Names] = seen.Names(
            first=ready[0] if derived is None else first,
            renamed=renamed,
            derived=derived,
            strange=strange,
            sample_given=self._sample is not None,
        )
        self._found[seen.Paging] = seen.Paging(
            expected=tuple(names), pages=pages, endless=pages[-1].token is not None, strange=strange
        )

    def _unload(self, life: Life, talk: Talk, model: Loaded) -> None:
        """Unload a model, look for it, load it again; and over again, where its memory can be told."""
        self._say("unloading a model")
        name, key = model.name, model.target_model
        answer = talk.unload(name, key)
        readings = [self._read_memory(life)]
        gone = seen.Unloaded(
            name=name,
            answer=answer,
            got=talk.get(name, key),
            invoked=talk.invoke(name, key),
            listed=talk.pages(most=MODELS + 3),
            again=talk.load(name, key),
        )
        self._found[seen.Unloaded] = gone
        size, container = self._model_bytes, life.container
        if size is None or container is None or not seen.accepted(gone.again):
            return
        processes = self._bench.engine.processes(container) or ()
        collector = next((each.name for each in processes if each.name in LAZY_COLLECTORS), "")
        if size >= seen.TOLD_MIB * MIB and gone.again.seconds < CYCLE_LIMIT_S:
            for number in range(1, CYCLES):
                talk.unload(name, key)
                readings.append(self._read_memory(life))
                if number < CYCLES - 1:
                    talk.load(name, key)
        cycles = seen.Cycles(model_bytes=size, readings=tuple(readings), collector=collector)
        self._found[seen.Unloaded] = replace(gone, cycles=cycles)

    # --- memory ---------------------------------------------------------------------------------------

    def _read_memory(self, life: Life) -> int:
        """Read resident memory; 0 where that cannot be seen."""
        container = life.container
        found = None if container is None else self._bench.engine.memory(container)
        if found is not None and len(self._memory) < len(("before", "first", "second")):
            self._memory.append(found)
        return found or 0

    @property
    def _model_bytes(self) -> int | None:
        """What a further model takes; the first may bring libraries with it. None where it was not seen."""
        return (
            max(0, self._memory[2] - self._memory[1])
            if len(self._memory) > len(("before", "first"))
            else None
        )

    def _exhaust(self, shelf: Shelf, started_s: float, talk: Talk) -> None:
        size = self._model_bytes
        if size is None:
            self._found[seen.Exhaustion] = Missing(
                "the engine does not tell how much memory a container holds"
            )
            return
        load_s = max((load.seconds for load in talk.watched), default=0.0)
        self._found[seen.Exhaustion] = exhaust(
            self._bench,
            shelf,
            self._sample,
            resident=max(self._memory),
            model_bytes=size,
            load_s=load_s,
            window_s=max(30.0, 10 * started_s),
        )

    def _say(self, what: str) -> None:
        self._bench.say(f"multi-model: {what}")

    def _rest(self, reason: Missing) -> None:
        """Give the same reason for everything that is not there."""
        for kind in self._wanted:
            self._found.setdefault(kind, reason)
