"""Tuning requests: the JSON of CreateHyperParameterTuningJob, read, checked, written back."""

from __future__ import annotations

from copy import deepcopy
from datetime import datetime, timezone

import pytest

from sm_emulate.errors import RequestError
from sm_emulate.lifecycle.tuning.tuned_job import training_request
from sm_emulate.request.override import override
from sm_emulate.request.service_model import load
from sm_emulate.request.training import OPERATION as CREATE_TRAINING_JOB
from sm_emulate.request.tuning import OPERATION, from_aws, to_aws
from sm_emulate.request.tuning_flags import choice, default_tuning_job_name, parameter_range

ROLE = "arn:aws:iam::123456789012:role/sm-emulate"
DOCUMENT = {
    "HyperParameterTuningJobName": "hunt",
    "HyperParameterTuningJobConfig": {
        "Strategy": "Bayesian",
        "HyperParameterTuningJobObjective": {"Type": "Minimize", "MetricName": "loss"},
        "ResourceLimits": {"MaxNumberOfTrainingJobs": 4, "MaxParallelTrainingJobs": 2},
        "ParameterRanges": {
            "ContinuousParameterRanges": [
                {"Name": "lr", "MinValue": "0.001", "MaxValue": "0.1", "ScalingType": "Logarithmic"}
            ],
            "IntegerParameterRanges": [{"Name": "layers", "MinValue": "1", "MaxValue": "4"}],
            "CategoricalParameterRanges": [{"Name": "opt", "Values": ["sgd", "adam"]}],
        },
        "TrainingJobEarlyStoppingType": "Auto",
        "TuningJobCompletionCriteria": {
            "TargetObjectiveMetricValue": 0.1,
            "BestObjectiveNotImproving": {"MaxNumberOfTrainingJobsNotImproving": 3},
            "ConvergenceDetected": {"CompleteOnConvergence": "Enabled"},
        },
        "RandomSeed": 7,
    },
    "TrainingJobDefinition": {
        "StaticHyperParameters": {"epochs": "3"},
        "AlgorithmSpecification": {
            "TrainingImage": "my-image",
            "TrainingInputMode": "File",
            "MetricDefinitions": [{"Name": "loss", "Regex": "loss: (.*)"}],
        },
        "RoleArn": ROLE,
        "InputDataConfig": [
            {
                "ChannelName": "train",
                "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://bucket/train"}},
            }
        ],
        "OutputDataConfig": {"S3OutputPath": "s3://bucket/out"},
        "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 30},
        "StoppingCondition": {"MaxRuntimeInSeconds": 600},
        "CheckpointConfig": {"S3Uri": "s3://bucket/state"},
        "VpcConfig": {"SecurityGroupIds": ["sg-1"], "Subnets": ["subnet-1"]},
        "Environment": {"KEY": "secret"},
        "RetryStrategy": {"MaximumRetryAttempts": 2},
    },
    "WarmStartConfig": {
        "ParentHyperParameterTuningJobs": [{"HyperParameterTuningJobName": "parent"}],
        "WarmStartType": "TransferLearning",
    },
    "Tags": [{"Key": "team", "Value": "blue"}],
}


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return load(OPERATION, cache_dir=tmp_path_factory.mktemp("model"))


@pytest.fixture
def document():
    return deepcopy(DOCUMENT)


@pytest.fixture
def refused(model, document):
    def check(path, value):
        *way, last = path.split("/")
        there = document
        for step in way:
            there = there[int(step) if step.isdigit() else step]
        step = int(last) if last.isdigit() else last
        if value is None:
            del there[step]
        else:
            there[step] = value
        with pytest.raises(RequestError) as told:
            from_aws(document, model=model)
        return "\n".join(told.value.lines())

    return check


CONFIG, DEFINITION = "HyperParameterTuningJobConfig", "TrainingJobDefinition"


def test_nothing_of_a_request_is_lost(model, document):
    assert to_aws(from_aws(document, model=model)) == document


def test_a_secret_is_not_in_its_repr(model, document):
    assert "secret" not in repr(from_aws(document, model=model).definition)


def test_local_paths_stand_where_s3_does(model, document, tmp_path):
    definition = document[DEFINITION]
    definition["InputDataConfig"][0]["DataSource"]["S3DataSource"]["S3Uri"] = "data"
    definition["OutputDataConfig"]["S3OutputPath"] = "file:///models"
    read = to_aws(from_aws(document, model=model, base_dir=tmp_path))[DEFINITION]
    assert read["InputDataConfig"][0]["DataSource"]["S3DataSource"]["S3Uri"] == (tmp_path / "data").as_uri()
    assert read["OutputDataConfig"]["S3OutputPath"] == "file:///models"


def test_a_definition_becomes_a_training_job(model, document):
    request = training_request(
        from_aws(document, model=model).definition,
        name="hunt-001-00000000",
        hyperparameters={"lr": "0.01"},
        tags=document["Tags"],
        model=load(CREATE_TRAINING_JOB),
    )
    assert request.training_job_name == "hunt-001-00000000"
    assert dict(request.hyper_parameters) == {"lr": "0.01"}
    assert request.environment == {"KEY": "secret"}
    assert request.retry_strategy.maximum_retry_attempts == 2
    assert request.checkpoint_config.s3_uri == "s3://bucket/state/hunt-001-00000000"
    assert request.raw["VpcConfig"]["Subnets"] == ["subnet-1"]
    assert [tag.key for tag in request.tags] == ["team"]


@pytest.mark.parametrize(
    "resources",
    [
        {"InstanceType": "ml.c5.xlarge", "InstanceCount": 2, "VolumeSizeInGB": 10},
        {
            "VolumeSizeInGB": 10,
            "AllocationStrategy": "Prioritized",
            "InstanceConfigs": [
                {"InstanceType": "ml.c5.xlarge", "InstanceCount": 2, "VolumeSizeInGB": 10},
                {"InstanceType": "ml.p3.2xlarge", "InstanceCount": 1, "VolumeSizeInGB": 10},
            ],
        },
    ],
)
def test_tuning_resources_are_those_of_a_training_job(model, document, resources):
    definition = document[DEFINITION]
    del definition["ResourceConfig"]
    definition["HyperParameterTuningResourceConfig"] = resources
    read = from_aws(document, model=model).definition.training_document()["ResourceConfig"]
    assert read == {"InstanceType": "ml.c5.xlarge", "InstanceCount": 2, "VolumeSizeInGB": 10}


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        ("HyperParameterTuningJobName", "a" * 33, "too long"),
        (f"{CONFIG}/Strategy", "Bayes", "expected: one of Bayesian, Random, Hyperband, Grid"),
        (f"{CONFIG}/ResourceLimits/MaxParallelTrainingJobs", None, "MaxParallelTrainingJobs is missing"),
        (f"{CONFIG}/ResourceLimits/MaxRuntimeInSeconds", 119, "too small"),
        (f"{DEFINITION}/Environment", {f"K{n}": "" for n in range(49)}, "too many entries"),
        ("WarmStartConfig/ParentHyperParameterTuningJobs", [], "too few"),
        (
            "WarmStartConfig/ParentHyperParameterTuningJobs",
            [{"HyperParameterTuningJobName": f"p{n}"} for n in range(6)],
            "too many",
        ),
        (f"{CONFIG}/RandomSeed", -1, "too small"),
    ],
)
def test_the_limits_of_the_api_hold(refused, path, value, words):
    assert words in refused(path, value)


RANGES = f"{CONFIG}/ParameterRanges"


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        (f"{RANGES}/IntegerParameterRanges/0/MinValue", "1.5", "MinValue is no whole number"),
        (f"{RANGES}/ContinuousParameterRanges/0/MaxValue", "much", "MaxValue is no number"),
        (f"{RANGES}/ContinuousParameterRanges/0/MaxValue", "inf", "MaxValue is no number"),
        (f"{RANGES}/ContinuousParameterRanges/0/MinValue", "0.2", "MinValue is larger than MaxValue"),
        (f"{RANGES}/ContinuousParameterRanges/0/MinValue", "0", "for values greater than 0 only"),
        (
            f"{RANGES}/IntegerParameterRanges/0/ScalingType",
            "ReverseLogarithmic",
            "a reverse logarithmic scale is for continuous ranges within 0 <= x < 1 only",
        ),
        (
            f"{RANGES}/ContinuousParameterRanges/0",
            {"Name": "lr", "MinValue": "0", "MaxValue": "1", "ScalingType": "ReverseLogarithmic"},
            "within 0 <= x < 1 only",
        ),
        (f"{RANGES}/IntegerParameterRanges/0/Name", "lr", "hyperparameter lr has two ranges"),
        (
            f"{RANGES}/CategoricalParameterRanges",
            [{"Name": f"c{n}", "Values": ["1"]} for n in range(29)],
            "has too many ranges",
        ),
        (RANGES, {}, "names no hyperparameter"),
    ],
)
def test_what_is_wrong_with_ranges_is_told(refused, path, value, words):
    assert words in refused(path, value)


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        (DEFINITION, None, "TrainingJobDefinition is missing"),
        ("TrainingJobDefinitions", [DOCUMENT[DEFINITION]], "are both there"),
        (f"{CONFIG}/HyperParameterTuningJobObjective", None, "HyperParameterTuningJobObjective is missing"),
        (
            f"{CONFIG}/HyperParameterTuningJobObjective/MetricName",
            "accuracy",
            "A metric is required for this hyperparameter tuning job objective.",
        ),
        (f"{CONFIG}/Strategy", "Grid", "strategy Grid takes categorical ranges only"),
        (f"{CONFIG}/Strategy", "Hyperband", "Hyperband stops training jobs early by a rule of its own"),
        (
            f"{CONFIG}/StrategyConfig",
            {"HyperbandStrategyConfig": {"MaxResource": 9}},
            "is for strategy Hyperband only",
        ),
        (f"{DEFINITION}/StaticHyperParameters/lr", "1", "hyperparameter lr is static and has a range"),
        (f"{DEFINITION}/ResourceConfig", None, "TrainingJobDefinition: ResourceConfig is missing"),
        (f"{DEFINITION}/EnableManagedSpotTraining", True, "MaxWaitTimeInSeconds is missing"),
        (
            f"{RANGES}/AutoParameters",
            [{"Name": "n", "ValueHint": "1"}],
            "AutoParameters are for Autotune only",
        ),
    ],
)
def test_what_does_not_go_together_is_told(refused, path, value, words):
    assert words in refused(path, value)


def test_the_objectives_name_is_one_of_the_hundred_hyperparameters(model, document):
    static = document[DEFINITION]["StaticHyperParameters"] = {f"s{n}": "1" for n in range(96)}
    from_aws(document, model=model)
    static["s96"] = "1"
    with pytest.raises(RequestError, match="too many hyperparameters") as told:
        from_aws(document, model=model)
    assert told.value.value == "101"


def test_more_jobs_than_combinations_are_refused_in_sagemakers_words(model, document):
    del document[CONFIG]["ParameterRanges"]["ContinuousParameterRanges"]
    limits = document[CONFIG]["ResourceLimits"]
    limits["MaxNumberOfTrainingJobs"] = 8
    from_aws(document, model=model)
    limits["MaxNumberOfTrainingJobs"] = 9
    with pytest.raises(RequestError) as told:
        from_aws(document, model=model)
    assert told.value.what == (
        "You don't have enough combinations of hyperparameter ranges. The total number of hyperparameter "
        "combinations for the provided ranges [8.0] must be equal or greater than the value of MaxNumberOfJobs, "
        "[9]. Provide additional ranges."
    )


def test_a_search_without_an_end_is_refused(model, document):
    config = document[CONFIG]
    del config["TuningJobCompletionCriteria"], config["ResourceLimits"]["MaxNumberOfTrainingJobs"]
    with pytest.raises(RequestError, match="MaxNumberOfTrainingJobs is missing"):
        from_aws(document, model=model)
    config["ResourceLimits"]["MaxRuntimeInSeconds"] = 120
    from_aws(document, model=model)


@pytest.mark.parametrize(("count", "fits"), [(6, True), (5, False), (None, True)])
def test_a_grid_has_as_many_jobs_as_combinations(model, document, count, fits):
    config = document[CONFIG]
    config |= {
        "Strategy": "Grid",
        "ParameterRanges": {
            "CategoricalParameterRanges": [
                {"Name": "a", "Values": ["1", "2"]},
                {"Name": "b", "Values": ["1", "2", "3"]},
            ]
        },
    }
    del document["WarmStartConfig"]
    config["ResourceLimits"]["MaxNumberOfTrainingJobs"] = count
    if count is None:
        del config["ResourceLimits"]["MaxNumberOfTrainingJobs"]
    if fits:
        from_aws(document, model=model)
    else:
        with pytest.raises(RequestError, match="is not the number of combinations") as told:
            from_aws(document, model=model)
        assert told.value.expected.startswith("6, ")


@pytest.mark.parametrize(("given", "fits"), [("3", True), ('"3"', True), ("three", False)])
def test_hyperband_needs_to_know_how_long_a_job_can_be(model, document, given, fits):
    config = document[CONFIG]
    config |= {"Strategy": "Hyperband", "TrainingJobEarlyStoppingType": "Off"}
    del document["WarmStartConfig"]
    document[DEFINITION]["StaticHyperParameters"] = {"num_epochs": given}
    if fits:
        from_aws(document, model=model)
    else:
        with pytest.raises(RequestError, match="MaxResource is missing"):
            from_aws(document, model=model)


def definition(name, kind="Minimize"):
    return {
        **DOCUMENT[DEFINITION],
        "DefinitionName": name,
        "TuningObjective": {"Type": kind, "MetricName": "loss"},
        "HyperParameterRanges": {"CategoricalParameterRanges": [{"Name": "a", "Values": ["1"]}]},
    }


def several(document, *definitions):
    for name in ("HyperParameterTuningJobObjective", "ParameterRanges"):
        del document[CONFIG][name]
    del document[DEFINITION], document["WarmStartConfig"]
    return document | {"TrainingJobDefinitions": list(definitions)}


def test_several_definitions_have_names_and_one_direction(model, document):
    from_aws(several(deepcopy(document), definition("a"), definition("b")), model=model)
    for wrong, words in (
        ([definition("a"), definition("a")], "two equal DefinitionNames"),
        (
            [definition("a"), {k: v for k, v in definition("b").items() if k != "DefinitionName"}],
            "is missing",
        ),
        ([definition("a"), definition("b", "Maximize")], "one definition maximizes its objective"),
    ):
        with pytest.raises(RequestError, match=words):
            from_aws(several(deepcopy(document), *wrong), model=model)


# flags


@pytest.mark.parametrize(
    ("text", "kind", "found"),
    [
        ("n=1..4", "Integer", {"Name": "n", "MinValue": "1", "MaxValue": "4"}),
        ("n=-3..+4", "Integer", {"Name": "n", "MinValue": "-3", "MaxValue": "+4"}),
        ("x=1..4,type=float", "Continuous", {"Name": "x", "MinValue": "1", "MaxValue": "4"}),
        ("x=.5...9", "Continuous", {"Name": "x", "MinValue": ".5", "MaxValue": ".9"}),
        ("x=1e-4..0.1", "Continuous", {"Name": "x", "MinValue": "1e-4", "MaxValue": "0.1"}),
        (
            "x=0..0.99,scale=reverse-log",
            "Continuous",
            {"Name": "x", "MinValue": "0", "MaxValue": "0.99", "ScalingType": "ReverseLogarithmic"},
        ),
    ],
)
def test_a_range_is_read(text, kind, found):
    assert parameter_range(text) == (f"{kind}ParameterRanges", found)


@pytest.mark.parametrize(
    "text", ["x", "x=", "=1..2", "x=1", "x=1..", "x=..2", "x=1..2,scale=up", "x=1..2,log"]
)
def test_a_range_that_cannot_be_read_is_refused(text):
    with pytest.raises(RequestError) as told:
        parameter_range(text)
    assert told.value.expected


def test_a_comma_can_be_part_of_a_choice():
    assert choice(r"opt=sgd,a\,b,") == {"Name": "opt", "Values": ["sgd", "a,b", ""]}
    with pytest.raises(RequestError):
        choice("opt=")


def test_a_default_name_is_short_enough():
    name = default_tuning_job_name(
        "registry:5000/team/" + "long-" * 20 + ":v1", datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone.utc)
    )
    assert name.endswith("-260102-030405")
    assert len(name) <= 32


def test_a_range_given_beside_a_request_takes_the_place_of_its_namesake_only():
    kept = {"Name": "a", "MinValue": "1", "MaxValue": "2"}
    document = {"ParameterRanges": {"IntegerParameterRanges": [kept, {**kept, "Name": "b"}]}}
    over = {"ParameterRanges": {"IntegerParameterRanges": [{**kept, "Name": "b", "MaxValue": "9"}]}}
    assert override(document, over)["ParameterRanges"]["IntegerParameterRanges"] == [
        kept,
        {**kept, "Name": "b", "MaxValue": "9"},
    ]


def test_no_range_at_all_is_the_only_trouble_that_is_told(model, document):
    document["HyperParameterTuningJobConfig"]["ParameterRanges"] = {}
    with pytest.raises(RequestError, match="names no hyperparameter") as told:
        from_aws(document, model=model)
    assert "enough combinations" not in "\n".join(told.value.lines())
