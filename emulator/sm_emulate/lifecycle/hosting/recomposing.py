"""What an update does to the inference components of an endpoint in service."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sm_emulate.request.hosted_model import check_local
from sm_emulate.request.inference_component import OPERATION

if TYPE_CHECKING:
    from collections.abc import Callable

    from sm_emulate.engine.protocol import Image
    from sm_emulate.gateway import Gateway
    from sm_emulate.lifecycle.hosting.components_fleet import ComponentsFleet
    from sm_emulate.lifecycle.hosting.update import Update
    from sm_emulate.request.endpoint import EndpointRequest
    from sm_emulate.request.inference_component import InferenceComponent

DRAIN_SECONDS = 60.0
"""How long copies that go may take for what they have at hand."""


class Recomposing:
    """Adds, scales and deletes the components of a fleet, and keeps the request true."""

    def __init__(self, fleet: ComponentsFleet) -> None:
        self._fleet = fleet

    def described(self, gateway: Gateway | None) -> tuple[dict[str, Any], ...]:
        """Give all components as a description has them."""
        return self._fleet.described(
            lambda name: {} if gateway is None else gateway.meters.described_component(name)
        )

    def follow(
        self,
        update: Update,
        request: EndpointRequest,
        *,
        find_image: Callable[[str], Image] | None,
        drained: Callable[[], bool],
    ) -> EndpointRequest:
        """Do what is asked for; give the endpoint as it is then.

        Raises:
            RequestError: it cannot be done.
            RequestError: there is no room.
            EndpointFailedError: a copy did not come into service.
        """
        assert update.component is not None
        deadline = time.monotonic() + DRAIN_SECONDS

        def over() -> bool:
            return drained() or time.monotonic() > deadline

        components = {each.name: each for each in request.components or ()}
        models = list(request.documents.models)
        if update.documents is not None:
            component, model = self._added(update, request)
            found = {} if find_image is None else {name: find_image(name) for name in component.model.images}
            self._fleet.add(component, found)
            components[component.name] = component
            models += [] if model is None else [model]
        elif update.copies is not None:
            self._fleet.scale(update.component, update.copies, drained=over)
            components[update.component] = _scaled(components[update.component], update.copies)
        else:
            self._fleet.delete(update.component, drained=over)
            components.pop(update.component, None)
        documents = replace(
            request.documents,
            create_model=models[0] if models else {},
            more_models=tuple(models[1:]),
            components=tuple(each.document for each in components.values()),
        )
        return replace(request, components=tuple(components.values()), documents=documents)

    def _added(
        self, update: Update, request: EndpointRequest
    ) -> tuple[InferenceComponent, dict[str, Any] | None]:
        from sm_emulate.request.component_flags import component_of

        assert update.documents is not None
        model = update.documents.get("CreateModel")
        component = component_of(update.documents[OPERATION], request, model=model)
        check_local(component.model)
        known = {each["ModelName"] for each in request.documents.models}
        if model is None or component.model.model_name in known:
            return component, None
        return component, dict(component.model.document)


def _scaled(component: InferenceComponent, copies: int) -> InferenceComponent:
    document = {**component.document, "RuntimeConfig": {"CopyCount": copies}}
    return replace(component, copies=copies, document=document)
