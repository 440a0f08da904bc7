"""`check`: the Python door of the contract."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from sm_contracts.registry import all_probes, all_rules, choose, named
from sm_contracts.roles import Role
from sm_contracts.rule import Severity, Status
from sm_contracts.runner import run
from sm_contracts.subject import Limits, ProcessingSample, SamplePayload, Subject, TrainingSample
from sm_contracts.verdict import HARNESS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sm_contracts.progress import Watch
    from sm_contracts.rule import Rule
    from sm_contracts.verdict import Verdict
    from sm_emulate.api import Engine


def check(
    image: str,
    *,
    roles: Sequence[Role | str] = (),
    channels: Sequence[str] = (),
    inputs: Sequence[str] = (),
    outputs: Sequence[str] = (),
    hyperparameters: Mapping[str, str] | None = None,
    environment: Mapping[str, str] | None = None,
    metrics: Sequence[str] = (),
    model: Path | str | None = None,
    payload: SamplePayload | None = None,
    instance_type: str = "ml.m5.large",
    gpus: str = "auto",
    network_isolation: bool = False,
    limits: Limits | None = None,
    select: Sequence[str] = (),
    ignore: Sequence[str] | Mapping[str, str] = (),
    fail_on: Severity = Severity.ERROR,
    engine: Engine | None = None,
    say: Callable[[str], None] = lambda _: None,
    watch: Watch | None = None,
    stopping: Callable[[], bool] = lambda: False,
) -> Verdict:
    """Say of an image whether SageMaker will run it, and why not.

    Args:
        image: a local tag or id, a registry reference, or the path of a `docker save` or OCI archive.
        roles: what it is meant for; found from the image if not given.
        channels: sample training data, as `--channel` takes it: NAME=PATH.
        inputs: sample data of processing runs, as `--input` takes it: NAME=PATH.
        outputs: what processing runs are to leave, as `--processing-output` takes it: NAME[,from=LOCAL_PATH].
        hyperparameters: for the training runs.
        environment: for all containers alike.
        metrics: metric definitions, NAME=REGEX.
        model: folder or .tar.gz for /opt/ml/model.
        payload: a request body that the image understands; without one, rules about answers are inconclusive.
        instance_type: decides the expected architecture and, with `gpus="auto"`, whether a GPU is given.
        gpus: `auto`, `none`, `all`, a number, or `device=ID[,ID...]`.
        network_isolation: the image will be run isolated: needing a network is then an error.
        limits: how long probes wait.
        select: rules to judge, by id, name or beginning of an id; all by default.
        ignore: rules to leave out, with the reason where it is a mapping; they are listed as skipped.
        fail_on: from which severity on a broken rule makes the verdict fail.
        engine: the container engine; the first that answers by default.
        say: told what happens, in sentences.
        watch: told more closely what happens, for a progress display; takes the place of `say`.
        stopping: asked now and then; true ends the check early.

    Raises:
        UnknownRuleError: `select` or `ignore` names no rule.
        ImageNotFoundError: the image can be had nowhere.
        MachineError: this machine cannot run it.
    """
    from sm_contracts.image import find_roles, resolve
    from sm_emulate import api

    rules, ignored = _rules(select, ignore)
    used = engine or api.connect(environ=os.environ)
    try:
        found = resolve(used, image, say if watch is None else watch.said)
        chosen, found_by = (
            (frozenset(Role(role) for role in roles), "asked for") if roles else find_roles(used, found.image)
        )
        subject = Subject(
            image=found.reference,
            roles=chosen,
            roles_found_by=found_by,
            archive=found.archive,
            training=TrainingSample(
                channels=tuple(channels),
                hyperparameters=dict(hyperparameters or {}),
                environment=dict(environment or {}),
                metrics=tuple(metrics),
            ),
            processing=ProcessingSample(
                inputs=tuple(inputs), outputs=tuple(outputs), environment=dict(environment or {})
            ),
            model=None if model is None else Path(model).absolute(),
            payload=payload,
            serving_environment=dict(environment or {}),
            instance_type=instance_type,
            gpus=gpus,
            network_isolation=network_isolation,
            limits=limits or Limits(),
        )
        verdict = run(
            rules,
            all_probes(),
            subject,
            engine=used,
            image=found.image,
            fail_on=fail_on,
            ignored=ignored,
            say=say,
            watch=watch,
            stopping=stopping,
        )
    finally:
        if engine is None:
            used.close()
    asked_for = {rule.id for rule in choose(rules, select)}
    words = (
        "sm-emulate",
        "validate",
        image,
        *(word for role in sorted(roles) for word in ("--role", Role(role).value)),
    )
    return replace(
        verdict,
        command=words,
        # whether the check itself broke is always looked at; that it did not is told to whoever asked
        rules=tuple(each for each in verdict.rules if each.id in asked_for or each.status is Status.FAIL),
    )


def _rules(
    select: Sequence[str], ignore: Sequence[str] | Mapping[str, str]
) -> tuple[list[Rule], dict[str, str]]:
    """Give the rules to judge, those about the check itself among them, and why some of them are left out."""
    every = all_rules()
    reasons = ignore if isinstance(ignore, Mapping) else dict.fromkeys(ignore, "asked for")
    ignored = {rule_id: why for text, why in reasons.items() for rule_id in named(every.values(), text)}
    chosen = {rule.id for rule in choose(every.values(), select)}
    rules = [rule for rule in every.values() if rule.id in chosen or rule.id.startswith(HARNESS)]
    return rules, ignored
