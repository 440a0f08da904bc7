"""(g) A whole validation, against the lives of the containers that it needed."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from bench.ground import ROOT
from bench.row import Row

if TYPE_CHECKING:
    from bench.ground import Ground

SECONDS, STATIC_SECONDS = 60.0, 3.0
IRIS = ROOT / "fixtures/iris"


def validation(ground: Ground) -> list[Row]:
    """Measure (g): once for each role, since a validation takes as long as it takes."""
    import sm_contracts
    from sm_contracts.checking import check

    sample = sm_contracts.SamplePayload(body=(IRIS / "payload.csv").read_bytes(), content_type="text/csv")
    inputs = {
        "train": {"channels": [f"training={IRIS / 'train.csv'}"]},
        "serve": {"model": ground.model, "payload": sample},
    }
    os.environ["SM_EMULATE_HOME"] = str(ground.home)
    rows = []
    for role, given in inputs.items():
        verdict = check(ground.decision_trees, roles=[role], **given)
        lived = sum(probe.container_seconds for probe in verdict.probes)
        containers = sum(probe.containers for probe in verdict.probes)
        told = f"{verdict.seconds:.1f} s, {containers} containers lived {lived:.1f} s; verdict {verdict.judgement}"
        rows += [
            Row(
                part="g",
                what=f"validate --role {role} / lives of its containers",
                value=verdict.seconds / lived if lived else None,
                note=told,
            ),
            Row(part="g", what=f"validate --role {role}", value=verdict.seconds, unit="s", bar=SECONDS),
        ]
    static = check(ground.decision_trees, roles=["train", "serve"], select=["SM1"])
    rows.append(
        Row(part="g", what="validate --select SM1", value=static.seconds, unit="s", bar=STATIC_SECONDS)
    )
    return rows
