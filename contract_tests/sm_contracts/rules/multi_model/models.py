"""Models that come, answer and go: loading, invoking, unloading, listing."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

from sm_contracts.evidence.multi_model import (
    TOLD_MIB,
    DoubleLoad,
    Invocations,
    Loads,
    Names,
    Paging,
    Unloaded,
    accepted,
)
from sm_contracts.roles import Role
from sm_contracts.rule import Fail, Inconclusive, Outcome, Pass, Severity, rule
from sm_contracts.rules.multi_model import sources

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sm_contracts.evidence.multi_model import Cycles, Loaded

MIB = 1 << 20
NO_SUCH_PATH = frozenset({404, 405, 501})
_NO_SAMPLE = ("no sample payload was given", "give --data @FILE --content-type TYPE")


@rule(
    "SM404", "load-failed", severity=Severity.ERROR, roles=Role.MULTI_MODEL, needs=Loads, source=sources.APIS
)
def load_failed(loads: Loads) -> Iterator[Outcome]:
    """A model cannot be loaded, or is not there once it is.

    What:
        POST /models was sent with an opaque `model_name` and `url` `/opt/ml/models/NAME/model`, where the unpacked
        archive lies, read-only. It was not answered with success; or it was, and then GET /models/NAME was not answered
        with 200, or GET /models does not list the model.

    Why:
        The first request for each model waits for this answer, up to 60 seconds, and its caller gets ModelError when it
        fails. A model that was loaded and is not listed is loaded again, or believed to be lost.

    Fix:
        Load what lies at `url`, keep it under `model_name`, and answer 200 once it can be invoked. Files belong
        elsewhere: /opt/ml/models cannot be written to.
    """
    if loads.blamed:
        yield Inconclusive(f"models cannot be loaded under an opaque name, see {' and '.join(loads.blamed)}")
        return
    for model in loads.models:
        if not model.ok:
            yield Fail(
                f"loading {model.target_model} as {model.name}: the container {model.answer}", model.as_json()
            )
        elif model.got is not None and not model.got.ok:
            yield Fail(
                f"{model.target_model} was loaded, and GET /models/{model.name}: the container {model.got}",
                model.as_json(),
            )
    first, listed = loads.models[0], loads.listed
    if first.ok and listed is not None:
        if listed.trouble:
            yield Fail(f"GET /models with one model loaded: {listed.trouble}", listed.answer.as_json())
        elif listed.names and first.name not in listed.names:
            yield Inconclusive("the model is listed under a name that it was not given, see SM408")
        elif not listed.names:
            yield Fail(f"{first.name} was loaded, and GET /models does not list it", listed.answer.as_json())
    yield Pass({"seconds": [round(model.answer.seconds, 3) for model in loads.models]})


@rule(
    "SM405",
    "double-load-not-409",
    severity=Severity.ERROR,
    roles=Role.MULTI_MODEL,
    needs=DoubleLoad,
    source=sources.APIS,
)
def double_load_not_409(seen: DoubleLoad) -> Iterator[Outcome]:
    """A model that is loaded already is not refused with 409.

    What:
        POST /models was sent for a name that is loaded. It was not answered 409.

    Why:
        409 tells the platform that the model is there, and is as good as success. Another error makes the request that
        waits for the model fail; success means that the model was loaded a second time, beside itself.

    Fix:
        Look the name up first, under a lock, and answer 409 where it is known.
    """
    again = seen.again
    if again.failure or again.status != 409:
        yield Fail(f"loading a model a second time: the container {again}", again.as_json())


@rule(
    "SM407",
    "invoke-failed",
    severity=Severity.ERROR,
    roles=Role.MULTI_MODEL,
    needs=Invocations,
    source=sources.APIS,
)
def invoke_failed(seen: Invocations) -> Iterator[Outcome]:
    """A loaded model does not answer the sample payload.

    What:
        POST /models/NAME/invoke was sent for loaded models, with Content-Type, Accept, and the headers of
        TargetModel and CustomAttributes. The sample payload was not answered 200. Without a sample payload, only 404,
        405 and 501 tell: whatever a model takes, they say that the path or the model is not there.

    Why:
        InvokeEndpoint comes to a multi-model container at this path, not at /invocations. On 404 the platform loads
        the model again.

    Fix:
        Serve POST /models/{model_name}/invoke for every name that was loaded, as POST /invocations serves one model.
    """
    if seen.blamed:
        yield Inconclusive(f"models do not work under an opaque name, see {' and '.join(seen.blamed)}")
        return
    answers = [(model, model.invoked) for model in seen.models if model.invoked is not None]
    for model, answer in answers:
        if answer.ok:
            continue
        if seen.sample_given or answer.status in NO_SUCH_PATH:
            yield Fail(f"invoking {model.target_model}: the container {answer}", answer.as_json())
        else:
            yield Inconclusive(*_NO_SAMPLE)
            return
    yield Pass({"seconds": [round(answer.seconds, 3) for _, answer in answers]})


@rule(
    "SM408",
    "name-not-opaque",
    severity=Severity.ERROR,
    roles=Role.MULTI_MODEL,
    needs=Names,
    source=sources.OPAQUE,
)
def name_not_opaque(seen: Names) -> Iterator[Outcome]:
    """The container derives paths or names from TargetModel.

    What:
        One archive was loaded as the platform does, under a name that is a hash; again under another hash and another
        TargetModel; and, where that does not work, under the name that TargetModel has. The container works only where
        name or path come from TargetModel, or lists a model under a name that it was not given.

    Why:
        `model_name` is the platform's own, opaque name, and has nothing to do with the TargetModel of the request. The
        header X-Amzn-SageMaker-Target-Model is for logs. Callers see ModelError, for some or for all models.

    Fix:
        Use `model_name` as the key and `url` as the path of POST /models, as they are. Find the files in the folder by
        a fixed name or by their kind, not by the archive's name.
    """
    first, renamed, derived = seen.first, seen.renamed, seen.derived
    if derived is not None:
        yield Fail(
            f"{first.target_model} works as {derived.name!r} and not under an opaque name: "
            f"the container {_said(first)}",
            {"opaque": first.as_json(), "derived": derived.as_json()},
        )
    elif renamed is not None and not _alike(first, renamed):
        yield Fail(
            f"the archive {first.target_model} works, and not when TargetModel is {renamed.target_model}: "
            f"the container {_said(renamed)}",
            {"first": first.as_json(), "renamed": renamed.as_json()},
        )
    elif seen.strange:
        yield Fail(
            f"GET /models lists {', '.join(seen.strange[:3])}, which was given to no model as its name",
            {"names": list(seen.strange)},
        )
    elif not first.ok:
        yield Inconclusive("models cannot be loaded, see SM404")
    elif not first.works and seen.sample_given:
        yield Inconclusive("the sample payload is not answered, see SM407")
    elif renamed is None:
        yield Inconclusive("the archive was loaded under one name only")
    else:
        yield Pass({"target_models": [first.target_model, renamed.target_model]})


def _said(model: Loaded) -> str:
    if not model.ok or model.invoked is None:
        return str(model.answer)
    return str(model.invoked)


def _alike(left: Loaded, right: Loaded) -> bool:
    """Tell whether two loads of one archive came out the same; a failure of the first says nothing of the second."""
    if left.ok != right.ok:
        return not left.ok
    if left.invoked is None or right.invoked is None:
        return True
    return right.invoked.ok or not left.invoked.ok


@rule(
    "SM409",
    "unload-keeps",
    severity=Severity.WARNING,
    roles=Role.MULTI_MODEL,
    needs=Unloaded,
    source=sources.APIS,
)
def unload_keeps(seen: Unloaded) -> Iterator[Outcome]:
    """A model that was unloaded is still there, or its memory is.

    What:
        DELETE /models/NAME was sent for a loaded model. It was not answered with success; or the model is still listed,
        or still answers GET or invocations (SM406 is about other errors than 404); or it cannot be loaded again; or,
        while it was loaded and unloaded over and over, the container's resident memory rose by most of the model each
        time.

    Why:
        Unloading is how the platform makes room for the next model: what it took has to be free when the call returns.
        A container that keeps it answers 507 for ever, or is killed for memory.

    Fix:
        Drop every reference to the model and end its worker before you answer. Caches by path or name keep models
        alive.
    """
    shown: dict[str, Any] = {"model_name": seen.name, "delete": seen.answer.as_json()}
    if not accepted(seen.answer):
        yield Fail(f"unloading a loaded model: the container {seen.answer}", shown)
        return
    if any(seen.name in page.names for page in seen.listed):
        yield Fail("a model that was unloaded is still listed by GET /models", shown)
    for what, answer in (("GET /models/NAME", seen.got), ("POST /models/NAME/invoke", seen.invoked)):
        if accepted(answer):
            yield Fail(
                f"{what} of a model that was unloaded: the container {answer}",
                shown | {"answer": answer.as_json()},
            )
    if not accepted(seen.again):
        yield Fail(
            f"loading a model again that was unloaded: the container {seen.again}",
            shown | {"again": seen.again.as_json()},
        )
    if seen.cycles is not None:
        yield from _memory(seen.cycles)


def _memory(cycles: Cycles) -> Iterator[Outcome]:
    readings, model = cycles.readings, cycles.model_bytes
    shown = {
        "resident_mib_after_unload": [round(each / MIB, 1) for each in readings],
        "model_mib": round(model / MIB, 1),
    }
    if model < TOLD_MIB * MIB or len(readings) < 3:
        yield Pass(shown)  # too small a model for its memory to be told
        return
    steps = [after - before for before, after in itertools.pairwise(readings)]
    if all(step > model / 2 for step in steps):
        grown = (
            f"resident memory grew from {readings[0] / MIB:.0f} to {readings[-1] / MIB:.0f} MiB while a model of "
            f"{model / MIB:.0f} MiB was loaded and unloaded {len(steps)} times"
        )
        if cycles.collector:
            yield Inconclusive(f"{grown}; {cycles.collector} may not have collected its garbage yet")
        else:
            yield Fail(grown, shown)
    else:
        yield Pass(shown)


@rule(
    "SM410",
    "pagination",
    severity=Severity.WARNING,
    roles=Role.MULTI_MODEL,
    needs=Paging,
    source=sources.APIS,
)
def pagination(seen: Paging) -> Iterator[Outcome]:
    """GET /models does not list every model exactly once, page by page.

    What:
        With several models loaded, GET /models was followed by its `nextPageToken`, sent as `next_page_token`, to the
        page without one. A page is no list of modelName and modelUrl; a model is missing or comes twice; or there is no
        last page.

    Why:
        The platform follows the pages after every ping, and takes the list for what is in memory. A list without an end
        is a health check without an end.

    Fix:
        Begin each page where its `next_page_token` says, and leave `nextPageToken` out of the last page. A list of all
        models in one answer, without a token, is right as well.
    """
    for page in seen.pages:
        if page.trouble:
            yield Fail(
                f"with {len(seen.expected)} models loaded, {page.answer.what}: {page.trouble}",
                page.answer.as_json(),
            )
            return
    names = [name for page in seen.pages for name in page.names]
    shown = {"pages": [list(page.names) for page in seen.pages], "loaded": list(seen.expected)}
    twice = sorted({name for name in names if names.count(name) > 1})
    missing = [name for name in seen.expected if name not in names]
    if seen.strange:
        yield Inconclusive("models are listed under names that they were not given, see SM408")
    elif twice:
        end = ", and the list has no end" if seen.endless else ""
        yield Fail(f"of {len(seen.expected)} models, {len(twice)} are listed more than once{end}", shown)
    elif seen.endless:
        yield Fail(f"GET /models has no last page with {len(seen.expected)} models loaded", shown)
    elif missing:
        yield Fail(f"of {len(seen.expected)} models, {len(missing)} are not listed", shown)
    else:
        yield Pass({"models": len(seen.expected), "pages": len(seen.pages)})
