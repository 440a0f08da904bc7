"""A tuning job on the in-memory engine: what it chooses, when it stops what, how it ends and what it says."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from dataclasses import replace
from statistics import median

import pytest

from sm_emulate import api
from sm_emulate.errors import MachineError, RequestError
from sm_emulate.events import JobEnded, JobEvent, JobLaunched, LogLines, Noted
from sm_emulate.lifecycle.tuning.early_stopping import MedianRule
from sm_emulate.lifecycle.tuning.search import Search
from sm_emulate.request.tuning import CategoricalRange, ContinuousRange, IntegerRange, Objective
from sm_emulate.spec import wordings
from sm_emulate.storage.runs import Runs

LESS, MORE = Objective(type="Minimize", metric_name="loss"), Objective(type="Maximize", metric_name="loss")


def hyperparameters(box):
    return json.loads(box.path("/opt/ml/input/config/hyperparameters.json").read_text())


def parabola(box):
    """Prints a loss that is least at x = 0.3."""
    box.print(f"loss: {(float(hyperparameters(box)['x']) - 0.3) ** 2:.6f}")
    return 0


class Tuning:
    """Runs tuning jobs on the in-memory engine."""

    def __init__(self, engine, home, heard):
        self.engine, self.home, self.heard, self.job = engine, home, heard, None

    def request(self, *, hyperparameters=None, checkpoints=None, tags=None, **more):
        base = api.training_request(
            "img:1",
            metrics={"loss": "loss: ([0-9.]+)", "acc": "acc: ([0-9.]+)"},
            hyperparameters=hyperparameters,
            checkpoints=checkpoints,
            tags=tags,
        )
        given = {"objective": "loss", "maximize": False, "name": "tune", "seed": 1, **more}
        if not {"ranges", "choices"} & more.keys():
            given["ranges"] = {"x": (0.0, 1.0)}
        return api.tuning_request(base, **given)

    def run(self, program=parabola, *, after=lambda request: request, settings=None, **more):
        self.engine.add_image("img:1", program)
        self.heard.clear()
        return api.tune(
            after(self.request(**more)),
            engine=self.engine,
            platform=api.platform(settings=settings or {}),
            listeners=(self.heard,),
            ready=lambda job: setattr(self, "job", job),
        )

    def folder(self, name="tune"):
        return Runs(self.home).folder("hyper-parameter-tuning-jobs", name)

    def described(self, name="tune"):
        return self.folder(name).read(self.folder(name).result)


@pytest.fixture
def tuning(engine, home, heard):
    return Tuning(engine, home, heard)


def tried(result, name="x"):
    return [job.hyperparameters[name] for job in result.training_jobs]


# what the training jobs are


def test_training_jobs_are_ordinary_ones_with_the_tuning_jobs_name(tuning, home):
    result = tuning.run(max_jobs=3)
    names = [job.name for job in result.training_jobs]
    assert [name[:9] for name in names] == ["tune-001-", "tune-002-", "tune-003-"]
    assert all(len(name) == 17 and int(name[9:], 16) >= 0 for name in names)
    for name in names:
        described = json.loads((home / "training-jobs" / name / "result.json").read_text())
        assert described["TrainingJobStatus"] == "Completed"
        assert described["TuningJobArn"].endswith(":hyper-parameter-tuning-job/tune")


def test_a_container_gets_static_and_searched_hyperparameters_as_strings_and_the_objective(tuning):
    seen = []

    def program(box):
        seen.append(hyperparameters(box))
        return parabola(box)

    tuning.run(
        program,
        max_jobs=1,
        hyperparameters={"epochs": 3},
        ranges={"x": (0.0, 1.0), "layers": (1, 4)},
        choices={"opt": ["sgd", '"adam"']},
    )
    (given,) = seen
    assert list(given)[:2] == ["_tuning_objective_metric", "epochs"]
    assert (given["_tuning_objective_metric"], given["epochs"]) == ("loss", "3")
    assert 0 <= float(given["x"]) <= 1
    assert given["layers"] in {"1", "2", "3", "4"}
    assert given["opt"] in {"sgd", '"adam"'}


def test_an_objective_that_the_sdk_wrote_as_json_stays_so(tuning):
    seen = []

    def program(box):
        seen.append(hyperparameters(box)["_tuning_objective_metric"])
        return parabola(box)

    tuning.run(program, max_jobs=1, hyperparameters={"_tuning_objective_metric": '"loss"'})
    assert seen == ['"loss"']


def test_tags_of_the_tuning_job_are_those_of_its_training_jobs(tuning, home):
    result = tuning.run(max_jobs=1, tags={"team": "blue"})
    request = json.loads((home / "training-jobs" / result.best.name / "request.json").read_text())
    assert request["Tags"] == [
        {"Key": "team", "Value": "blue"},
        {"Key": "sm-emulate:tuning-job", "Value": "tune"},
    ]


def test_the_best_training_job_can_be_run_again_from_its_request(tuning, engine, home):
    result = tuning.run(max_jobs=2)
    request = json.loads((home / "training-jobs" / result.best.name / "request.json").read_text())
    again = api.training_request_from_aws(request | {"TrainingJobName": "again"})
    assert api.train(again, engine=engine).final_metrics[0]["Value"] == result.best.objective


@pytest.mark.parametrize("setting", ["per-job", "shared"])
def test_the_setting_decides_where_checkpoints_are_kept(tuning, tmp_path, setting):
    def program(box):
        box.path("/opt/ml/checkpoints", write=True).joinpath("state").write_text("1")
        return parabola(box)

    result = tuning.run(
        program, max_jobs=1, checkpoints=tmp_path / "kept", settings={"tuning-checkpoints": setting}
    )
    own = result.best.name if setting == "per-job" else "."
    assert (tmp_path / "kept" / own / "state").read_text() == "1"


def test_models_lie_in_the_run_folders_of_their_training_jobs(tuning, home):
    def program(box):
        box.path("/opt/ml/model", write=True).joinpath("weights").write_text("1")
        return parabola(box)

    result = tuning.run(program, max_jobs=1)
    assert (home / "training-jobs" / result.best.name / "model.tar.gz").is_file()


# what is chosen


def test_the_best_objective_wins_whichever_way_it_goes(tuning):
    down = tuning.run(max_jobs=6, strategy="Random", name="down")
    up = tuning.run(max_jobs=6, strategy="Random", name="up", maximize=True)
    assert tried(down) == tried(up)
    values = [job.objective for job in down.training_jobs]
    assert down.best.objective == min(values)
    assert up.best.objective == max(values)
    assert down.describe()["BestTrainingJob"]["TrainingJobName"] == down.best.name


@pytest.mark.parametrize("strategy", ["Random", "Bayesian"])
def test_the_same_seed_chooses_the_same_again(tuning, strategy):
    first = tuning.run(max_jobs=5, strategy=strategy, name="a", seed=7)
    assert tried(first) == tried(tuning.run(max_jobs=5, strategy=strategy, name="b", seed=7))
    assert tried(first) != tried(tuning.run(max_jobs=5, strategy=strategy, name="c", seed=8))


def test_a_seed_that_was_not_given_is_told_so_that_it_can_be(tuning):
    first = tuning.run(max_jobs=3, strategy="Random", name="a", seed=None)
    seed = first.describe()["Emulator"]["RandomSeed"]
    assert tried(first) == tried(tuning.run(max_jobs=3, strategy="Random", name="b", seed=seed))


def test_bayesian_search_comes_nearer_than_its_random_beginning(tuning):
    result = tuning.run(max_jobs=40)
    values = [job.objective for job in result.training_jobs]
    assert median(values[20:]) < median(values[:10])


def test_a_grid_is_every_combination_once(tuning):
    def program(box):
        box.print("loss: 1")
        return 0

    result = tuning.run(program, strategy="Grid", choices={"a": ["1", "2", "3"], "b": ["x", "y"]})
    assert [tuple(job.hyperparameters.values()) for job in result.training_jobs] == [
        ("1", "x"),
        ("1", "y"),
        ("2", "x"),
        ("2", "y"),
        ("3", "x"),
        ("3", "y"),
    ]


def searched(*ranges, count=200, guess_scale=True):
    search = Search(
        "s", ranges, objective=LESS, strategy="Random", seed=1, jobs=None, guess_scale=guess_scale
    )
    found = []
    for _ in range(count):
        suggestion = search.suggest()
        found.append({name: float(value) for name, value in suggestion.values.items()})
        search.ended(suggestion, 0.5, early=False)
    return found


@pytest.mark.parametrize(
    ("low", "high", "scale", "middle"),
    [
        ("0.0001", "1", "Linear", 0.5),
        ("0.0001", "1", "Logarithmic", 0.01),
        ("0", "0.9999", "ReverseLogarithmic", 0.99),
        ("0.0001", "1", "Auto", 0.01),
        ("0.1", "1", "Auto", 0.55),
        ("-1", "1", "Auto", 0.0),
    ],
)
def test_half_of_what_is_tried_lies_on_each_side_of_the_scales_middle(low, high, scale, middle):
    found = [
        each["x"]
        for each in searched(ContinuousRange(name="x", min_value=low, max_value=high, scaling_type=scale))
    ]
    assert all(float(low) <= value <= float(high) for value in found)
    assert 60 < sum(value < middle for value in found) < 140


def test_the_setting_decides_about_scale_auto():
    wide = IntegerRange(name="n", min_value="1", max_value="10000")
    assert sum(each["n"] < 100 for each in searched(wide, count=40)) > 10
    assert sum(each["n"] < 100 for each in searched(wide, count=40, guess_scale=False)) < 5


# when it ends


def test_it_ends_at_the_number_of_training_jobs(tuning):
    result = tuning.run(max_jobs=4)
    assert (result.status.value, result.completed_because) == ("Completed", "MaxNumberOfTrainingJobs")
    assert len(result.training_jobs) == 4


def test_so_many_run_at_the_same_time_and_no_more(tuning):
    together = threading.Barrier(3, timeout=180)
    alive, most = [], []

    def program(box):
        alive.append(box)
        most.append(len(alive))
        together.wait()
        alive.remove(box)
        return parabola(box)

    result = tuning.run(program, max_jobs=6, parallel=3)
    assert max(most) == 3
    assert [job.status.value for job in result.training_jobs] == ["Completed"] * 6


def test_a_target_that_is_reached_ends_it(tuning):
    result = tuning.run(max_jobs=50, strategy="Random", target=0.01)
    assert (result.status.value, result.completed_because) == ("Completed", "TargetObjectiveMetricValue")
    assert result.training_jobs[-1].objective <= 0.01
    assert all(job.objective > 0.01 for job in result.training_jobs[:-1])


def criteria(**members):
    def after(request):
        wanted = replace(request.config.completion_criteria, **members)
        return replace(request, config=replace(request.config, completion_criteria=wanted))

    return after


def same(box):
    box.print("loss: 0.5")
    return 0


def test_jobs_that_do_not_improve_end_it(tuning):
    result = tuning.run(same, max_jobs=50, after=criteria(max_not_improving=3))
    assert (len(result.training_jobs), result.completed_because) == (4, "BestObjectiveNotImproving")
    details = result.describe()["TuningJobCompletionDetails"]
    assert details == {"NumberOfTrainingJobsObjectiveNotImproving": 3}


def test_less_than_one_percent_is_no_improvement(tuning):
    values = iter([0.5, 0.499, 0.498, 0.497, 0.3])

    def program(box):
        box.print(f"loss: {next(values)}")
        return 0

    result = tuning.run(program, max_jobs=5, after=criteria(max_not_improving=3))
    assert len(result.training_jobs) == 4
    assert result.best.objective == 0.497


def test_convergence_ends_it_after_as_many_jobs_as_the_setting_says(tuning):
    result = tuning.run(
        same,
        max_jobs=50,
        after=criteria(complete_on_convergence=True),
        settings={"tuning-convergence-after": "5"},
    )
    assert (len(result.training_jobs), result.completed_because) == (6, "ConvergenceDetected")
    assert "ConvergenceDetectedTime" in result.describe()["TuningJobCompletionDetails"]


@pytest.mark.parametrize(("setting", "left"), [("stop", "Stopped"), ("finish", "Completed")])
def test_the_setting_decides_about_what_runs_when_it_is_over(tuning, setting, left):
    slow_runs, over = threading.Event(), threading.Event()

    def program(box):
        if hyperparameters(box)["who"] == "slow":
            slow_runs.set()
            while not over.is_set() and box.next_signal(0.01) is None:
                pass
            box.print("loss: 0.9")
        else:
            slow_runs.wait(180)
            box.print("loss: 0.1")
        return 0

    if setting == "finish":
        tuning.heard.react(Noted, over.set)
    result = tuning.run(
        program,
        strategy="Grid",
        choices={"who": ["slow", "fast", "never"]},
        parallel=2,
        target=0.2,
        settings={"tuning-completion": setting},
    )
    assert [job.status.value for job in result.training_jobs] == [left, "Completed"]
    assert result.status.value == "Completed"


def test_time_that_is_over_ends_it(tuning):
    def program(box):
        while box.next_signal(0.01) is None:
            pass
        box.print("loss: 0.5")
        return 0

    def within(seconds):
        def shorter(request):
            limits = replace(request.config.resource_limits, max_runtime_in_seconds=seconds)
            return replace(request, config=replace(request.config, resource_limits=limits))

        return tuning.run(program, max_jobs=50, parallel=2, after=shorter, name=f"within-{seconds:.0f}")

    result = within(0.2)
    for longer in (5.0, 60.0):  # where a busy machine has not started two by then
        if len(result.training_jobs) == 2 and all(job.objective for job in result.training_jobs):
            break
        result = within(longer)
    assert (result.status.value, result.completed_because) == ("Completed", "MaxRuntimeInSeconds")
    assert [job.status.value for job in result.training_jobs] == ["Stopped", "Stopped"]
    assert not any(job.early_stopped for job in result.training_jobs)


# early stopping


def test_the_median_rule_compares_with_running_averages_up_to_the_same_step():
    rule = MedianRule(LESS, at_least=1)
    assert not rule.stops([9.0])
    for values in ([4.0, 2.0, 0.0], [5.0, 3.0, 1.0], [9.0, 1.0]):
        rule.completed(values)
    # averages after one step: 4, 5, 9; after two: 3, 4, 5; after three: 2, 3, 5
    assert not rule.stops([5.0])
    assert rule.stops([5.1])
    assert not rule.stops([9.0, 4.0])
    assert rule.stops([0.0, 4.1])
    assert rule.stops([0.0, 0.0, 3.1])


def test_the_median_rule_looks_the_other_way_when_more_is_better():
    rule = MedianRule(MORE, at_least=2)
    rule.completed([1.0, 3.0])
    assert not rule.stops([0.0])
    rule.completed([1.0, 5.0])
    assert rule.stops([0.0])
    assert not rule.stops([1.0])
    assert rule.stops([9.0, 2.4])
    assert not rule.stops([0.0, 2.6])


def curve(box):
    """Prints x three times, and goes on until it is stopped if x is bad."""
    x = float(hyperparameters(box)["x"])
    for _ in range(3):
        box.print(f"loss: {x}")
    while x > 0.5:
        if box.next_signal(0.01) is not None:
            return 0
    return 0


def test_a_job_worse_than_the_median_is_stopped_early(tuning):
    result = tuning.run(curve, choices={"x": ["0.2", "0.1", "0.9"]}, strategy="Grid", early_stopping=True)
    assert [job.status.value for job in result.training_jobs] == ["Completed", "Completed", "Stopped"]
    assert result.training_jobs[2].early_stopped
    described = tuning.described()
    assert described["Emulator"]["EarlyStopped"] == [result.training_jobs[2].name]
    assert described["TrainingJobStatusCounters"] == {
        "Completed": 2,
        "InProgress": 0,
        "RetryableError": 0,
        "NonRetryableError": 0,
        "Stopped": 1,
    }
    assert described["ObjectiveStatusCounters"] == {"Succeeded": 3, "Pending": 0, "Failed": 0}
    assert [event.early_stopped for event in tuning.heard.of(JobEnded)] == [False, False, True]


def test_the_setting_decides_how_many_completed_jobs_it_takes(tuning):
    def program(box):
        x = float(hyperparameters(box)["x"])
        box.print(f"loss: {x}")
        return 0

    result = tuning.run(
        program,
        choices={"x": ["0.1", "0.9"]},
        strategy="Grid",
        early_stopping=True,
        settings={"tuning-early-stopping-after": "2"},
    )
    assert not any(job.early_stopped for job in result.training_jobs)


def test_hyperband_stops_what_is_bad_early_and_everything_at_its_most(tuning):
    steps = {}

    def program(box):
        x = float(hyperparameters(box)["x"])
        mine = steps[id(box)] = []
        while box.next_signal(0.005) is None:
            mine.append(x)
            box.print(f"loss: {x}")
        return 0

    result = tuning.run(program, strategy="Hyperband", max_jobs=12, resource=(1, 9))
    assert result.status.value == "Completed"
    assert {job.status.value for job in result.training_jobs} == {"Stopped"}
    assert not result.training_jobs[0].early_stopped
    assert not result.best.early_stopped
    assert sum(job.early_stopped for job in result.training_jobs) >= 3
    assert all(steps.values())
    assert result.best.objective == min(float(x) for x in tried(result))


def test_hyperband_reads_its_most_from_a_static_hyperparameter(tuning):
    def program(box):
        count = 0
        while box.next_signal(0.005) is None:
            count += 1
            box.print("loss: 1")
        return 0

    result = tuning.run(program, strategy="Hyperband", max_jobs=1, hyperparameters={"n_epochs": "4"})
    (job,) = result.training_jobs
    assert (job.status.value, job.early_stopped) == ("Stopped", False)


# failing


def test_five_failures_at_the_beginning_fail_it_in_sagemakers_words(tuning):
    result = tuning.run(lambda box: 1, max_jobs=20)
    assert len(result.training_jobs) == 5
    assert result.status.value == "Failed"
    assert result.failure_reason == wordings.no_training_job_succeeded(5)
    assert result.failure_reason.startswith("No training job succeeded after 5 attempts. ")
    assert tuning.described()["TrainingJobStatusCounters"]["NonRetryableError"] == 5
    assert "BestTrainingJob" not in tuning.described()


def test_failures_beside_a_success_do_not_fail_it(tuning):
    outcomes = iter([1, 0, 1, 1])

    def program(box):
        box.print("loss: 0.5")
        return next(outcomes)

    result = tuning.run(program, max_jobs=4)
    assert result.status.value == "Completed"
    assert [job.objective for job in result.training_jobs] == [None, 0.5, None, None]
    assert tuning.described()["ObjectiveStatusCounters"] == {"Succeeded": 1, "Pending": 0, "Failed": 3}


def test_training_jobs_that_never_print_the_objective_fail_it(tuning):
    result = tuning.run(lambda box: 0, max_jobs=2)
    assert (result.status.value, result.failure_reason) == ("Failed", wordings.no_objective_metric(2))
    assert {job.objective_status.value for job in result.training_jobs} == {"Failed"}


def test_an_engine_that_breaks_stops_all_and_is_told(tuning, engine):
    before = set(threading.enumerate())

    def program(box):
        engine.fail_next("create", MachineError("the disk is full"))
        box.print("loss: 1")
        return 0

    with pytest.raises(MachineError, match="the disk is full"):
        tuning.run(program, max_jobs=5)
    described = tuning.described()
    assert described["HyperParameterTuningJobStatus"] == "Failed"
    assert described["FailureReason"].startswith("InternalServerError: ")
    assert described["TrainingJobStatusCounters"]["InProgress"] == 0
    # a container's thread ends a moment after its container
    for thread in set(threading.enumerate()) - before:
        thread.join(180)
        assert not thread.is_alive(), thread.name


# stopping


def test_a_stop_stops_every_training_job(tuning):
    def program(box):
        box.print("loss: 0.5")
        while box.next_signal(0.01) is None:
            pass
        return 0

    launched = []

    def both_print(event):
        if isinstance(event, JobEvent) and isinstance(event.event, LogLines):
            launched.append(event)
            if len(launched) == 2:
                tuning.job.stop()

    tuning.heard.then.append(both_print)
    result = tuning.run(program, max_jobs=10, parallel=2)
    assert result.status.value == "Stopped"
    assert [job.status.value for job in result.training_jobs] == ["Stopped", "Stopped"]
    assert [job.objective for job in result.training_jobs] == [0.5, 0.5]
    assert tuning.described()["HyperParameterTuningJobStatus"] == "Stopped"


def test_a_second_stop_kills(tuning):
    def program(box):
        box.print("loss: 0.5")
        while True:
            if box.next_signal(0.01) == "SIGTERM":
                tuning.job.stop()

    tuning.heard.react(JobEvent, lambda: tuning.job.stop(), number=1)  # noqa: PLW0108  # there is no job yet
    result = tuning.run(program, max_jobs=10)
    assert [job.status.value for job in result.training_jobs] == ["Stopped"]


# what is heard and kept


def test_what_happens_in_training_jobs_is_heard_with_their_names_and_kept_in_their_folders(tuning, home):
    result = tuning.run(max_jobs=2)
    ended = tuning.heard.of(JobEnded)
    assert [event.number for event in tuning.heard.of(JobLaunched)] == [1, 2]
    assert [event.job for event in ended] == [job.name for job in result.training_jobs]
    assert ended[0].best
    lines = [event for event in tuning.heard.of(JobEvent) if isinstance(event.event, LogLines)]
    assert {event.job for event in lines} == {job.name for job in result.training_jobs}
    assert "JobEvent" not in tuning.folder().events.read_text()
    assert "LogLines" not in tuning.folder().events.read_text()


def test_the_run_folder_says_how_it_stands_while_it_runs(tuning):
    standing = []

    def look(event):
        if isinstance(event, JobEvent) and isinstance(event.event, LogLines):
            standing.append(tuning.folder().description())

    tuning.heard.then.append(look)
    tuning.run(max_jobs=2)
    assert standing[1]["HyperParameterTuningJobStatus"] == "InProgress"
    assert standing[1]["TrainingJobStatusCounters"]["Completed"] == 1
    assert standing[1]["TrainingJobStatusCounters"]["InProgress"] == 1
    assert standing[1]["ObjectiveStatusCounters"]["Pending"] == 1
    assert (
        standing[1]["BestTrainingJob"]["FinalHyperParameterTuningJobObjectiveMetric"]["MetricName"] == "loss"
    )


# warm start


def test_a_warm_start_learns_from_its_parents_and_names_the_best_of_all(tuning):
    parent = tuning.run(max_jobs=8, name="parent")
    child = tuning.run(max_jobs=1, name="child", parents=["parent"], strategy="Bayesian", seed=2)
    assert "parent: 8 of 8 results lie within the ranges" in [
        event.message for event in tuning.heard.of(Noted)
    ]
    described = tuning.described("child")
    overall = described["OverallBestTrainingJob"]["TrainingJobName"]
    assert overall == min((*parent.training_jobs, *child.training_jobs), key=lambda job: job.objective).name
    assert described["BestTrainingJob"]["TrainingJobName"] == child.best.name
    assert described["WarmStartConfig"]["WarmStartType"] == "IdenticalDataAndAlgorithm"


def test_with_transfer_learning_results_do_not_compare(tuning):
    tuning.run(max_jobs=2, name="parent")
    tuning.run(max_jobs=1, name="child", parents=["parent"], warm_start_type="TransferLearning")
    assert "OverallBestTrainingJob" not in tuning.described("child")


def test_a_range_may_become_static_and_results_outside_of_a_new_range_are_left_out(tuning):
    tuning.run(max_jobs=4, name="parent", ranges={"x": (0.0, 1.0)}, hyperparameters={"y": "1"})
    tuning.run(
        max_jobs=1,
        name="child",
        ranges={"y": (1, 3)},
        hyperparameters={"x": "0.5"},
        parents=["parent"],
    )
    assert "parent: 4 of 4 results lie within the ranges" in [
        event.message for event in tuning.heard.of(Noted)
    ]
    tuning.run(
        max_jobs=1, name="narrow", ranges={"x": (5.0, 6.0)}, hyperparameters={"y": "1"}, parents=["parent"]
    )
    assert "parent: 0 of 4 results lie within the ranges" in [
        event.message for event in tuning.heard.of(Noted)
    ]


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"parents": ["nobody"]}, "a parent of the warm start is no tuning job here"),
        ({"objective": "acc"}, "the objective of a warm start is not that of its parent"),
        ({"hyperparameters": {"new": "1"}}, wordings.WARM_START_NAMES[:60]),
        ({"ranges": {"x": (0, 1)}}, "hyperparameter x has another type"),
    ],
)
def test_a_warm_start_that_does_not_fit_is_refused_before_anything_starts(tuning, changed, words):
    tuning.run(max_jobs=1, name="parent")
    with pytest.raises(RequestError, match=words):
        tuning.run(**{"max_jobs": 1, "name": "child", "parents": ["parent"], **changed})
    assert not tuning.folder("child").path.exists()


def test_six_changed_static_values_are_too_many_for_a_warm_start(tuning):
    names = [f"s{number}" for number in range(6)]
    tuning.run(max_jobs=1, name="parent", hyperparameters=dict.fromkeys(names, "1"))
    five = {name: "2" if name != "s5" else "1" for name in names}
    tuning.run(max_jobs=1, name="five", parents=["parent"], hyperparameters=five)
    with pytest.raises(RequestError, match="too many static hyperparameters differ"):
        tuning.run(max_jobs=1, name="six", parents=["parent"], hyperparameters=dict.fromkeys(names, "2"))


# several definitions, Autotune


def several(request):
    one = request.definition
    objective = request.config.objective
    ranges = request.config.parameter_ranges
    return replace(
        request,
        definition=None,
        several=tuple(
            replace(one, name=name, objective=objective, ranges=ranges, static={"who": name})
            for name in ("a", "b")
        ),
        config=replace(request.config, objective=None, parameter_ranges=type(ranges)()),
    )


def test_several_definitions_take_turns(tuning):
    def program(box):
        box.print(f"loss: {0.2 if hyperparameters(box)['who'] == 'a' else 0.1}")
        return 0

    result = tuning.run(program, max_jobs=4, after=several)
    assert [job.definition_name for job in result.training_jobs] == ["a", "b", "a", "b"]
    best = tuning.described()["BestTrainingJob"]
    assert (best["TrainingJobDefinitionName"], result.best.objective) == ("b", 0.1)
    assert [each["DefinitionName"] for each in tuning.described()["TrainingJobDefinitions"]] == ["a", "b"]


def test_autotune_chooses_ranges_around_the_examples_and_a_number_of_jobs(tuning):
    seen = []

    def program(box):
        seen.append(hyperparameters(box))
        box.print(f"loss: {len(seen)}")
        return 0

    document = {
        "HyperParameterTuningJobName": "auto",
        **_document(tuning.request(name="auto")),
        "Autotune": {"Mode": "Enabled"},
    }
    config = document["HyperParameterTuningJobConfig"]
    config["ResourceLimits"] = {"MaxParallelTrainingJobs": 1}
    config["ParameterRanges"] = {
        "AutoParameters": [
            {"Name": "lr", "ValueHint": "0.2"},
            {"Name": "n", "ValueHint": "8"},
            {"Name": "opt", "ValueHint": "adam"},
        ]
    }
    tuning.engine.add_image("img:1", program)
    result = api.tune(
        api.tuning_request_from_aws(document),
        engine=tuning.engine,
        platform=api.platform(settings={"autotune-jobs": "7"}),
    )
    assert len(result.training_jobs) == 7
    assert all(0.1 <= float(each["lr"]) <= 0.4 and 4 <= int(each["n"]) <= 16 for each in seen)
    assert {each["opt"] for each in seen} == {"adam"}
    assert len({each["lr"] for each in seen}) == 7
    chosen = result.describe()["HyperParameterTuningJobConfig"]["ParameterRanges"]
    assert chosen["IntegerParameterRanges"] == [{"Name": "n", "MinValue": "4", "MaxValue": "16"}]
    assert "AutoParameters" not in chosen


@pytest.mark.parametrize("strategy", ["Random", "Bayesian"])
def test_no_combination_is_tried_twice(tuning, strategy):
    def program(box):
        box.print(f"loss: {hyperparameters(box)['n']}")
        return 0

    result = tuning.run(
        program, strategy=strategy, ranges={"n": (1, 4)}, choices={"c": ["a", "b"]}, max_jobs=8
    )
    assert len({tuple(job.hyperparameters.items()) for job in result.training_jobs}) == 8


def _document(request):
    from sm_emulate.request.tuning import to_aws

    return to_aws(request)


def test_optuna_and_matplotlib_are_imported_only_when_they_work():
    code = (
        "import sys, sm_emulate.api.tuning, sm_emulate.cli.tune, sm_emulate.cli.metrics, sm_emulate.report.picture\n"
        "print({'optuna', 'matplotlib', 'numpy'} & sys.modules.keys())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


def test_a_wrong_image_is_refused_before_anything_starts(tuning):
    with pytest.raises(MachineError):
        api.tune(tuning.request(max_jobs=1), engine=tuning.engine)
    assert not tuning.folder().path.exists()


def test_categories_are_told_as_they_are():
    ranges = (CategoricalRange(name="c", values=("1", "01", "a b")),)
    search = Search("s", ranges, objective=LESS, strategy="Grid", seed=1, jobs=3)
    assert [search.suggest().values["c"] for _ in range(3)] == ["1", "01", "a b"]
    assert search.suggest() is None
