"""Rules as pytest items: one check for all of them, made when the first one runs."""

from __future__ import annotations

import fcntl
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from sm_contracts.registry import UnknownRuleError, all_rules, choose
from sm_contracts.roles import Role
from sm_contracts.rule import Severity, Status
from sm_contracts.subject import Limits, SamplePayload
from sm_emulate.errors import SmEmulateError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sm_contracts.rule import Rule

_WEIGHT = {"error": 2, "warning": 1, "info": 0}
_results = pytest.StashKey[dict[str, dict[str, Any]]]()


class BrokenRuleError(Exception):
    """A rule that the image breaks; pytest shows it in our words."""


class ContractCollector(pytest.Collector):
    """The image, as the parent of its rules."""

    def collect(self) -> Iterator[RuleItem]:
        """Give the chosen rules. Nothing is run yet."""
        option = self.config.getoption
        try:
            rules = choose(all_rules().values(), option("--sm-select"), option("--sm-ignore"))
        except UnknownRuleError as unknown:
            near = f"; did you mean {unknown.near}?" if unknown.near else ""
            raise pytest.UsageError(f"no rule {unknown.text!r}{near}") from None
        for rule in rules:
            yield RuleItem.from_parent(self, name=f"{rule.id}-{rule.name}", rule=rule)


class RuleItem(pytest.Item):
    """One rule on the image."""

    def __init__(self, *, rule: Rule, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.rule = rule
        self.add_marker(pytest.mark.sm_rule(rule.id))
        # one worker makes the check, and need not wait for another
        self.add_marker(pytest.mark.xdist_group(f"sm-emulate {self.config.getoption('--sm-image')}"))

    def runtest(self) -> None:
        """Make the check if nobody has, and say what became of this rule."""
        result = results_of(self.config)[self.rule.id]
        status, message = result["status"], result["message"]
        self.user_properties.append(("sm_rule", {key: result[key] for key in ("id", "severity", "status")}))
        if status == Status.SKIP.value:
            pytest.skip(message)
        if status == Status.INCONCLUSIVE.value:
            pytest.skip(f"inconclusive: {message}")
        if status == Status.FAIL.value:
            if _WEIGHT[result["severity"]] < _WEIGHT[self.config.getoption("--sm-fail-on")]:
                self.add_report_section("call", result["severity"], _told(result))
                return
            raise BrokenRuleError(_told(result))

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """Show a broken rule, or an error of ours, without a traceback."""
        if isinstance(excinfo.value, BrokenRuleError):
            return str(excinfo.value)
        if isinstance(excinfo.value, SmEmulateError):
            return "\n".join(excinfo.value.lines())
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[str, None, str]:
        """Name the image and the rule in pytest's headings."""
        return str(self.config.getoption("--sm-image")), None, self.name


def contract_items(session: pytest.Session) -> list[pytest.Item]:
    """Give an item for each chosen rule."""
    image = str(session.config.getoption("--sm-image"))
    collector = ContractCollector.from_parent(session, name=image, nodeid=image)
    return list(collector.collect())


def results_of(config: pytest.Config) -> dict[str, dict[str, Any]]:
    """Give the results by rule id: the check is made once, however many workers ask."""
    if _results not in config.stash:
        # set by pytest-xdist in its workers
        worker = getattr(config, "workerinput", None)
        config.stash[_results] = _check(config) if worker is None else _shared(config, worker["testrunuid"])
    return config.stash[_results]


def _shared(config: pytest.Config, run: str) -> dict[str, dict[str, Any]]:
    """Let the first worker make the check, and the others read it."""
    # the folder that all workers of a run share; pytest removes it in time
    factory: pytest.TempPathFactory = getattr(config, "_tmp_path_factory")  # noqa: B009  # no fixtures here
    place = factory.getbasetemp().parent / f"sm-emulate-{run}"
    with place.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        kept = place.with_suffix(".json")
        if kept.exists():
            found: dict[str, dict[str, Any]] = json.loads(kept.read_text(encoding="utf-8"))
            return found
        made = _check(config)
        kept.write_text(json.dumps(made, default=str), encoding="utf-8")
        return made


def _check(config: pytest.Config) -> dict[str, dict[str, Any]]:
    from sm_contracts.checking import check

    option = config.getoption
    defaults = Limits()
    grace = option("--sm-stop-grace")
    verdict = check(
        str(option("--sm-image")),
        roles=[Role(role) for role in option("--sm-role")],
        channels=option("--sm-channel"),
        inputs=option("--sm-input"),
        outputs=option("--sm-processing-output"),
        hyperparameters=_pairs(option("--sm-hyperparameter"), "--sm-hyperparameter"),
        environment=_pairs(option("--sm-environment"), "--sm-environment"),
        model=option("--sm-model"),
        payload=_payload(option("--sm-data"), option("--sm-content-type"), option("--sm-accept")),
        limits=Limits(
            startup_timeout_s=option("--sm-startup-timeout") or defaults.startup_timeout_s,
            train_stop_grace_s=defaults.train_stop_grace_s if grace is None else grace,
            serve_stop_grace_s=defaults.serve_stop_grace_s if grace is None else grace,
        ),
        select=option("--sm-select"),
        ignore=option("--sm-ignore"),
        fail_on=Severity(option("--sm-fail-on")),
    )
    return {result.id: result.as_json() for result in verdict.rules}


def _pairs(texts: list[str], option: str) -> dict[str, str]:
    pairs = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise pytest.UsageError(f"{option} {text}: expected KEY=VALUE")
        pairs[key] = value
    return pairs


def _payload(data: str | None, content_type: str | None, accept: str | None) -> SamplePayload | None:
    if data is None:
        return None
    if data.startswith("@"):
        try:
            body = Path(data[1:]).read_bytes()
        except OSError as error:
            raise pytest.UsageError(f"--sm-data {data}: {error.strerror}") from None
    else:
        body = data.encode()
    return SamplePayload(body=body, content_type=content_type, accept=accept)


def _told(result: dict[str, Any]) -> str:
    lines = [f"{result['id']} {result['name']} ({result['severity']}): {result['message']}"]
    lines += [f"  {key}: {value}" for key, value in result["evidence"].items()]
    lines.append(f"  fix: {result['fix']}")
    lines.append(f"  see: {result['source']}")
    return "\n".join(lines)
