"""`sm-emulate tune` on the real engine, through the command line."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import signal
import struct
import subprocess
import termios

import pytest
from product import WAIT_SECONDS, Ran

pytestmark = pytest.mark.engine

METRIC = ("--metric", "loss=loss: ([0-9.]+)", "--minimize", "loss")
PARABOLA = """
import json, time
hp = json.load(open("/opt/ml/input/config/hyperparameters.json"))
for step in range(1, 4):
    print(f"loss: {(float(hp['x']) - 0.3) ** 2 + 1 / step:.6f}", flush=True)
open("/opt/ml/model/x", "w").write(hp["x"])
"""
WAITING = """
trap 'echo "loss: 0.5"; exit 0' TERM
echo "loss: 0.7"
while :; do sleep 0.05; done
"""


@pytest.fixture
def parabola(images):
    return images.train_python(PARABOLA)


def tune(product, *words, code=0, **more):
    done = product.run("tune", *words, "--output", "json", **more)
    assert done.code == code, str(done)
    return done.json


def jobs_of(described):
    return described["Emulator"]["TrainingJobs"]


def test_flags_are_enough_and_the_best_is_told(product, parabola):
    done = product.run(
        "tune", parabola, *METRIC, "--range", "x=0.0..1.0", "--max-jobs", "4", "--parallel", "2",
        "--seed", "1", "--job-name", "hunt",
    )  # fmt: skip
    assert done.code == 0, str(done)
    described = product.describe("hunt")
    best = described["BestTrainingJob"]
    head, first, *_ = done.out.splitlines()
    assert head.split() == ["TRAINING", "JOB", "STATUS", "OBJECTIVE", "x"]
    assert first.split()[0] == best["TrainingJobName"]
    objectives = [float(line.split()[2]) for line in done.out.splitlines()[1:5]]
    assert objectives == sorted(objectives)
    assert "Completed (MaxNumberOfTrainingJobs)  hunt\n" in done.out
    assert f"x={best['TunedHyperParameters']['x']}\n" in done.out
    assert done.err.count(" launched  x=") == 4
    assert "the best so far" in done.err
    assert "loss: " not in done.err  # logs are for --logs


def test_training_jobs_are_runs_like_any_other(product, parabola):
    described = tune(
        product, parabola, *METRIC, "--range", "x=0.0..1.0", "--max-jobs", "2", "--job-name", "hunt",
        "--environment", "MY_TOKEN=hunter2hunter2",
    )  # fmt: skip
    assert described["TrainingJobDefinition"]["Environment"] == {"MY_TOKEN": "***"}
    assert not product.files_that_hold("hunter2hunter2")
    names = [job["TrainingJobName"] for job in jobs_of(described)]
    assert product.runs() == [
        "hyper-parameter-tuning-jobs/hunt",
        *sorted(f"training-jobs/{name}" for name in names),
    ]
    listed = {row["Name"]: row["Status"] for row in product.run("ps", "--all", "--output", "json").json}
    assert listed == dict.fromkeys(["hunt", *names], "Completed")
    one = product.describe(names[0])
    assert one["TuningJobArn"] == described["HyperParameterTuningJobArn"]
    assert one["HyperParameters"] == {
        "_tuning_objective_metric": "loss",
        "x": jobs_of(described)[0]["TunedHyperParameters"]["x"],
    }
    logs = product.run("logs", names[0]).out
    assert logs.count("loss: ") == 3
    assert product.run("logs", "hunt").out == logs + product.run("logs", names[1]).out
    assert product.run("clean", names[0]).out == f"removed training-jobs/{names[0]}\n"
    assert product.run("clean", "hunt").out == "removed hyper-parameter-tuning-jobs/hunt\n"
    assert product.runs() == [f"training-jobs/{names[1]}"]


def test_metrics_of_a_tuning_job_are_the_objectives(product, parabola):
    described = tune(
        product, parabola, *METRIC, "--range", "x=0.0..1.0", "--max-jobs", "3", "--job-name", "hunt"
    )
    table = product.run("metrics", "hunt").out.splitlines()
    assert [line.split()[0] for line in table[1:]] == [job["TrainingJobName"] for job in jobs_of(described)]
    name, *rows = product.run("metrics", "hunt", "--plot").out.splitlines()
    assert name == "loss"
    assert rows[-1].split() == ["1", "3"]
    rows = product.run("metrics", "hunt", "--output", "csv").out.splitlines()
    assert rows[0] == "name,value,job,status,hyperparameters"
    assert len(rows) == 4


def test_a_dry_run_prints_the_request_and_the_request_runs(product, parabola):
    words = (parabola, *METRIC, "--range", "x=0.001..1,scale=log", "--range", "n=1..4", "--choice", "opt=a,b")
    printed = product.run(
        "tune", *words, "--max-jobs", "2", "--job-name", "hunt", "--hyperparameter", "k=v", "--dry-run"
    )
    assert printed.code == 0, str(printed)
    config = printed.json["HyperParameterTuningJobConfig"]
    assert config["ParameterRanges"] == {
        "ContinuousParameterRanges": [
            {"Name": "x", "MinValue": "0.001", "MaxValue": "1", "ScalingType": "Logarithmic"}
        ],
        "IntegerParameterRanges": [{"Name": "n", "MinValue": "1", "MaxValue": "4"}],
        "CategoricalParameterRanges": [{"Name": "opt", "Values": ["a", "b"]}],
    }
    assert printed.json["TrainingJobDefinition"]["StaticHyperParameters"] == {"k": "v"}
    assert product.runs() == []
    (product.tmp / "hunt.json").write_text(printed.out)
    described = tune(product, "--request", "hunt.json", "--parallel", "2", "--seed", "5")
    assert described["HyperParameterTuningJobConfig"]["ResourceLimits"]["MaxParallelTrainingJobs"] == 2
    assert described["TrainingJobStatusCounters"]["Completed"] == 2
    assert set(jobs_of(described)[0]["TunedHyperParameters"]) == {"x", "n", "opt"}


def test_archives_go_where_the_output_path_says(product, parabola):
    described = tune(
        product, parabola, *METRIC, "--choice", "x=0.3", "--strategy", "Grid", "--output-path", "models"
    )
    (job,) = jobs_of(described)
    assert (product.tmp / "models" / job["TrainingJobName"] / "output/model.tar.gz").is_file()


def test_a_warm_start_says_when_a_parent_was_better(product, parabola):
    words = (parabola, *METRIC, "--strategy", "Random", "--max-jobs", "1")
    good = tune(product, *words, "--range", "x=0.3..0.31", "--job-name", "good")["BestTrainingJob"]
    done = product.run("tune", *words, "--range", "x=0.9..1.0", "--job-name", "bad", "--warm-start", "good")
    assert done.code == 0, str(done)
    assert f"better, of a parent: {good['TrainingJobName']}  0.333" in done.out


def test_failing_training_jobs_fail_it_with_exit_code_1(product, images):
    image = images.train("echo broken > /opt/ml/output/failure; exit 3")
    done = product.run("tune", image, *METRIC, "--range", "x=0.0..1.0", "--max-jobs", "8", "--parallel", "2")
    assert done.code == 1, str(done)
    assert "FailureReason: No training job succeeded after 5 attempts. " in done.out
    assert "001 AlgorithmError: broken , exit code: 3" in done.err


def test_log_lines_stand_behind_the_number_of_their_training_job(product, parabola):
    done = product.run(
        "tune", parabola, *METRIC, "--choice", "x=0.3,0.4", "--strategy", "Grid", "--parallel", "2", "--logs"
    )
    assert done.code == 0, str(done)
    assert "001 | loss: 1.000000\n" in done.err
    assert "002 | loss: 1.010000\n" in done.err


def waiting(product, images, *words):
    running = product.start(
        "tune", images.train(WAITING), *METRIC, "--range", "x=0.0..1.0", "--max-jobs", "9", "--parallel", "2",
        "--job-name", "hunt", "--logs", "--output", "json", *words,
    )  # fmt: skip
    return running.wait_for("001 | loss: 0.7").wait_for("002 | loss: 0.7")


def test_ctrl_c_stops_every_training_job_and_exits_130(product, images):
    done = waiting(product, images).interrupt().finish()
    assert done.code == 130, str(done)
    assert "Traceback" not in done.err
    assert done.json["HyperParameterTuningJobStatus"] == "Stopped"
    assert done.json["TrainingJobStatusCounters"]["Stopped"] == 2
    assert done.json["BestTrainingJob"]["FinalHyperParameterTuningJobObjectiveMetric"]["Value"] == 0.5


def test_a_second_ctrl_c_kills_training_jobs_that_do_not_hear_sigterm(product, images):
    image = images.train("trap '' TERM; echo 'loss: 0.7'; while :; do sleep 0.05; done")
    running = product.start(
        "tune", image, *METRIC, "--range", "x=0.0..1.0", "--parallel", "2", "--logs", "--output", "json"
    )
    running.wait_for("001 | loss").wait_for("002 | loss").interrupt().wait_for("Stopping")
    done = running.interrupt().finish()
    assert done.code == 130, str(done)
    codes = [
        product.describe(job["TrainingJobName"])["Emulator"]["ContainerExitCodes"]
        for job in jobs_of(done.json)
    ]
    assert codes == [{"algo-1": 137}, {"algo-1": 137}]


def test_another_process_stops_it_and_sees_how_it_stands(product, images):
    running = waiting(product, images)
    now = product.describe("hunt")
    assert now["HyperParameterTuningJobStatus"] == "InProgress"
    assert now["TrainingJobStatusCounters"]["InProgress"] == 2
    stopped = product.run("stop", "hunt")
    assert stopped.out == "hyper-parameter-tuning-jobs/hunt: Stopped\n"
    assert running.finish().code == 0
    assert {row["Status"] for row in product.run("ps", "--all", "--output", "json").json} == {"Stopped"}


def test_stop_all_is_gentle_with_training_jobs(product, images):
    running = waiting(product, images)
    assert product.run("stop", "--all").out == "hyper-parameter-tuning-jobs/hunt: Stopped\n"
    jobs = jobs_of(running.finish().json)
    codes = [product.describe(job["TrainingJobName"])["Emulator"]["ContainerExitCodes"] for job in jobs]
    assert codes == [{"algo-1": 0}, {"algo-1": 0}]


def test_one_training_job_is_stopped_alone(product, images):
    running = waiting(product, images)
    first = jobs_of(product.describe("hunt"))[0]["TrainingJobName"]
    assert product.run("stop", first).out == f"training-jobs/{first}: Stopped\n"
    running.wait_for("003 | loss: 0.7").interrupt()
    assert running.finish().json["TrainingJobStatusCounters"]["Stopped"] == 3


def test_a_killed_process_leaves_what_clean_clears_up(product, images):
    running = waiting(product, images)
    running.send(signal.SIGKILL)
    running.finish()
    assert len(product.left_on_engine()) == 2
    assert product.run("clean").code == 0
    assert product.left_on_engine() == []
    described = product.describe("hunt")
    assert described["HyperParameterTuningJobStatus"] == "Failed"
    assert described["Emulator"]["Abandoned"] is True
    assert described["TrainingJobStatusCounters"]["InProgress"] == 0
    assert described["ObjectiveStatusCounters"] == {"Succeeded": 0, "Pending": 0, "Failed": 2}
    assert {job["TrainingJobStatus"] for job in jobs_of(described)} == {"Failed"}
    assert {product.describe(job["TrainingJobName"])["TrainingJobStatus"] for job in jobs_of(described)} == {
        "Failed"
    }


def test_without_optuna_the_pip_line_is_told_and_nothing_starts(product, parabola):
    hidden = product.folder("hidden/optuna", files={"__init__.py": "raise ImportError\n"}).parent
    path = f"{hidden}:{product.env['PYTHONPATH']}"
    done = product.run("tune", parabola, *METRIC, "--range", "x=0.0..1.0", env={"PYTHONPATH": path})
    assert done.code == 3
    assert "pip install 'sm-emulate[tune]'" in done.err
    assert product.runs() == []


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--range", "x=1"], "a range has no name or no two ends"),
        (["--range", "x=0.0..1.0,scale=lgo"], "did you mean scale=log?"),
        (["--range", "x=0.0..1.0,scale=log"], "a logarithmic scale is for values greater than 0 only"),
        (["--range", "x=3..1"], "MinValue is larger than MaxValue"),
        (["--range", "x=0..1", "--hyperparameter", "x=1"], "hyperparameter x is static and has a range"),
        (["--range", "x=0..1", "--choice", "x=a"], "hyperparameter x has two ranges"),
        (["--range", "x=0..1", "--strategy", "Grid"], "strategy Grid takes categorical ranges only"),
        (["--range", "x=0..1", "--strategy", "Hyperband"], "HyperbandStrategyConfig.MaxResource is missing"),
        (["--range", "x=0..1", "--max-jobs", "3"], "You don't have enough combinations"),
        (["--range", "x=0..1", "--max-tuning-run", "119"], "MaxRuntimeInSeconds is too small"),
        (["--range", "x=0..1", "--job-name", "a" * 33], "HyperParameterTuningJobName is too long"),
        (["--range", "x=0..1", "--channel", "train=./nothing"], "no such file or folder"),
        (["--range", "x=0..1", "--warm-start", "nobody"], "a parent of the warm start is no tuning job here"),
        (["--range", "x=0..1", "--metric", "loss2=x(.)", "--maximize", "loss2"], "--minimize and --maximize"),
        ([], "names no hyperparameter"),
    ],
)
def test_what_is_wrong_is_refused_before_anything_starts(product, images, words, told):
    done = product.run("tune", images.base, *METRIC, *words)
    assert done.code == 2, str(done)
    assert told in done.err
    assert "Traceback" not in done.err
    assert product.runs() == []


def test_an_objective_without_a_metric_definition_is_refused_in_sagemakers_words(product, images):
    done = product.run("tune", images.base, "--range", "x=0..1", "--minimize", "loss")
    assert done.code == 2
    assert "A metric is required for this hyperparameter tuning job objective." in done.err


def test_a_terminal_has_a_line_for_each_training_job_that_runs(product, images):
    """Read until it has both; in the end it has what a plain stream has, too."""
    leader, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 100, 0, 0))
    image = images.train("echo 'loss: 0.25'; until [ -e /opt/ml/input/data/go/on ]; do sleep 0.1; done")
    data = product.folder("go")
    running = subprocess.Popen(
        product.command(
            "tune", image, *METRIC, "--range", "x=0.0..1.0", "--max-jobs", "2", "--parallel", "2",
            "--job-name", "hunt", "--channel", f"go={data}",
        ),
        env={**product.env, "TERM": "xterm-256color"},
        stdout=subprocess.DEVNULL,
        stderr=follower,
        cwd=product.tmp,
    )  # fmt: skip
    os.close(follower)
    seen = b""
    try:
        while not all(f"{number}  Training  0.25 at step 1".encode() in seen for number in ("001", "002")):
            seen += os.read(leader, 1 << 16)
        (data / "on").touch()
        rest = b""
        while True:
            try:
                block = os.read(leader, 1 << 16)
            except OSError:  # the other end is closed, and all of it was read
                break
            if not block:
                break
            rest += block
        assert running.wait(WAIT_SECONDS) == 0
    finally:
        running.kill()
        running.wait()
        os.close(leader)
    assert "loss 0.25  the best so far" in rest.decode()


def test_names_of_tuning_jobs_are_completed(product, parabola):
    tune(product, parabola, *METRIC, "--choice", "x=1", "--strategy", "Grid", "--job-name", "hunt")

    def offered(*words):
        line = " ".join(["sm-emulate", *words])
        env = {
            "_SM_EMULATE_COMPLETE": "bash_complete",
            "COMP_WORDS": line,
            "COMP_CWORD": str(len(words)),
        }
        return [each.split(",")[1] for each in product.run(env=env).out.split()]

    assert offered("tune", "--warm-start", "h") == ["hunt"]
    assert "hunt" in offered("metrics", "hun")
    assert "hunt" in offered("describe", "hun")


def test_the_answer_holds_only_what_the_api_has(product, parabola):
    from botocore.loaders import Loader
    from botocore.model import ServiceModel

    described = tune(
        product, parabola, *METRIC, "--choice", "x=1,2", "--strategy", "Grid", "--job-name", "hunt"
    )
    described.pop("Emulator")
    model = ServiceModel(Loader().load_service_model("sagemaker", "service-2"))
    shape = model.operation_model("DescribeHyperParameterTuningJob").output_shape
    assert unknown(described, shape) == []
    assert set(shape.required_members) <= set(described)


def unknown(value, shape, path=""):
    if shape.type_name == "structure":
        found = [f"{path}.{name}" for name in value if name not in shape.members]
        for name in value.keys() & shape.members.keys():
            found += unknown(value[name], shape.members[name], f"{path}.{name}")
        return found
    if shape.type_name == "list":
        return [each for item in value for each in unknown(item, shape.member, f"{path}[]")]
    return []


def test_json_on_stdout_is_only_json(product, parabola):
    done = product.run("tune", parabola, *METRIC, "--choice", "x=1", "--strategy", "Grid", "--output", "json")
    assert isinstance(done, Ran)
    assert json.loads(done.out)["HyperParameterTuningJobStatus"] == "Completed"
