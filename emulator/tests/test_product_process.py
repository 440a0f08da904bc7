"""`sm-emulate process` on a real engine: what a processing container finds, and what becomes of what it leaves."""

from __future__ import annotations

import json
import os
import signal
import socket

import pytest
from product import PYTHON, SHELL, Processed

pytestmark = pytest.mark.engine

WITNESS = (
    PYTHON
    + """\
import json, os, pathlib, socket, stat, sys
root = pathlib.Path("/opt/ml")
def entry(path):
    found = path.lstat()
    return f"{stat.filemode(found.st_mode)} {found.st_uid}:{found.st_gid}"
data = {"argv": pathlib.Path("/proc/self/cmdline").read_text().split("\\0")[1:-1],
        "environment": dict(os.environ), "directory": os.getcwd(), "hostname": socket.gethostname(),
        "tree": {str(p): entry(p) for p in sorted(root.rglob("*"))},
        "config": {p.name: p.read_text() for p in (root / "config").iterdir()}}
out = pathlib.Path("/opt/ml/processing/output/result")
(out / "seen.json").write_text(json.dumps(data))
"""
)
POLITE = """
trap 'echo saved > /opt/ml/processing/output/result/saved; echo goodbye; exit 0' INT
echo half > /opt/ml/processing/output/result/half
echo ready
while :; do sleep 0.05; done
"""
STUBBORN = """
trap '' TERM INT
echo half > /opt/ml/processing/output/result/half
echo ready
while :; do sleep 0.05; done
"""


@pytest.fixture
def shell(images):
    """Makes an image whose ENTRYPOINT is a shell script."""

    def make(script, *lines, **more):
        return images.make('ENTRYPOINT ["work"]', *lines, work=SHELL + script, **more)

    return make


@pytest.fixture
def started(product):
    def start(image, *words):
        running = product.start(
            "process", image, "--job-name", "job", "--processing-output", "result", "--output", "json", *words,
            kind=Processed,
        )  # fmt: skip
        return running.wait_for("ready\n")

    return start


@pytest.fixture(scope="module")
def ordinary(images, new_product):
    """One job for all tests that only look at what it saw."""
    product = new_product("ordinary")
    data = product.folder("data", files={"sub/a.csv": "a"})
    image = images.make(
        'CMD ["witness", "own", "words"]',
        "ENV MINE=image",
        files={"/opt/ml/processing/baked/x": ""},
        witness=WITNESS,
    )
    job = product.process(
        image, "--job-name", "Mixed-Case", "--input", f"data={data}", "--processing-output", "result",
        "--environment", "EXTRA=a b=c", "--region", "eu-west-1",
    )  # fmt: skip
    return job, json.loads(job.output("result")["seen.json"])


def test_the_image_s_own_command_is_left_alone(ordinary):
    _, seen = ordinary
    assert seen["argv"][-2:] == ["own", "words"]


def test_opt_ml_is_that_of_a_real_job(ordinary):
    _, seen = ordinary
    me = f"{os.getuid()}:{os.getgid()}"
    tree = seen["tree"]
    assert tree["/opt/ml/config"] == f"drw-r--r-- {me}"
    assert tree["/opt/ml/config/resourceconfig.json"] == f"-rw-r--r-- {me}"
    assert tree["/opt/ml/output/data/result"] == f"drwxr-xr-x {me}"
    assert tree["/opt/ml/output/metrics/cloudwatch"] == f"drwxr-xr-x {me}"
    assert tree["/opt/ml/processing/output/result"] == f"drwxr-xr-x {me}"
    assert "/opt/ml/processing/input/data/sub/a.csv" in tree
    assert "/opt/ml/processing/baked/x" in tree, "what the image keeps there survives"
    assert not {"/opt/ml/input", "/opt/ml/model"} & set(tree)


def test_config_files_name_the_job(ordinary):
    _, seen = ordinary
    assert seen["config"]["resourceconfig.json"] == '{"current_host":"algo-1","hosts":["algo-1"]}'
    found = json.loads(seen["config"]["processingjobconfig.json"])
    assert found["ProcessingJobName"] == "Mixed-Case"
    assert found["ProcessingJobArn"] == "arn:aws:sagemaker:eu-west-1:123456789012:processing-job/mixed-case"
    assert found["Environment"] == {"EXTRA": "a b=c"}
    assert found["ProcessingInputs"][0]["S3Input"]["S3DownloadMode"] == "StartOfJob"


def test_the_environment_holds_no_job_name(ordinary):
    _, seen = ordinary
    environment = seen["environment"]
    assert environment["EXTRA"] == "a b=c"
    assert environment["AWS_REGION"] == "eu-west-1"
    assert environment["HOSTNAME"] == seen["hostname"]
    assert seen["hostname"].endswith(".eu-west-1.compute.internal")
    added = set(environment) - {"PATH", "HOME", "LANG", "MINE", "EXTRA", "AWS_REGION", "HOSTNAME"}
    assert added <= {"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "PYTHONUNBUFFERED", "LC_CTYPE", "GPG_KEY"}, (
        added
    )


def test_the_answer_is_that_of_describeprocessingjob(ordinary):
    job, _ = ordinary
    answer = job.json
    assert answer["ProcessingJobStatus"] == "Completed"
    assert "ExitMessage" not in answer
    assert answer["StoppingCondition"] == {"MaxRuntimeInSeconds": 86400}
    assert answer["ProcessingResources"]["ClusterConfig"] == {
        "InstanceCount": 1,
        "InstanceType": "ml.m5.large",
        "VolumeSizeInGB": 30,
    }
    assert json.loads((job.folder / "result.json").read_text()) == answer


def test_entrypoint_and_arguments_are_docker_s(product, shell):
    image = shell('echo "own $@" > /opt/ml/processing/output/result/said', 'CMD ["word"]')
    result = ("--processing-output", "result")
    assert product.process(image, *result).output("result") == {"said": "own word\n"}
    job = product.process(image, *result, "--argument", "a b", "--argument", "c")
    assert job.output("result") == {"said": "own a b c\n"}
    job = product.process(
        image, *result, "--entrypoint", "sh", "--entrypoint", "-c", "--argument",
        'echo "mine" > /opt/ml/processing/output/result/said',
    )  # fmt: skip
    assert job.output("result") == {"said": "mine\n"}


def test_inputs_lie_where_the_request_says(product, shell):
    data = product.folder("data", files={"a.csv": "1", "deep/b.csv": "2"})
    code = product.folder("code", files={"run.sh": "cat /opt/ml/processing/other/a.csv\n"})
    library = product.folder("library", files={"lib.txt": "l"})
    image = shell(
        "cd /opt/ml/processing; sh input/code/run.sh; cat input/code/dep/lib.txt; "
        "touch other/new 2>/dev/null || echo read-only; ls input/code"
    )
    job = product.process(
        image,
        "--input", f"data={data},to=/opt/ml/processing/other",
        "--input", f"code={code / 'run.sh'},to=/opt/ml/processing/input/code",
        "--input", f"dep={library},to=/opt/ml/processing/input/code/dep",
    )  # fmt: skip
    log = (job.folder / "logs" / "algo-1.log").read_text()
    assert log == "1lread-only\ndep\nrun.sh\n"
    assert sorted(os.listdir(data)) == ["a.csv", "deep"]


def test_a_request_file_with_a_flag_over_it(product, shell):
    image = shell("cat /opt/ml/processing/in/x > /opt/ml/processing/r/y")
    data = product.folder("data", files={"x": "from the flag"})
    request = product.tmp / "job.json"
    request.write_text(
        json.dumps(
            {
                "ProcessingJobName": "from-file",
                "RoleArn": "arn:aws:iam::123456789012:role/me",
                "AppSpecification": {"ImageUri": image},
                "ProcessingResources": {
                    "ClusterConfig": {"InstanceType": "ml.t3.medium", "VolumeSizeInGB": 1}
                },
                "ProcessingInputs": [
                    {
                        "InputName": "in",
                        "S3Input": {
                            "S3Uri": "s3://bucket/elsewhere",
                            "LocalPath": "/opt/ml/processing/in",
                            "S3DataType": "S3Prefix",
                        },
                    }
                ],
                "ProcessingOutputConfig": {
                    "Outputs": [
                        {
                            "OutputName": "r",
                            "S3Output": {
                                "S3Uri": "out",
                                "LocalPath": "/opt/ml/processing/r",
                                "S3UploadMode": "EndOfJob",
                            },
                        }
                    ]
                },
            }
        )
    )
    job = product.process("--request", request, "--input", f"in={data},to=/opt/ml/processing/in")
    assert job.json["ProcessingJobName"] == "from-file"
    assert (product.tmp / "out" / "y").read_text() == "from the flag"


def test_a_program_that_fails_says_so_in_the_exit_message(product, shell):
    image = shell(
        "echo 'no such column' > /opt/ml/output/message; echo part > /opt/ml/processing/output/result/p; exit 127"
    )
    job = product.process(image, "--processing-output", "result", code=1)
    assert job.status == "Failed"
    assert job.reason == "AlgorithmError: See job logs for more information"
    assert job.json["ExitMessage"] == "no such column\n"
    assert job.codes == {"algo-1": 127}
    assert job.output("result") == {"p": "part\n"}
    plain = product.run("process", image, "--quiet")
    assert plain.code == 1
    assert "ExitMessage: no such column\n" in plain.out
    assert "FailureReason: AlgorithmError: See job logs for more information\n" in plain.out


def test_a_message_that_is_not_utf8_fails_the_job(product, shell):
    job = product.process(shell(r"printf '\377' > /opt/ml/output/message"), code=1)
    assert (job.status, job.codes) == ("Failed", {"algo-1": 0})
    assert job.reason.startswith("ClientError: ")
    assert "ExitMessage" not in job.json


def test_an_image_without_a_command_is_told_what_is_expected(product, images):
    image = images.make("CMD []", "ENTRYPOINT []")
    job = product.process(image, code=1)
    assert job.status == "Failed"
    assert job.reason.startswith("ClientError: ")
    assert "expected: an ENTRYPOINT or a CMD that can be run" in job.err


def test_symlinks_are_left_out_of_an_output(product, shell):
    image = shell("cd /opt/ml/processing/output/result; echo 1 > real; ln -s real link; ln -s /etc etc")
    job = product.process(image, "--processing-output", "result")
    assert job.output("result") == {"real": "1\n"}
    assert "warning: output result is without etc, link: it is a symlink" in job.err


def test_hosts_find_each_other_and_share_a_prefix(product, shell):
    meeting = product.folder("meeting")
    script = """
host=$(sed 's/.*current_host":"\\([^"]*\\).*/\\1/' /opt/ml/config/resourceconfig.json)
for other in algo-1 algo-2; do
  until getent hosts $other > /dev/null; do sleep 0.05; done
done
touch /opt/ml/processing/input/meeting/$host
until [ -e /opt/ml/processing/input/meeting/algo-1 -a -e /opt/ml/processing/input/meeting/algo-2 ]; do sleep 0.05; done
echo $host > /opt/ml/processing/output/result/$host.txt
echo -n "$host " > /opt/ml/output/message
"""
    job = product.process(
        shell(script), "--instance-count", "2", "--processing-output", "result", "--input", f"meeting={meeting}",
        "--setting", "channel-access=read-write",
    )  # fmt: skip
    assert job.output("result") == {"algo-1.txt": "algo-1\n", "algo-2.txt": "algo-2\n"}
    assert job.json["ExitMessage"] == "algo-1 algo-2 "
    assert job.codes == {"algo-1": 0, "algo-2": 0}


def test_one_host_that_fails_stops_the_others(product, shell):
    script = """
cd /opt/ml/processing/input/meeting
case $(cat /opt/ml/config/resourceconfig.json) in
  *current_host*algo-2\\",*) until [ -e listens ]; do sleep 0.05; done; exit 4;;
esac
trap 'exit 0' INT
touch listens
while :; do sleep 0.05; done
"""
    job = product.process(
        shell(script), "--instance-count", "2", "--input", f"meeting={product.folder('meeting')}",
        "--setting", "channel-access=read-write", code=1,
    )  # fmt: skip
    assert job.status == "Failed"
    assert job.codes == {"algo-1": 0, "algo-2": 4}


def test_network_isolation(product, shell):
    image = shell("ls /sys/class/net > /opt/ml/processing/output/result/net")
    job = product.process(image, "--processing-output", "result", "--enable-network-isolation")
    assert job.output("result")["net"].split() == ["lo"]
    assert job.json["NetworkConfig"] == {"EnableNetworkIsolation": True}


def test_isolated_hosts_do_not_reach_this_machine(product, shell):
    script = """
gateway=$(hostname -I | cut -d. -f1-3).1
if timeout 3 bash -c "</dev/tcp/$gateway/$OURS"; then echo reached; else echo shut; fi
"""
    with socket.create_server(("", 0)) as ours:
        job = product.process(
            shell(script), "--instance-count", "2", "--enable-network-isolation",
            "--environment", f"OURS={ours.getsockname()[1]}",
        )  # fmt: skip
    logs = [(job.folder / "logs" / f"{host}.log").read_text() for host in ("algo-1", "algo-2")]
    assert [log.splitlines()[-1] for log in logs] == ["shut", "shut"]


def test_ctrl_c_sends_sigint_uploads_and_exits_130(shell, started):
    job = started(shell(POLITE)).interrupt().finish()
    assert job.code == 130, str(job)
    assert job.status == "Stopped"
    assert "goodbye\n" in job.err
    assert job.output("result") == {"half": "half\n", "saved": "saved\n"}
    assert job.reason is None
    assert "Traceback" not in job.err


def test_ctrl_c_twice_kills_at_once(shell, started):
    running = started(shell(STUBBORN)).interrupt().wait_for("Stopping - ")
    job = running.interrupt().finish()
    assert (job.code, job.status, job.codes) == (130, "Stopped", {"algo-1": 137})


def test_stop_from_another_process(product, shell, started):
    running = started(shell(POLITE))
    assert [row["Kind"] for row in product.run("ps", "--output", "json").json] == ["processing-jobs"]
    assert product.describe("job")["ProcessingJobStatus"] == "InProgress"
    done = product.run("stop", "job")
    assert (done.code, done.out) == (0, "processing-jobs/job: Stopped\n")
    job = running.finish()
    assert (job.code, job.status) == (0, "Stopped")
    assert product.describe("job") == job.json
    assert product.run("logs", "job").out == "ready\ngoodbye\n"


def test_sigterm_first_where_the_setting_says_so(shell, started):
    image = shell(POLITE.replace("INT", "TERM"))
    job = started(image, "--setting", "processing-stop-signal=SIGTERM").send(signal.SIGTERM).finish()
    assert (job.code, job.status, job.codes) == (0, "Stopped", {"algo-1": 0})


def test_a_program_that_does_not_stop_is_killed_after_the_grace(product, shell, started):
    running = started(shell(STUBBORN), "--stop-grace", "0.5")
    assert product.run("stop", "job", "--output", "json").json["ProcessingJobStatus"] == "Stopped"
    assert running.finish().codes == {"algo-1": 137}


def test_a_job_that_runs_for_too_long_is_stopped(product, shell):
    job = product.process(
        shell(STUBBORN), "--max-run", "3s", "--stop-grace", "0.2", "--processing-output", "result"
    )
    assert (job.status, job.codes) == ("Stopped", {"algo-1": 137})
    assert job.output("result") == {"half": "half\n"}


def test_what_a_killed_process_leaves_is_cleared_up(product, shell, started):
    running = started(shell(STUBBORN))
    running.process.kill()
    running.finish()
    assert product.left_on_engine()
    assert product.run("clean").code == 0
    assert product.left_on_engine() == []
    answer = product.describe("job")
    assert answer["ProcessingJobStatus"] == "Failed"
    assert answer["Emulator"]["Abandoned"] is True
    assert product.run("clean", "job").out == "removed processing-jobs/job\n"
    assert product.runs() == []


def test_a_user_who_is_not_root_is_told_why(product, shell):
    image = shell("cat /opt/ml/config/resourceconfig.json", "USER 1000")
    job = product.process(image, code=1)
    assert "the image's USER is 1000: it cannot read /opt/ml/config, whose mode is 0644" in job.err
    assert product.process(image, "--setting", "config-directory-mode=0755").status == "Completed"


def test_a_dry_run_starts_nothing(product):
    data = product.folder("data")
    done = product.run(
        "process", "any/image:1", "--job-name", "job", "--input", f"data={data}", "--processing-output", "result",
        "--argument", "x", "--dry-run",
    )  # fmt: skip
    assert done.code == 0, str(done)
    assert f"--volume {data}:/opt/ml/processing/input/data:ro" in done.out
    assert "/opt/ml/processing/output/result/\n" in done.out
    assert done.out.rstrip().endswith("any/image:1 x")
    assert product.runs() == []


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (("--input", "data=./nowhere"), "input data: no such file or folder"),
        (("--input", "data=.,to=/opt/ml/input"), "input data: LocalPath must begin with /opt/ml/processing/"),
        (("--input", "data=.,mode=FastFile"), "S3InputMode does not have a value that the API knows"),
        (("--max-run", "10d"), "StoppingCondition.MaxRuntimeInSeconds is too large"),
        (("--job-name", "a_b"), "ProcessingJobName does not have the form that the API requires"),
    ],
)
def test_a_wrong_request_is_refused_before_anything_starts(product, words, what):
    done = product.run("process", "any/image:1", *words)
    assert done.code == 2
    assert what in done.err
    assert product.runs() == []
