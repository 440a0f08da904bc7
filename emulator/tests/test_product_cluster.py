"""Clusters on a real engine: groups, names that stay and names that come late, MPI, torch.distributed, twenty hosts."""

from __future__ import annotations

import json
import math
import os
import time
from pathlib import Path

import pytest
from product import PYTHON, WAIT_SECONDS, WITNESS

pytestmark = pytest.mark.engine

FIXTURES = Path(__file__).parents[2] / "fixtures/iris"
HOST_WITNESS = WITNESS.replace('+ ".json"', '+ socket.gethostname() + ".json"')
LOOK = """\
import json, os, pathlib, socket, sys, time
said = json.load(open("/opt/ml/input/config/resourceconfig.json"))
me = said["current_host"]

def resolves(name):
    try:
        return bool(socket.gethostbyname(name))
    except OSError:
        return False

def until(name, answer=True):
    for _ in range(2400):
        if resolves(name) is answer:
            return
        time.sleep(0.1)
    sys.exit(f"{name} resolves: {not answer}, for four minutes")
"""


def test_three_groups_are_told_to_every_host_and_channels_go_where_they_are_meant(product, images):
    image = images.make(train=HOST_WITNESS)
    data, labels = product.folder("data", files={"d": "1"}), product.folder("labels", files={"l": "2"})
    job = product.train(
        image, "--job-name", "groups",
        "--instance-group", "data=ml.c5.xlarge:2", "--instance-group", "ps=ml.m5.large",
        "--instance-group", "gpu=ml.g5.xlarge:1",
        "--channel", f"data={data},instance-groups=data:gpu", "--channel", f"labels={labels}",
    )  # fmt: skip
    saw = {}
    for text in job.model.values():
        one = json.loads(text)
        told = json.loads(one["input"]["config/resourceconfig.json"])
        saw[told.pop("current_host")] = (told, one["input"])
    # numbers do not follow the groups: they are dealt out in turn, from the last one on
    mine = {
        host: (told.pop("current_group_name"), told.pop("current_instance_type"))
        for host, (told, _) in saw.items()
    }
    assert mine == {
        "algo-1": ("gpu", "ml.g5.xlarge"),
        "algo-2": ("ps", "ml.m5.large"),
        "algo-3": ("data", "ml.c5.xlarge"),
        "algo-4": ("data", "ml.c5.xlarge"),
    }
    (told,) = {json.dumps(told) for told, _ in saw.values()}
    assert json.loads(told) == {
        "hosts": ["algo-1", "algo-2", "algo-3", "algo-4"],
        "instance_groups": [
            {"instance_group_name": "data", "instance_type": "ml.c5.xlarge", "hosts": ["algo-3", "algo-4"]},
            {"instance_group_name": "ps", "instance_type": "ml.m5.large", "hosts": ["algo-2"]},
            {"instance_group_name": "gpu", "instance_type": "ml.g5.xlarge", "hosts": ["algo-1"]},
        ],
        "network_interface_name": "eth0",
        "topology": None,
    }
    assert {host for host, (_, files) in saw.items() if "data/data/d" in files} == {
        "algo-1",
        "algo-3",
        "algo-4",
    }
    assert {host for host, (_, files) in saw.items() if "data/labels/l" in files} == set(saw)
    asked = json.loads((job.folder / "request.json").read_text())["ResourceConfig"]
    assert "InstanceType" not in asked
    # the same request again, from the file that the run folder keeps, with other numbers
    again = product.train(
        "--request",
        job.folder / "request.json",
        "--job-name",
        "in-order",
        "--setting",
        "host-numbers=in-order",
    )
    groups = [
        json.loads(json.loads(text)["input"]["config/resourceconfig.json"])["instance_groups"]
        for text in again.model.values()
    ]
    assert [each["hosts"] for each in groups[0]] == [["algo-1", "algo-2"], ["algo-3"], ["algo-4"]]


def test_a_host_finds_one_that_has_ended_until_the_whole_job_is_over(product, images):
    image = images.make(
        train=PYTHON
        + LOOK
        + """\
if me == "algo-1":
    sys.exit()
until("algo-1")
time.sleep(2)  # far more than it takes to end
until("algo-1")
for _ in range(600):
    try:
        socket.create_connection(("algo-1", 7777), timeout=20)
    except ConnectionRefusedError:
        print("there, and nobody listens")
        break
    except OSError:  # its address is changing hands
        time.sleep(0.1)
print(*[name for _, name in socket.if_nameindex()])
"""
    )
    job = product.train(image, "--instance-count", "2")
    assert job.log("algo-2") == "there, and nobody listens\nlo eth0\n"
    assert job.codes == {"algo-1": 0, "algo-2": 0}


def test_names_resolve_as_late_as_the_setting_says(product, images):
    image = images.make(
        train=PYTHON
        + LOOK
        + """\
others = [name for name in said["hosts"] if name != me]
print("at first", *[name for name in others if resolves(name)], flush=True)
for name in others:
    until(name)
print("later", *others)
"""
    )
    job = product.train(image, "--instance-count", "2", "--setting", "host-name-delay=5")
    assert job.log("algo-1") == "at first\nlater algo-2\n"
    assert job.log("algo-2") == "at first\nlater algo-1\n"


def test_one_of_three_hosts_fails_and_the_others_are_asked_to_stop(product, images):
    image = images.train(
        """
        me=$(sed 's/.*"current_host":"\\([^"]*\\)".*/\\1/' /opt/ml/input/config/resourceconfig.json)
        echo $me > /opt/ml/model/same
        trap "echo $me was told > /opt/ml/output/failure; exit 9" TERM
        cd /opt/ml/input/data/meeting; touch $me
        if [ $me = algo-3 ]; then
            until [ -e algo-1 ] && [ -e algo-2 ]; do sleep 0.1; done
            echo $me broke > /opt/ml/output/failure; exit 3
        fi
        while :; do sleep 0.1; done
        """
    )
    words = ("--instance-count", "3", "--setting", "channel-access=read-write")
    job = product.train(image, *words, "--channel", f"meeting={product.folder('meeting')}", code=1)
    assert job.status == ("Failed", "Failed")
    assert job.reason == "AlgorithmError: algo-3 broke\n, exit code: 3"
    assert job.codes == {"algo-1": 9, "algo-2": 9, "algo-3": 3}
    assert "warning: several hosts wrote same; model.tar.gz holds the first one's\n" in job.err
    words = (*words, "--setting", "failure-host=algo-1")
    job = product.train(image, *words, "--channel", f"meeting={product.folder('again')}", code=1)
    assert job.reason == "AlgorithmError: algo-1 was told\n, exit code: 9"


def test_a_real_mpi_program_runs_on_two_hosts(product, sample_image):
    job = product.train(
        sample_image("mpi"), "--instance-count", "2", "--channel", f"training={FIXTURES / 'train.csv'}",
        "--metric", "accuracy=train_accuracy=(.*?);",
    )  # fmt: skip
    log = job.log("algo-1")
    assert "rank 0 of 2 on algo-1: 68 of 135 rows\n" in log
    assert "rank 1 of 2 on algo-2: 67 of 135 rows\n" in log
    assert json.loads(job.model["model.json"])["ranks"] == 2
    assert job.json["FinalMetricDataList"][0]["Value"] > 0.9
    assert job.codes == {"algo-1": 0, "algo-2": 0}


def test_an_mpi_program_that_aborts_fails_the_job_on_all_hosts(product, sample_image):
    job = product.train(sample_image("mpi"), "--instance-count", "2", code=1)
    assert job.reason == "AlgorithmError: ValueError: channel `training` has no rows, exit code: 1"
    assert set(job.codes) == {"algo-1", "algo-2"}


def test_torch_distributed_runs_over_gloo_on_two_hosts(product, sample_image):
    job = product.train(
        sample_image("torch_gloo"), "--instance-count", "2", "--channel", f"training={FIXTURES / 'train.csv'}",
        "--metric", "accuracy=train_accuracy=(.*?);",
    )  # fmt: skip
    assert "rank 0 of 2 on algo-1: 68 of 135 rows\n" in job.log("algo-1")
    assert "rank 1 of 2 on algo-2: 67 of 135 rows\n" in job.log("algo-2")
    assert list(job.model) == ["model.pt"]
    assert job.json["FinalMetricDataList"][0]["Value"] > 0.9


def test_twenty_hosts_start_resolve_each_other_and_finish(product, images):
    image = images.make(
        train=PYTHON
        + LOOK
        + """\
for name in said["hosts"]:
    until(name)
pathlib.Path(f"/opt/ml/model/{me}").write_text("all found")
"""
    )
    job = product.train(image, "--instance-count", "20")
    assert job.status == ("Completed", "Completed")
    assert job.model == {f"algo-{number}": b"all found" for number in range(1, 21)}


LIMITS = """\
import os, pathlib, resource
for path in ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory.max"):
    if os.path.exists(path):
        print("memory", pathlib.Path(path).read_text().strip())
print("nofile", *resource.getrlimit(resource.RLIMIT_NOFILE))
print("memlock", *resource.getrlimit(resource.RLIMIT_MEMLOCK))
"""


def test_an_instance_type_that_is_named_limits_memory_and_one_that_is_not_does_not(product, images):
    image = images.train_python(LIMITS)
    sized = product.train(image, "--instance-type", "ml.t3.medium", "--job-name", "sized")
    assert f"memory {4 << 30}\n" in sized.log()
    plain = product.train(image, "--job-name", "plain")
    assert f"memory {4 << 30}\n" not in plain.log()
    assert plain.log() == product.train(
        image, "--instance-type", "ml.t3.medium", "--setting", "instance-limits=none", "--job-name", "free"
    ).log()  # fmt: skip


def test_ulimits_are_as_set(product, images):
    limits = "ulimits=nofile=1000:2000,memlock=32768"
    log = product.train(images.train_python(LIMITS), "--setting", limits).log()
    assert "nofile 1000 2000\nmemlock 32768 32768\n" in log


def test_ulimits_that_the_engine_may_not_set_are_this_machines_fault(product, images):
    # the kernel allows nobody more
    above = int(Path("/proc/sys/fs/nr_open").read_text()) + 1
    job = product.run("train", images.train("true"), "--setting", f"ulimits=nofile={above}")
    assert (job.code, job.out) == (3, "")
    assert "error: the container engine may not set these ulimits\n" in job.err
    assert "  hint:     choose lower ones, or let the engine itself have higher ones\n" in job.err


def test_more_memory_than_the_limit_ends_in_the_platforms_words(product, images):
    image = images.train_python("eaten = bytearray(600 << 20)")
    job = product.train(image, "--setting", "memory-limit=256m", code=1)
    assert job.reason == (
        "ClientError: Please use an instance type with more memory, or reduce the size of job data "
        "processed on an instance."
    )
    assert job.codes == {"algo-1": 137}


def test_a_larger_instance_than_this_machine_is_told_and_runs(product, images):
    job = product.train(images.train("true"), "--instance-type", "ml.p5.48xlarge", "--gpus", "none")
    assert "ml.p5.48xlarge has 192 vCPUs" in job.err
    assert f"; this machine has {os.cpu_count()}" in job.err


def test_a_volume_that_is_too_small_is_told(product, images):
    data = product.folder("data", files={})
    with (data / "large").open("wb") as file:
        file.truncate(3 << 30)  # no block of it is on the disk
    image = images.train("head -c 100 /dev/zero >/opt/ml/model/weights")
    channel = f"train={data}"
    small = product.train(image, "--channel", channel, "--volume-size", "2", "--job-name", "small")
    assert (
        "warning: algo-1 has 3.0 GB of files, VolumeSizeInGB is 2: SageMaker would run out of disk space "
        "(/opt/ml/input/data/train 3.0 GB)\n"
    ) in small.err
    enough = product.train(image, "--channel", channel, "--volume-size", "4", "--job-name", "enough")
    assert "VolumeSizeInGB" not in enough.err
    # it is read as it comes, and takes no room
    fast = product.train(
        image, "--channel", f"{channel},mode=FastFile", "--volume-size", "2", "--job-name", "fast"
    )
    assert "VolumeSizeInGB" not in fast.err
    # an instance with disks of its own has those
    disks = product.train(
        image,
        "--channel",
        channel,
        "--volume-size",
        "2",
        "--instance-type",
        "ml.g5.xlarge",
        "--job-name",
        "disks",
    )
    assert "VolumeSizeInGB" not in disks.err
    free = os.statvfs(product.home).f_bavail * os.statvfs(product.home).f_frsize
    large = product.train(
        image, "--volume-size", str(math.ceil(free / (1 << 30)) + 100), "--job-name", "large"
    )
    assert "GB free: what fits there may not fit here\n" in large.err


def test_a_killed_job_whose_names_are_kept_is_cleaned_up(product, images):
    image = images.make(
        train=PYTHON
        + LOOK
        + """\
if me == "algo-1":
    sys.exit()
print("here", flush=True)
time.sleep(600)
"""
    )
    running = product.start("train", image, "--instance-count", "2", "--job-name", "job")
    running.wait_for("algo-2 | here")
    until = time.monotonic() + WAIT_SECONDS
    while not any("-names-" in left for left in product.left_on_engine()):
        assert time.monotonic() < until, "nothing keeps the name of algo-1"
        time.sleep(0.1)
    running.kill()
    assert product.run("clean").code == 0
    assert product.left_on_engine() == []


def test_an_interrupted_job_whose_names_are_late_leaves_nothing(product, images):
    image = images.train("trap exit TERM; echo up; while :; do sleep 0.1; done")
    running = product.start("train", image, "--instance-count", "2", "--setting", "host-name-delay=600")
    running.wait_for("algo-1 | up").wait_for("algo-2 | up")
    assert running.interrupt().finish().code == 130
    assert product.left_on_engine() == []


def test_an_endpoint_has_the_memory_of_its_instance_type(product, docker, sample_image):
    image = sample_image("static_c")
    data = FIXTURES / "train.csv"
    model = product.train(image, "--channel", f"training={data}").folder / "model.tar.gz"
    product.serve(image, "--model", model, "--instance-type", "ml.t2.medium", "--endpoint-name", "small")
    (name,) = [left.split()[1] for left in product.left_on_engine()]
    assert docker("inspect", "--format", "{{.HostConfig.Memory}}", name).stdout == f"{4 << 30}\n"
    product.run("stop", "small")
