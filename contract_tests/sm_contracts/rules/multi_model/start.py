"""Before any model is loaded: the label, the list, the health check."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sm_contracts.evidence.multi_model import CapabilityLabel, ListBeforeLoad, PingWithoutModels, UnknownName
from sm_contracts.roles import Role
from sm_contracts.rule import Fail, Outcome, Pass, Severity, rule
from sm_contracts.rules.multi_model import sources
from sm_contracts.rules.serving.start import cause

if TYPE_CHECKING:
    from collections.abc import Iterator

LABEL = "com.amazonaws.sagemaker.capabilities.multi-models"


@rule(
    "SM401",
    "label-missing",
    severity=Severity.ERROR,
    roles=Role.MULTI_MODEL,
    needs=CapabilityLabel,
    source=sources.BUILD,
)
def label_missing(label: CapabilityLabel) -> Iterator[Outcome]:
    """The image does not say that it can serve many models.

    What:
        The label `com.amazonaws.sagemaker.capabilities.multi-models` is missing, or is not `true`.

    Why:
        CreateModel with `Mode: MultiModel` reads the image's labels and refuses it: "Your Ecr Image does not contain
        required com.amazonaws.sagemaker.capabilities.multi-models=true Docker label(s)."

    Fix:
        `LABEL com.amazonaws.sagemaker.capabilities.multi-models=true` in the Dockerfile.
    """
    if label.value is None:
        yield Fail(f"the image has no label {LABEL}", {"label": LABEL})
    elif label.value != "true":
        yield Fail(
            f"the label {LABEL} is {label.value!r}, not 'true'", {"label": LABEL, "value": label.value}
        )


@rule(
    "SM402",
    "list-before-load",
    severity=Severity.ERROR,
    roles=Role.MULTI_MODEL,
    needs=ListBeforeLoad,
    source=sources.LIST_AFTER_PING,
)
def list_before_load(seen: ListBeforeLoad) -> Iterator[Outcome]:
    """GET /models is not an empty list before a model is loaded.

    What:
        Before any load, GET /models was not answered with 200 and `{"models": []}`.

    Why:
        The platform asks for GET /models right after every GET /ping, also while nothing is loaded. A 404 or an error
        fails the health check, with the same "did not pass the ping health check" as a ping that fails. Models that
        are listed and were never loaded are believed to be there.

    Fix:
        Answer GET /models with 200 and `{"models": []}` from the first moment on. A server that loads the content of
        /opt/ml/model by itself has to leave that to POST /models when SAGEMAKER_MULTI_MODEL is `true`.
    """
    page = seen.page
    if page.trouble:
        yield Fail(f"GET /models before any load: {page.trouble}", page.answer.as_json())
    elif page.names:
        yield Fail(
            f"GET /models lists {', '.join(page.names[:3])} before any model was loaded",
            page.answer.as_json(),
        )
    elif page.token is not None:
        yield Fail("GET /models promises a next page of an empty list", page.answer.as_json())
    else:
        yield Pass({"seconds": round(page.answer.seconds, 3)})


@rule(
    "SM403",
    "ping-without-models",
    severity=Severity.ERROR,
    roles=Role.MULTI_MODEL,
    needs=PingWithoutModels,
    source=sources.APIS,
)
def ping_without_models(seen: PingWithoutModels) -> Iterator[Outcome]:
    """GET /ping is not answered with 200 while no model is loaded.

    What:
        The container was started as for many models: SAGEMAKER_MULTI_MODEL is `true`, /opt/ml/models is an empty
        folder, and nothing is loaded. It ended, or GET /ping on port 8080 was not answered with 200 in the start
        window.

    Why:
        A multi-model endpoint comes into service before the first model is loaded: models come with the requests that
        name them. A container that waits for a model is never healthy, and CreateEndpoint fails.

    Fix:
        Answer GET /ping with 200 as soon as the server itself can take requests. Load nothing at the start, and do not
        exit because /opt/ml/model is empty.
    """
    start = seen.start
    if start.healthy:
        yield Pass({"seconds_to_healthy": round(start.seconds, 3)})
        return
    evidence = {"outcome": start.outcome, "window_seconds": start.window_s, "log_tail": list(start.log_tail)}
    if start.outcome == "not-started":
        yield Fail(f"the program could not be started: {start.start_error}", {"error": start.start_error})
    elif start.outcome == "exited":
        yield Fail(
            f"the container exited with code {start.exit_code} after {start.seconds:.1f} s, without a model to load",
            evidence | {"exit_code": start.exit_code, "oom_killed": start.oom_killed},
        )
    else:
        found, seen_instead = cause(start)
        message = f"no 200 on GET /ping within {start.window_s:g} s while no model is loaded: {seen_instead}"
        yield Fail(message, evidence | {"cause": found})


@rule(
    "SM406",
    "unknown-not-404",
    severity=Severity.ERROR,
    roles=Role.MULTI_MODEL,
    needs=UnknownName,
    source=sources.APIS,
)
def unknown_not_404(seen: UnknownName) -> Iterator[Outcome]:
    """A model that is not loaded is answered with something else than 404.

    What:
        GET, DELETE and POST .../invoke were sent for a name that was never loaded. One of them was not answered 404.

    Why:
        By 404 the platform knows that a model is not, or no longer, in memory, and loads it. Any other status of an
        invocation goes to the caller as an error of the model; any other status of an unload is an unload that failed.

    Fix:
        Answer 404 for every name that is not loaded, in all three places, before the body is looked at.
    """
    for what, answer in seen.each.items():
        if answer.failure or answer.status != 404:
            yield Fail(f"{what} for a model that is not loaded: the container {answer}", answer.as_json())
