"""An update of a running endpoint, as another process asks for it: through a file in its run folder."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from sm_emulate.errors import RequestError
from sm_emulate.request.endpoint import from_request_file
from sm_emulate.request.hosted_model import check_local, containers_of, create_model
from sm_emulate.spec.async_inference import NOT_ADDED, NOT_REMOVED, REMOVED_PAGE
from sm_emulate.storage.stores import store_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sm_emulate.request.endpoint import EndpointRequest
    from sm_emulate.storage.run_folder import RunFolder
    from sm_emulate.storage.s3_place import S3Place


@dataclass(frozen=True, kw_only=True)
class Update:
    """What is asked for: a new configuration, parts of one, or new weights of the variants that there are."""

    request: Mapping[str, Any] = field(default_factory=dict)
    """As EndpointRequest.as_aws gives it."""
    image: str | None = None
    model: str | None = None
    container: str | None = None
    """Whose image and model these are, where the first variant has several containers."""
    config: Mapping[str, Any] = field(default_factory=dict)
    """Members of CreateEndpointConfig that are to be so; None takes one away."""
    weights: Mapping[str, float] = field(default_factory=dict)
    component: str | None = None
    """The inference component that is added, scaled or deleted."""
    copies: int | None = None
    """How many it is to have; None for one that is added or deleted."""
    documents: Mapping[str, Any] | None = None
    """CreateInferenceComponent, and CreateModel if it needs one, of a component that is added."""
    id: str = field(default_factory=lambda: uuid4().hex)

    @property
    def words(self) -> str:
        """What is done to the inference component."""
        if self.documents is not None:
            return "added"
        return "deleted" if self.copies is None else f"scaled to {self.copies}"


def ask_for(run: RunFolder, update: Update) -> None:
    """Ask the process of an endpoint for an update; it takes one after the other.

    Raises:
        RequestError: another one was asked for and not begun yet.
    """
    if run.update_request.exists():
        raise RequestError("another update of this endpoint is waiting", value=run.name)
    draft = run.update_request.with_name(".update.json.new")
    # its environment may hold what is nobody else's business
    with open(draft, "w", encoding="utf-8", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
        json.dump(vars(update), file)
    draft.replace(run.update_request)


def take(run: RunFolder) -> Update | None:
    """Give the update that was asked for, once."""
    if not run.update_request.exists():
        return None
    asked = run.read(run.update_request)
    run.update_request.unlink(missing_ok=True)
    if asked is None:
        return None
    return Update(**asked)


def requested(update: Update, now: EndpointRequest) -> EndpointRequest:
    """Give the endpoint that an update wants.

    Raises:
        RequestError: it is not sound.
    """
    if now.model.multi_model:
        raise RequestError(
            "multi-model endpoints are not updated yet",
            value=now.endpoint_name,
            hint="stop it and serve it anew",
        )
    if now.components is not None:
        raise RequestError(
            "an endpoint with inference components is updated by component",
            value=now.endpoint_name,
            expected="--component NAME --copies N, --component NAME=IMAGE,... or --delete-component NAME",
        )
    if update.image is None and not update.config:
        return _same_kind(_servable(from_request_file(update.request)), now)
    document: Mapping[str, Any] = now.as_aws()
    if update.image is not None:
        names = now.model.container_names if now.model.several else ()
        check_container(update.container, names)
        document = _with_image(
            document,
            image=update.image,
            model=update.model,
            number=0 if update.container is None else names.index(update.container),
        )
    return replace(
        _same_kind(_servable(from_request_file(with_config(document, update.config))), now),
        instance_chosen=now.instance_chosen,
    )


def with_config(document: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Give a request file with these members of its CreateEndpointConfig, under a new name, as a configuration has one.

    Args:
        document: as EndpointRequest.as_aws gives it.
        changes: as `Update.config`.
    """
    config = {**document["CreateEndpointConfig"], **changes}
    former = config["EndpointConfigName"]
    stem, _, number = former.rpartition("-update-")
    name = f"{stem}-update-{int(number) + 1}" if stem and number.isdigit() else f"{former}-update-1"
    config["EndpointConfigName"] = name
    return {
        **document,
        "CreateEndpointConfig": {key: value for key, value in config.items() if value is not None},
        "CreateEndpoint": {**document["CreateEndpoint"], "EndpointConfigName": name},
    }


def _same_kind(request: EndpointRequest, now: EndpointRequest) -> EndpointRequest:
    """Give the request, unless it makes another kind of endpoint."""
    check_async(request, asynchronous=now.async_inference is not None)
    kinds = [(each.serverless is None, each.components is None) for each in (request, now)]
    if kinds[0] != kinds[1]:
        raise RequestError(
            "an update to another kind of endpoint (instances, serverless, inference components) is not emulated",
            value=now.endpoint_name,
            hint="stop it and serve it anew",
        )
    return request


def check_async(request: EndpointRequest, *, asynchronous: bool) -> None:
    """Refuse an update that makes an asynchronous endpoint of another, or the other way round.

    Args:
        request: what is asked for.
        asynchronous: what the endpoint is now.

    Raises:
        RequestError: as said.
    """
    if asynchronous is not (request.async_inference is not None):
        words = NOT_REMOVED if asynchronous else NOT_ADDED
        raise RequestError(
            f"ValidationException: {words.format(endpoint=request.endpoint_name)}",
            expected="an AsyncInferenceConfig, as the endpoint has one"
            if asynchronous
            else "no AsyncInferenceConfig",
            hint="serve it under another name: the two kinds are not updated into each other",
            link=REMOVED_PAGE,
        )


def check_writable(request: EndpointRequest, s3: S3Place) -> None:
    """Refuse places where the endpoint could not write.

    Raises:
        RequestError: a place that cannot be one.
        MachineError: nothing can be written there.
    """
    for place in request.written_places:
        store_of(place, s3).check_writable(place)


def check_container(container: str | None, names: Sequence[str]) -> None:
    """Refuse a new image that does not say which of several containers it is for, or says one that is not there.

    Args:
        container: what it says.
        names: of the first variant's containers; none where there is a single one.

    Raises:
        RequestError: as said.
    """
    if container is None and names:
        raise RequestError(
            "the first variant has several containers: a new image alone does not say whose it is",
            expected=f"--container {' or '.join(names)}",
        )
    if container is not None and container not in names:
        raise RequestError(
            "the first variant has no container of this name",
            value=container,
            expected=" or ".join(names) or "no --container: it has a single one",
        )


def _servable(request: EndpointRequest) -> EndpointRequest:
    for variant in request.all_variants:
        if variant.model.multi_model:
            raise RequestError(
                "an update to a multi-model container is not emulated yet", value=variant.model.image
            )
        check_local(variant.model)
    return request


def _with_image(document: Mapping[str, Any], *, image: str, model: str | None, number: int) -> dict[str, Any]:
    variant = document["CreateEndpointConfig"]["ProductionVariants"][0]
    listed = document["CreateModel"]
    models = [dict(each) for each in (listed if isinstance(listed, list) else [listed])]
    for each in models:
        if each["ModelName"] == variant["ModelName"]:
            listed = [container for _, container in containers_of(each)]
            changed = {**listed[number], "Image": image}
            if model is not None:
                kept = {"ModelDataUrl", "ModelDataSource"}
                changed = {k: v for k, v in changed.items() if k not in kept} | _model_data(model)
            if "Containers" in each:
                each["Containers"] = [*listed[:number], changed, *listed[number + 1 :]]
            else:
                each["PrimaryContainer"] = changed
    return {**document, "CreateModel": models if len(models) > 1 else models[0]}


def _model_data(uri: str) -> dict[str, Any]:
    """Give the member of a container that names this model data."""
    made = create_model("image", model_name="model", model_data=uri)["PrimaryContainer"]
    return {name: value for name, value in made.items() if name.startswith("ModelData")}


def new_weights(
    request: EndpointRequest, now: Mapping[str, float], wanted: Mapping[str, float]
) -> dict[str, float]:
    """Give the weights of all production variants after UpdateEndpointWeightsAndCapacities.

    Raises:
        RequestError: a variant that is not there, a weight below zero, or no traffic for any.
    """
    names = [each.variant_name for each in request.variants]
    for name, weight in wanted.items():
        if name not in names:
            raise RequestError("this endpoint has no such variant", value=name, expected=" or ".join(names))
        if not weight >= 0:
            raise RequestError("a variant's weight is below 0", value=weight, expected="0 or more")
    merged = {name: float(wanted.get(name, now[name])) for name in names}
    if not sum(merged.values()):
        raise RequestError("no production variant gets any traffic: all weights are 0")
    return merged
