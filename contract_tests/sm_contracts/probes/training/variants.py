"""Runs under other conditions, as few as possible: all conditions at once first, each alone only if that fails."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from sm_contracts.evidence import Missing
from sm_contracts.evidence.training.folders import Clashes, InputWrites
from sm_contracts.evidence.training.stop import Resumed, Sidecars, Stopped
from sm_contracts.evidence.training.variants import ConfigVariants, Isolated, Quoting, TuningJob, TwoHosts
from sm_contracts.probes.training.hosts import markers
from sm_contracts.probes.training.way import quoted, strings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sm_contracts.probes import Evidences
    from sm_contracts.probes.training.baseline import Together
    from sm_contracts.probes.training.trained import Trained
    from sm_contracts.probes.training.way import Way

TUNING = "_tuning_objective_metric"
LONGEST_WAIT_S = 10.0
"""However long a run takes, it is stopped about then."""


def stuck(tried: Trained) -> Missing | None:
    """Give the reason why a variant that never ended says nothing."""
    if not tried.run.timed_out:
        return None
    return Missing(
        f"{tried.way.name}, it did not end within {tried.run.seconds:.0f} s",
        "give sample data that trains faster",
    )


def conditions(plain: Trained, wanted: frozenset[type], *, isolated: bool, together: Together) -> Evidences:
    """Try the conditions that can be combined."""
    way = plain.way
    texts = strings(way.hyperparameters)
    asked: dict[type, tuple[str, dict[str, object]]] = {}
    if InputWrites in wanted:
        asked[InputWrites] = ("with read-only channels", {"read_only": True})
    if Isolated in wanted:
        asked[Isolated] = ("under network isolation", {"isolated": True})
    if ConfigVariants in wanted:
        asked[ConfigVariants] = ("with unknown keys in the config files", {"extra_keys": True})
    if TuningJob in wanted:
        asked[TuningJob] = (f"with {TUNING}", {"hyperparameters": _tuned(way.hyperparameters)})
    if Quoting in wanted and texts:
        asked[Quoting] = (
            "with quotes around strings turned",
            {"hyperparameters": quoted(way.hyperparameters)},
        )
    empty: list[Trained] = []
    if ConfigVariants in wanted and way.hyperparameters:
        empty = together([way.but("without hyperparameters", hyperparameters={})])
    runs: dict[type, Trained] = {}
    if len(asked) > 1:
        (all_at_once,) = together([_combined(way, asked)])
        if all_at_once.run.completed:
            runs = dict.fromkeys(asked, all_at_once)
    if asked and not runs:
        alone = together([way.but(name, **changes) for name, changes in asked.values()])
        runs = dict(zip(asked, alone, strict=True))
    found: dict[type, object] = {
        kind: stuck(tried) or _evidence(kind, tried, plain, isolated=isolated) for kind, tried in runs.items()
    }
    variants = found.get(ConfigVariants)
    if isinstance(variants, ConfigVariants) and empty and not empty[0].run.timed_out:
        found[ConfigVariants] = ConfigVariants(
            runs={**variants.runs, "`{}` as hyperparameters": empty[0].run}
        )
    if Quoting in wanted and not texts:
        found[Quoting] = Missing(
            "no sample hyperparameter is a string", "give one with --hyperparameter NAME=TEXT"
        )
    return found


def _combined(way: Way, asked: Mapping[type, tuple[str, dict[str, object]]]) -> Way:
    changes: dict[str, Any] = {}
    hyperparameters = dict(way.hyperparameters)
    for _, change in asked.values():
        changes |= change
    if Quoting in asked:
        hyperparameters = quoted(hyperparameters)
    if TuningJob in asked:
        hyperparameters = _tuned(hyperparameters)
    return way.but("under several conditions at once", **(changes | {"hyperparameters": hyperparameters}))


def _tuned(hyperparameters: Mapping[str, object]) -> dict[str, object]:
    return dict(hyperparameters) | {TUNING: json.dumps("validation:loss")}


def _evidence(kind: type, tried: Trained, plain: Trained, *, isolated: bool) -> object:
    if kind is InputWrites:
        return InputWrites(wrote=plain.wrote_input, copied=plain.copied, read_only=tried.run)
    if kind is Isolated:
        return Isolated(run=tried.run, asked=isolated)
    if kind is TuningJob:
        return TuningJob(run=tried.run)
    if kind is Quoting:
        return Quoting(names=strings(plain.way.hyperparameters), plain=plain.run, quoted=tried.run)
    return ConfigVariants(runs={"unknown keys in the config files": tried.run})


def two_hosts(plain: Trained, *, together: Together) -> Evidences:
    """Run on two hosts with late names; if that fails, once more without such difficulties."""
    way = plain.way
    (hard,) = together([way.but("on two hosts", hosts=2, late_names=True, algo_hostname=way.algo_hostname)])
    easy = None
    if not hard.run.completed:
        (easy,) = together(
            [way.but("on two hosts that find each other at once", hosts=2, algo_hostname=True)]
        )
    both = next((each for each in (hard, easy) if each is not None and each.run.completed), None)
    clashes: object = Missing("it does not run on two hosts")
    if both is not None:
        clashes = both.clashes or Clashes(equal=(), different=())
    hosts: object = TwoHosts(run=hard.run, at_ease=None if easy is None else easy.run)
    if hard.run.timed_out and easy is not None and easy.run.completed:
        hosts = stuck(hard)
    elif easy is not None and not easy.run.completed:
        hosts = Missing(f"it {easy.run.outcome} on two hosts even where they find each other at once")
    return {TwoHosts: hosts, Clashes: clashes}


def stopped(plain: Trained, *, together: Together) -> Trained:
    """Run with checkpoints and stop it on the way; again, if that was too late or too early to show anything."""
    whole = plain.run.seconds
    # early enough to see that it goes on, and not before it is at work
    after_s = max(min(whole / 8, LONGEST_WAIT_S), min(whole / 2, 1.0))
    tried = plain
    for number in range(3):
        (tried,) = together([plain.way.but("stopped in mid-run", checkpoints=True, stop_after_s=after_s)])
        seen = tried.stop
        if seen.too_early_s is not None:
            after_s = seen.too_early_s + 0.5
        elif seen.sent_after_s is None and tried.run.completed and number == 0:
            after_s /= 2
        else:
            break
    return tried


def stop_evidence(tried: Trained, window_s: float) -> object:
    """Say what the stop showed."""
    if tried.run.timed_out and tried.stop.sent_after_s is None:
        return stuck(tried)
    if tried.run.failed and tried.stop.sent_after_s is None:
        return Missing(f"with CheckpointConfig it {tried.run.outcome} before it could be stopped")
    if tried.stop.too_early_s is not None:
        return Missing(
            "its handler for SIGTERM comes too late to be seen at work", "give longer sample input"
        )
    return Stopped(
        run=tried.run,
        window_s=window_s,
        sent_after_s=tried.stop.sent_after_s,
        lived_on_s=tried.stop.lived_on_s,
        killed=tried.stop.killed,
        handled=tried.stop.handled,
        model_files=tried.model.files,
    )


def resumed(plain: Trained, interrupted: Trained, *, together: Together) -> Evidences:
    """Run again from the checkpoints that were left: with upload markers beside them, and without if that fails."""
    folder = interrupted.checkpoints
    names = (
        ()
        if folder is None
        else tuple(sorted(str(each.relative_to(folder)) for each in folder.rglob("*") if each.is_file()))
    )
    if folder is None or not names:
        none = Missing("it writes no checkpoints to /opt/ml/checkpoints", applies=False)
        return {Resumed: none, Sidecars: none}
    again = plain.way.but("resumed from its checkpoints", checkpoints=True, resume_from=folder)
    (marked,) = together(
        [again.but("resumed from its checkpoints with upload markers beside them", sidecars=True)]
    )
    seen = () if marked.checkpoints is None else markers(marked.checkpoints)
    clean = marked
    if not marked.run.completed:
        (clean,) = together([again])
    sidecars: object = stuck(marked) or Sidecars(markers=seen, run=marked.run)
    if not clean.run.completed:
        sidecars = Missing("it does not resume without upload markers either; see SM225")
    return {
        Resumed: stuck(clean)
        or Resumed(checkpoints=names, interrupted=not _by_itself(interrupted), run=clean.run),
        Sidecars: sidecars,
    }


def _by_itself(tried: Trained) -> bool:
    """Tell whether a stop had no part in a run's end."""
    seen = tried.stop
    return seen.sent_after_s is None or (seen.handled is False and not seen.killed)
