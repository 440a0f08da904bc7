"""The runner: only needed probes run, a broken probe or rule tells of itself, Ctrl-C ends everything."""

import threading

from sm_contracts.roles import Role
from sm_contracts.rule import Inconclusive, Pass, Severity, Skip, Status
from sm_contracts.runner import run
from sm_emulate.api import ContainerSpec


def check(rules, probes, made, engine, **more):
    return run(rules, probes, made.subject, engine=engine, image=engine.image("fake:1"), **more)


def by_id(verdict):
    return {each.id: each for each in verdict.rules}


def test_a_rule_passes_and_fails_on_what_its_probe_gave(made, engine):
    for kilos, status in ((3.0, Status.PASS), (12.0, Status.FAIL)):
        probe = made.FakeProbe("scales", {made.Weight: made.Weight(kilos)})
        verdict = check([made.heavy], [probe], made, engine)
        (result,) = verdict.rules
        assert result.status is status
        assert verdict.judgement == status.value
    assert result.message == "it weighs 12 kg"
    assert result.evidence == {"kilos": 12.0}
    assert result.fix == "Do it otherwise."
    assert result.probes == ("scales",)


def test_only_needed_probes_run_and_only_for_what_is_needed(made, engine):
    both = made.FakeProbe("both", {made.Weight: made.Weight(1), made.Colour: made.Colour("green")})
    other = made.FakeProbe("other", {str: "never"})
    verdict = check([made.heavy], [both, other], made, engine)
    assert both.wanted == [frozenset({made.Weight})]
    assert other.wanted == []
    assert [probe.name for probe in verdict.probes] == ["both"]


def test_rules_of_other_roles_are_skipped_and_need_no_probe(made, engine):
    train = made.rule("SM903", "of-training", made.Weight, lambda weight: iter(()), roles=(Role.TRAIN,))
    probe = made.FakeProbe("scales", {made.Weight: made.Weight(1)})
    verdict = check([train], [probe], made, engine)
    assert by_id(verdict)["SM903"].status is Status.SKIP
    assert probe.wanted == []
    assert verdict.judgement == "nothing-checked"


def test_missing_evidence_is_inconclusive_and_says_how_to_have_it(made, engine):
    missing = made.Missing("no sample payload was given", "give --data @FILE")
    verdict = check([made.heavy], [made.FakeProbe("p", {made.Weight: missing})], made, engine)
    (result,) = verdict.rules
    assert result.status is Status.INCONCLUSIVE
    assert result.message == "no sample payload was given; give --data @FILE"
    assert verdict.judgement == "nothing-checked"


def test_evidence_that_makes_no_sense_here_is_skipped(made, engine):
    missing = made.Missing("a local image has no manifest", applies=False)
    verdict = check([made.heavy], [made.FakeProbe("p", {made.Weight: missing})], made, engine)
    assert verdict.rules[0].status is Status.SKIP


def test_evidence_that_no_probe_gives_is_inconclusive(made, engine):
    verdict = check([made.heavy], [], made, engine)
    assert verdict.rules[0].status is Status.INCONCLUSIVE


def test_a_rule_may_skip_or_doubt_or_show_its_numbers(made, engine):
    outcomes = {
        "SM904": (Skip("no GPU here"), Status.SKIP, "no GPU here"),
        "SM905": (Inconclusive("too noisy", "try again"), Status.INCONCLUSIVE, "too noisy; try again"),
        "SM906": (Pass({"kilos": 1}), Status.PASS, ""),
    }
    rules = [
        made.rule(rule_id, f"rule-{rule_id[2:]}", made.Weight, lambda _, outcome=outcome: iter([outcome]))
        for rule_id, (outcome, _, _) in outcomes.items()
    ]
    found = by_id(check(rules, [made.FakeProbe("p", {made.Weight: made.Weight(1)})], made, engine))
    for rule_id, (_, status, message) in outcomes.items():
        assert (found[rule_id].status, found[rule_id].message) == (status, message)
    assert found["SM906"].evidence == {"kilos": 1}


def test_a_broken_probe_is_sm002_and_the_others_go_on(made, engine):
    def crash(_bench):
        raise ZeroDivisionError("scales are broken")

    broken = made.FakeProbe("scales", {made.Weight: None}, act=crash)
    well = made.FakeProbe("eyes", {made.Colour: made.Colour("green")})
    found = by_id(check([*made.harness, made.heavy, made.green], [broken, well], made, engine))
    assert found["SM002"].status is Status.FAIL
    assert "scales" in found["SM002"].message
    assert "ZeroDivisionError" in found["SM002"].evidence["traceback"]
    assert found["SM901"].status is Status.INCONCLUSIVE
    assert "SM002" in found["SM901"].message
    assert found["SM902"].status is Status.PASS
    assert found["SM001"].status is Status.PASS


def test_a_broken_rule_is_sm001_and_itself_inconclusive(made, engine):
    def judge(_weight):
        raise KeyError("bug")
        yield

    broken = made.rule("SM907", "broken", made.Weight, judge)
    probe = made.FakeProbe("scales", {made.Weight: made.Weight(1)})
    verdict = check([*made.harness, broken, made.heavy], [probe], made, engine)
    found = by_id(verdict)
    assert found["SM001"].status is Status.FAIL
    assert found["SM001"].evidence["rule"] == "SM907"
    assert found["SM907"].status is Status.INCONCLUSIVE
    assert found["SM901"].status is Status.PASS
    assert verdict.judgement == "fail"


def test_that_the_check_did_not_break_is_no_finding_about_the_image(made, engine):
    missing = made.FakeProbe("p", {made.Weight: made.Missing("no")})
    verdict = check([*made.harness, made.heavy], [missing], made, engine)
    assert verdict.summary == {"pass": 2, "fail": 0, "skip": 0, "inconclusive": 1}
    assert verdict.judgement == "nothing-checked"


def test_fail_on_decides_what_fails(made, engine):
    probe = made.FakeProbe("eyes", {made.Colour: made.Colour("red")})
    assert check([made.green], [probe], made, engine).judgement == "pass"
    assert check([made.green], [probe], made, engine, fail_on=Severity.WARNING).judgement == "fail"


def test_ignored_rules_are_listed_with_the_reason_and_need_no_probe(made, engine):
    probe = made.FakeProbe("scales", {made.Weight: made.Weight(99)})
    verdict = check([made.heavy], [probe], made, engine, ignored={"SM901": "it is an elephant"})
    (result,) = verdict.rules
    assert (result.status, result.message) == (Status.SKIP, "ignored: it is an elephant")
    assert probe.wanted == []


def test_probes_run_side_by_side_but_never_beside_one_that_measures(made, engine):
    running, seen, lock = set(), [], threading.Lock()
    together = threading.Barrier(2, timeout=120)

    def act(name, *, meet):
        def watched(_bench):
            with lock:
                running.add(name)
                seen.append(frozenset(running))
            if meet:
                together.wait()
            with lock:
                running.discard(name)

        return watched

    kinds = [type(f"Kind{number}", (), {}) for number in range(4)]
    probes = [
        made.FakeProbe(
            f"p{number}", {kind: kind()}, act=act(f"p{number}", meet=number < 2), alone=number >= 2
        )
        for number, kind in enumerate(kinds)
    ]
    rules = [
        made.rule(f"SM91{number}", f"rule-{number}", kind, lambda _: iter(()))
        for number, kind in enumerate(kinds)
    ]
    check(rules, probes, made, engine)
    assert frozenset({"p0", "p1"}) in seen  # they met
    assert {frozenset({"p2"}), frozenset({"p3"})} <= set(seen)  # these were alone


def test_every_probe_has_a_folder_of_its_own_that_is_gone_afterwards(made, engine):
    folders = []

    def act(bench):
        (bench.folder / "file").write_text("x")
        folders.append(bench.folder)

    check([made.heavy], [made.FakeProbe("p", {made.Weight: made.Weight(1)}, act=act)], made, engine)
    assert folders
    assert not folders[0].exists()
    assert not folders[0].parent.exists()


def live(bench, *, remove=True):
    """Run one container as a probe does."""
    container = bench.engine.create(ContainerSpec(image="fake:1", hostname="algo-1", command=("train",)))
    stream = bench.engine.logs(container)
    bench.engine.start(container)
    lines = [chunk.data for chunk in stream]
    exited = bench.engine.wait(container)
    if remove:
        bench.engine.remove(container)
    return lines, exited


def test_containers_are_recorded_without_the_probe_doing_anything(made, engine):
    def act(bench):
        lines, exited = live(bench)
        assert (b"".join(lines), exited.code) == (b"hello\n", 0)
        bench.record.ping(bench.record.now(), 200, 0.01)
        bench.record.invocation(bench.record.now(), 500, 0.02)

    probe = made.FakeProbe("scales", {made.Weight: made.Weight(1)}, act=act)
    verdict = check([*made.harness, made.heavy], [probe], made, engine)
    assert by_id(verdict)["SM002"].status is Status.PASS
    (ran,) = verdict.probes
    assert ran.containers == 1
    assert 0 < ran.container_seconds <= ran.seconds
    assert ran.log_tail == ("hello",)
    told = {each["what"]: each for each in verdict.timeline}
    assert told["container"]["name"] == "1 algo-1"
    assert told["container"]["exit_code"] == 0
    assert told["log"]["line"] == "hello"
    assert told["ping"]["status"] == 200
    assert told["invocation"]["status"] == 500
    assert {each["probe"] for each in verdict.timeline} == {"scales"}


def test_what_a_broken_probe_leaves_is_removed(made, engine):
    def act(bench):
        bench.engine.create_network("sm-test", internal=True, labels={"test": "1"})
        live(bench, remove=False)
        raise RuntimeError("broken")

    check([made.heavy], [made.FakeProbe("p", {made.Weight: None}, act=act)], made, engine)
    assert engine.leftovers({}) == []


def test_an_interruption_keeps_what_was_found_and_begins_nothing_more(made, engine):
    stop = threading.Event()
    first = made.FakeProbe("first", {made.Weight: made.Weight(99)}, act=lambda _: stop.set())
    later = made.FakeProbe("later", {made.Colour: made.Colour("green")}, alone=True)
    rules = [*made.harness, made.heavy, made.green]
    verdict = check(rules, [first, later], made, engine, stopping=stop.is_set)
    found = by_id(verdict)
    assert found["SM901"].status is Status.FAIL
    assert found["SM902"].status is Status.INCONCLUSIVE
    assert "interrupted" in found["SM902"].message
    assert later.wanted == []
    assert verdict.interrupted


def test_a_probe_that_does_not_care_for_an_interruption_loses_its_containers(made, engine, monkeypatch):
    monkeypatch.setattr("sm_contracts.runner.INTERRUPT_GRACE_S", 0.0)
    engine.add_image("endless:1", lambda box: box.sleep(600))
    stop = threading.Event()

    def act(bench):
        container = bench.engine.create(ContainerSpec(image="endless:1", command=("serve",)))
        bench.engine.start(container)
        stop.set()
        bench.engine.wait(container)
        raise RuntimeError("my container is gone")

    probe = made.FakeProbe("stubborn", {made.Weight: None}, act=act)
    verdict = check([*made.harness, made.heavy], [probe], made, engine, stopping=stop.is_set)
    found = by_id(verdict)
    assert "interrupted" in found["SM901"].message
    assert found["SM002"].status is Status.PASS  # its end was our doing
    assert engine.leftovers({}) == []


def test_say_hears_of_every_probe(made, engine):
    heard = []
    probe = made.FakeProbe("scales", {made.Weight: made.Weight(1)}, act=lambda bench: bench.say("weighing"))
    check([made.heavy], [probe], made, engine, say=heard.append)
    assert heard == ["scales", "scales: weighing"]
