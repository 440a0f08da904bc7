from __future__ import annotations

from sm_emulate.spec.fact import EMULATED, Area, confirmed, unsure
from sm_emulate.spec.facts.sources import API, EXAMPLES, SDK, guide, guide_2023, thread

_RANGES = guide_2023("automatic-model-tuning-define-ranges")
_WARM_START = guide("automatic-model-tuning-warm-start")
_EARLY = guide("automatic-model-tuning-early-stopping")
_PROGRESS = guide_2023("automatic-model-tuning-progress")

AREA = Area(
    prefix="tuning",
    title="Tuning jobs",
    facts=(
        confirmed(
            "tuning.ranges",
            "Integer, continuous and categorical ranges are searched, at most 30 in all; the ends of a range are text, and every value reaches the container as a string.",
            API,
            level=EMULATED,
        ),
        confirmed(
            "tuning.scaling",
            "Logarithmic is for ranges above 0; ReverseLogarithmic is for continuous ranges within 0 <= x < 1.",
            API,
            _RANGES,
            level=EMULATED,
        ),
        unsure(
            "tuning.auto-scaling",
            "With ScalingType Auto the service chooses the scale; how is not published.",
            API,
            level=EMULATED,
            setting="tuning-auto-scaling",
        ),
        confirmed(
            "tuning.combinations",
            "More training jobs than there are combinations are refused: You don't have enough combinations of hyperparameter ranges.",
            thread("aws/amazon-sagemaker-operator-for-k8s", 123),
            level=EMULATED,
            note="so no combination is tried twice here",
        ),
        confirmed(
            "tuning.strategies",
            "The strategies are Bayesian, Random, Hyperband and Grid; a grid has categorical ranges only and tries every combination.",
            API,
            guide("automatic-model-tuning-how-it-works"),
            level=EMULATED,
            note="which values come next is Optuna's choice, not AWS's",
        ),
        confirmed(
            "tuning.seed",
            "RandomSeed makes a later tuning job choose more alike.",
            API,
            level=EMULATED,
            note="the same, as long as one training job runs at a time",
        ),
        confirmed(
            "tuning.objective-definition",
            "The objective has to be one of the metric definitions, in the API's words: A metric is required for this hyperparameter tuning job objective.",
            thread(EXAMPLES, 1207),
            thread(SDK, 3932),
            level=EMULATED,
        ),
        confirmed(
            "tuning.hyperband",
            "Hyperband stops no job before MinResource values of the objective and every job at MaxResource, which is read from a static hyperparameter such as epochs where it is not given.",
            API,
            level=EMULATED,
        ),
        confirmed(
            "tuning.early-stopping-rule",
            "With TrainingJobEarlyStoppingType Auto a job is stopped whose objective is worse than the median of the running averages of earlier jobs up to the same epoch.",
            _EARLY,
            level=EMULATED,
        ),
        unsure(
            "tuning.early-stopping",
            "How many jobs must have completed before one is stopped early is not published.",
            _EARLY,
            level=EMULATED,
            setting="tuning-early-stopping-after",
        ),
        confirmed(
            "tuning.criteria",
            "MaxNumberOfTrainingJobs, MaxRuntimeInSeconds, TargetObjectiveMetricValue, MaxNumberOfTrainingJobsNotImproving (by 1%) and CompleteOnConvergence end a tuning job, whichever is met first.",
            API,
            _PROGRESS,
            level=EMULATED,
        ),
        unsure(
            "tuning.completion",
            "What happens to the training jobs that still run when a criterion is met is not published.",
            _PROGRESS,
            level=EMULATED,
            setting="tuning-completion",
        ),
        unsure(
            "tuning.convergence",
            "When a tuning job has converged is decided by an algorithm that is not published.",
            _PROGRESS,
            level=EMULATED,
            setting="tuning-convergence-after",
        ),
        confirmed(
            "tuning.failure",
            "When none of the first five training jobs succeeded the tuning job is Failed: No training job succeeded after 5 attempts.",
            thread(EXAMPLES, 2437),
            level=EMULATED,
        ),
        confirmed(
            "tuning.objective-status",
            "A training job's objective is Pending, Succeeded, or Failed when it printed none; counters say how many are which.",
            API,
            level=EMULATED,
        ),
        confirmed(
            "tuning.stop",
            "StopHyperParameterTuningJob stops the tuning job and all of its running training jobs, whose artifacts are kept.",
            API,
            level=EMULATED,
        ),
        confirmed(
            "tuning.warm-start",
            "A warm start learns from 1 to 5 parents that are over, for Bayesian and Random; objective, names and types of the hyperparameters are the same, and at most 10 static values change.",
            _WARM_START,
            thread(EXAMPLES, 861),
            level=EMULATED,
        ),
        confirmed(
            "tuning.overall-best",
            "With IdenticalDataAndAlgorithm, OverallBestTrainingJob is the best of this tuning job and its parents.",
            _WARM_START,
            level=EMULATED,
        ),
        unsure(
            "tuning.definitions",
            "How training jobs are shared out among several TrainingJobDefinitions is not published: here they take turns.",
            API,
            level=EMULATED,
            note="in turn is the one order that favours none",
        ),
        unsure(
            "tuning.checkpoints",
            "Whether training jobs of a tuning job share CheckpointConfig's S3Uri is not published.",
            API,
            level=EMULATED,
            setting="tuning-checkpoints",
        ),
        unsure(
            "tuning.autotune",
            "What Autotune chooses is not published but for one example, where 4 becomes 2 to 8: here a range goes from half of the example to twice it.",
            guide("automatic-model-tuning-define-ranges"),
            level=EMULATED,
            setting="autotune-jobs",
        ),
    ),
)
