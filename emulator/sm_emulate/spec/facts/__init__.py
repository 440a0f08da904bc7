"""Every platform fact we know of, area by area. For the documentation page and its tests: nothing else imports it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from sm_emulate.spec.facts import (
    batch,
    hosting_environment,
    hosting_headers,
    hosting_health,
    hosting_invocation,
    hosting_limits,
    hosting_model,
    hosting_multi_model,
    hosting_several,
    hosting_start,
    hosting_stop,
    hosting_streaming,
    processing,
    registry,
    servers,
    studio,
    training_channels,
    training_config,
    training_environment,
    training_invocation,
    training_lifecycle,
    training_outputs,
    training_resources,
    training_toolkit,
    tuning,
)
from sm_emulate.spec.facts.shown_by import SHOWN_BY

if TYPE_CHECKING:
    from sm_emulate.spec.fact import Area

_MODULES = (
    training_invocation,
    training_environment,
    training_config,
    training_channels,
    training_outputs,
    training_lifecycle,
    training_resources,
    training_toolkit,
    tuning,
    hosting_start,
    hosting_environment,
    hosting_model,
    hosting_health,
    hosting_invocation,
    hosting_headers,
    hosting_limits,
    hosting_stop,
    hosting_streaming,
    hosting_multi_model,
    hosting_several,
    batch,
    servers,
    processing,
    studio,
    registry,
)


def all_areas() -> tuple[Area, ...]:
    """Give every area in reading order, each fact with the tests that show it."""
    return tuple(
        replace(
            module.AREA,
            facts=tuple(replace(fact, tests=SHOWN_BY.get(fact.id, ())) for fact in module.AREA.facts),
        )
        for module in _MODULES
    )
