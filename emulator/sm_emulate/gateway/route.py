"""Which container answers a request: the variants of an endpoint, their instances, and the choice between them."""

from __future__ import annotations

from bisect import bisect
from itertools import accumulate
from random import Random
from typing import TYPE_CHECKING

from sm_emulate.gateway import answers
from sm_emulate.gateway.answers import no_response, refusal, unknown_variant
from sm_emulate.gateway.container import ContainerPool
from sm_emulate.gateway.front import LEAST_OUTSTANDING
from sm_emulate.gateway.on_demand import OnDemand
from sm_emulate.gateway.sessions import Sessions
from sm_emulate.gateway.stages import stages_of
from sm_emulate.gateway.wire import Wording
from sm_emulate.spec import containers
from sm_emulate.spec import inference_component as components
from sm_emulate.spec import invocation as spec
from sm_emulate.spec.containers import NOT_DIRECT

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from sm_emulate.gateway.answers import ErrorAnswer
    from sm_emulate.gateway.front import EndpointFront, Fleet, Upstream, VariantFront
    from sm_emulate.gateway.incoming import Incoming
    from sm_emulate.gateway.meters import Meters
    from sm_emulate.gateway.stages import Stage


class Target:
    """One container that requests go to: its connections, the words of its answers, and what it has at hand."""

    __slots__ = (
        "bidirectional",
        "component",
        "container_name",
        "doors",
        "earlier",
        "instance",
        "models",
        "outstanding",
        "pool",
        "retired",
        "shares",
        "upstream",
        "variant_name",
        "wording",
    )

    def __init__(
        self, front: EndpointFront, variant: VariantFront, upstream: Upstream, loop: asyncio.AbstractEventLoop
    ) -> None:
        self.variant_name = variant.variant_name
        self.component = variant.component
        self.container_name = variant.container_name
        self.models = variant.models
        self.bidirectional = variant.bidirectional
        self.upstream = upstream
        self.earlier: tuple[Stage, ...] = ()
        """The containers of a pipeline before this one, which is its last."""
        self.doors: dict[bytes, Target] | None = None
        """In direct mode: the containers of the instance, by name."""
        self.instance = self
        """What a session is bound to."""
        self.shares = bool(variant.containers)
        """Whether it is one of several containers, which are counted each for itself."""
        if variant.containers:
            stages = stages_of(front, variant, upstream, loop)
            last = stages[0 if variant.direct else -1]
            self.container_name, self.pool, self.wording = last.name, last.pool, last.wording
            if variant.direct:
                self.doors = {each.name.encode(): Door(self, each) for each in stages}
            else:
                self.earlier = tuple(stages[:-1])
        else:
            self.pool = ContainerPool(front, upstream, loop)
            self.wording = Wording(front, variant.variant_name)
        self.outstanding = 0
        """Requests on their way through it now."""
        self.retired: Callable[[], None] | None = None
        """Called when the last request has left it, once it is given no more."""

    def close(self) -> None:
        """Close its connections."""
        for pool in self._pools:
            pool.close()

    async def closed(self) -> None:
        """Wait, once it is closed, for the connections that were being opened."""
        for pool in self._pools:
            await pool.closed()

    @property
    def _pools(self) -> list[ContainerPool]:
        doors = {} if self.doors is None else self.doors
        return [self.pool, *(each.pool for each in self.earlier), *(each.pool for each in doors.values())]

    def left(self) -> None:
        """Count a request out."""
        self.outstanding -= 1
        if not self.outstanding and self.retired is not None:
            self.retired()


class Door(Target):
    """One of the containers of an instance, which requests name."""

    __slots__ = ()

    def __init__(self, instance: Target, stage: Stage) -> None:
        self.variant_name, self.models, self.upstream = instance.variant_name, None, stage.upstream
        self.container_name, self.pool, self.wording = stage.name, stage.pool, stage.wording
        self.earlier, self.doors, self.instance, self.shares = (), None, instance, True
        self.outstanding, self.retired, self.component = 0, None, ""

    def left(self) -> None:
        """Count a request out of the instance."""
        self.instance.left()


class _Variant:
    """One variant: its targets, and how one of them is chosen."""

    __slots__ = ("_least", "_random", "front", "targets")

    def __init__(self, front: VariantFront, targets: list[Target], random: Random) -> None:
        self.front, self.targets, self._random = front, targets, random
        self._least = front.routing == LEAST_OUTSTANDING

    def pick(self) -> Target | None:
        targets = self.targets
        if len(targets) < 2:
            return targets[0] if targets else None
        if self._least:
            fewest = min(target.outstanding for target in targets)
            targets = [target for target in targets if target.outstanding == fewest]
        return targets[int(self._random.random() * len(targets))]


class Router:
    """Picks the target of each request; its fleet may change while it serves."""

    def __init__(self, front: EndpointFront, loop: asyncio.AbstractEventLoop, meters: Meters) -> None:
        self._front, self._loop, self._meters = front, loop, meters
        self.on_demand = OnDemand(front, loop, meters) if front.serverless else None
        """Has the targets of a serverless endpoint, which are not picked here."""
        self._random = Random(front.seed)  # noqa: S311 - traffic is no secret
        self._variants: dict[bytes, _Variant] = {}
        self._components: dict[bytes, _Variant] | None = None
        self._weighted: list[_Variant] = []
        self._bounds: list[float] = []
        self._only: Target | None = None
        self._targets: dict[tuple[str, Upstream], Target] = {}
        self._retiring: set[Target] = set()
        self.shadow: _Variant | None = None
        self.plain = True
        """Whether a request is for one container, and for no other."""
        self.direct = self.pipelines = False
        """Whether there are variants whose requests name a container, and such whose containers follow each other."""
        self.sessions = Sessions()
        self._shadow_percent = 100.0
        self.set_fleet(front.fleet)

    def knows(self, variant: bytes) -> bool:
        """Whether a caller may ask for this production variant."""
        return variant in self._variants

    @property
    def has_components(self) -> bool:
        """Whether every request has to name an inference component."""
        return self._components is not None

    def refuses_component(self, component: bytes | None) -> ErrorAnswer | None:
        """Say what is wrong with the inference component that a request names, or that it names none."""
        if self._components is None:
            return None if component is None else refusal("ValidationError", components.NOT_ALLOWED)
        if component is None:
            return answers.component_missing()
        if component not in self._components:
            return answers.unknown_component(self._front, component)
        return None

    def pick(self, request: Incoming) -> Target | ErrorAnswer:
        """Give the target of this request and count the request in, or say why there is none."""
        if request.session is not None and request.session != spec.NEW_SESSION.encode():
            pinned = self._pinned(request)
            if pinned is not None:
                return pinned
        if self._components is not None:
            wrong = self.refuses_component(request.component)
            if wrong is not None:  # deleted while the body came
                return wrong
            component = self._components[request.component or b""]
            return self._pick_copy(component)
        target = self._only if request.variant is None else None
        if target is None:
            chosen = self._choose(request.variant)
            if chosen is None:
                return unknown_variant(self._front, request.variant or b"")
            target = chosen.pick()
            if target is None:
                return no_response(self._front, chosen.front.container_name)
        if target.doors is not None or request.container is not None:
            return self._door(target, request)
        target.outstanding += 1
        return target

    def _pick_copy(self, component: _Variant) -> Target | ErrorAnswer:
        """Give a copy of an inference component, unless it has none now."""
        target = component.pick()
        if target is None:
            self._meters.no_capacity(component.front.component)
            return refusal("ValidationError", components.NO_CAPACITY)
        target.outstanding += 1
        return target

    def _door(self, instance: Target, request: Incoming) -> Target | ErrorAnswer:
        """Give the container of an instance that a request names, and count the request in."""
        name, endpoint = request.container, self._front.endpoint_name
        if instance.doors is None:
            if name is not None:
                return refusal("ValidationError", NOT_DIRECT.format(endpoint=endpoint))
            door = instance
        elif request.container_path == spec.PING_PATH.encode():
            door = next(iter(instance.doors.values()))
        elif not name:
            return refusal("ValidationError", containers.TARGET_MISSING.format(endpoint=endpoint))
        elif name not in instance.doors:
            return refusal(
                "ValidationError",
                containers.TARGET_UNKNOWN.format(container=name.decode("latin-1"), endpoint=endpoint),
            )
        else:
            door = instance.doors[name]
        instance.outstanding += 1
        return door

    def pick_shadow(self) -> Target | None:
        """Give the shadow's target if this request is to be copied, and count the copy in."""
        if self.shadow is None or self._random.random() * 100 >= self._shadow_percent:
            return None
        target = self.shadow.pick()
        if target is not None:
            target.outstanding += 1
        return target

    @property
    def retiring(self) -> int:
        """How many targets are given no more requests but still have some at hand."""
        return len(self._retiring)

    def set_fleet(self, fleet: Fleet) -> None:
        """Send new requests to this fleet; those on their way come to their end where they are."""
        before, self._targets = self._targets, {}
        self._variants = {
            variant.variant_name.encode("latin-1", "replace"): self._variant(variant, before)
            for variant in fleet.variants
        }
        self._weighted = [each for each in self._variants.values() if each.front.weight > 0]
        self._bounds = list(accumulate(each.front.weight for each in self._weighted))
        lone = self._weighted[0].targets if len(self._weighted) == 1 else []
        self._only = lone[0] if len(lone) == 1 else None
        self._components = None
        if fleet.components is not None:
            self._components = {
                each.component.encode("latin-1", "replace"): self._variant(each, before)
                for each in fleet.components
            }
        self.direct = any(each.direct for each in fleet.variants)
        self.pipelines = any(len(each.containers) > 1 and not each.direct for each in fleet.variants)
        self.shadow = None if fleet.shadow is None else self._variant(fleet.shadow, before)
        elastic = self._components is not None or self.on_demand is not None
        self.plain = self.shadow is None and not (elastic or self.direct or self.pipelines)
        self._shadow_percent = fleet.shadow_percent
        kept = set(self._targets.values())
        for target in before.values():
            if target not in kept:
                self._retire(target)
        if self.on_demand is not None:
            variant = fleet.variants[0]
            self.on_demand.set_targets(variant.variant_name, kept, variant.environments)

    async def close(self) -> None:
        """Close all connections to containers, and stop loading models."""
        if self.on_demand is not None:
            self.on_demand.close()
        for models in {target.models for target in (*self._targets.values(), *self._retiring)}:
            if models is not None:
                await models.close()
        targets = (*self._targets.values(), *self._retiring)
        for target in targets:
            target.close()
        for target in targets:
            await target.closed()

    def _pinned(self, request: Incoming) -> Target | ErrorAnswer | None:
        session = request.session or b""
        target = self.sessions.of(session)
        if target is not None and target in self._targets.values():
            return self._door(target, request)
        if not self._front.refuse_unknown_sessions:
            return None
        return refusal(
            "ValidationError",
            spec.SESSION_NOT_FOUND.format(
                session=session.decode("latin-1"), endpoint=self._front.endpoint_name
            ),
        )

    def _choose(self, variant: bytes | None) -> _Variant | None:
        if variant is not None:
            return self._variants.get(variant)
        if len(self._weighted) < 2:
            return self._weighted[0] if self._weighted else None
        drawn = self._random.random() * self._bounds[-1]
        return self._weighted[min(bisect(self._bounds, drawn), len(self._weighted) - 1)]

    def _variant(self, front: VariantFront, before: dict[tuple[str, Upstream], Target]) -> _Variant:
        targets = []
        for upstream in front.upstreams:
            key = (front.component or front.variant_name, upstream)
            target = before.get(key) or Target(self._front, front, upstream, self._loop)
            self._targets[key] = target
            targets.append(target)
        return _Variant(front, targets, self._random)

    def _retire(self, target: Target) -> None:
        def over() -> None:
            target.close()
            self._retiring.discard(target)

        if target.outstanding:
            self._retiring.add(target)
            target.retired = over
        else:
            over()
