"""Training jobs with several hosts: names, files, logs, artifacts, failures, isolation."""

from __future__ import annotations

import json

import pytest
from product import PYTHON, WITNESS

from sm_emulate.engine.inside import may_enter

pytestmark = pytest.mark.engine

TALK = """\
import json, os, socket, sys, time, urllib.request
me = json.load(open("/opt/ml/input/config/resourceconfig.json"))["current_host"]
if me == "algo-1":
    server = socket.create_server(("", 7777))
    heard = []
    for _ in range(int(sys.argv[1]) - 1):
        peer, _ = server.accept()
        heard.append(peer.recv(100).decode())
        peer.sendall(b"welcome")
    print("heard", *sorted(heard), flush=True)
else:
    for _ in range(1000):
        try:
            peer = socket.create_connection(("algo-1", 7777), timeout=60)
            peer.getpeername()  # one that nobody answered can look connected
            break
        except OSError:
            time.sleep(0.1)
    peer.sendall(me.encode())
    print("told", peer.recv(100).decode(), flush=True)
"""
WAY_OUT = """\
import os, socket
interfaces = [name for _, name in socket.if_nameindex() if name.startswith("eth")]
print("interfaces", *interfaces)
print("default route", any(line.split()[1] == "00000000" for line in open("/proc/net/route").readlines()[1:]))
print("credentials", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI" in os.environ)
"""


def test_two_hosts_find_each_other_and_every_line_says_whose_it_is(product, images):
    image = images.make(talk=PYTHON + TALK, base=images.base)
    job = product.train(image, "--instance-count", "2", "--entrypoint", "talk", "--argument", "2", "--quiet")
    told = [line for line in job.err.splitlines() if not line.startswith("warning:")]
    assert sorted(told) == ["algo-1 | heard algo-2", "algo-2 | told welcome"]
    assert job.log("algo-1") == "heard algo-2\n"
    assert job.log("algo-2") == "told welcome\n"
    assert job.codes == {"algo-1": 0, "algo-2": 0}
    assert job.statuses == ["Starting", "Downloading", "Training", "Uploading", "Completed"]


def test_each_of_three_hosts_has_its_own_resources_and_finds_the_others(product, images):
    image = images.make(train=WITNESS.replace('+ ".json"', '+ socket.gethostname() + ".json"'))
    data = product.folder("data", files={"a": "1"})
    job = product.train(
        image, "--instance-count", "3", "--instance-type", "ml.c5.xlarge", "--channel", f"train={data}"
    )
    saw = [json.loads(text) for text in job.model.values()]
    resources = sorted(
        (json.loads(one["input"]["config/resourceconfig.json"]) for one in saw),
        key=lambda one: one["current_host"],
    )
    hosts = ["algo-1", "algo-2", "algo-3"]
    assert [one.pop("current_host") for one in resources] == hosts
    assert (
        resources
        == [
            {
                "current_instance_type": "ml.c5.xlarge",
                "current_group_name": "homogeneousCluster",
                "hosts": hosts,
                "instance_groups": [
                    {
                        "instance_group_name": "homogeneousCluster",
                        "instance_type": "ml.c5.xlarge",
                        "hosts": hosts,
                    }
                ],
                "network_interface_name": "eth0",
                "topology": None,
            }
        ]
        * 3
    )
    assert len({one["hostname"] for one in saw}) == 3
    assert {one["input"]["data/train/a"] for one in saw} == {"1"}
    assert len({one["environment"]["TRAINING_JOB_ARN"] for one in saw}) == 1
    numbers = [json.loads(one["input"]["config/init-config.json"])["hostConfig"] for one in saw]
    assert sorted(each["hostNumber"] for each in numbers) == [1, 2, 3]
    assert {each["clusterSize"] for each in numbers} == {3}


def test_eleven_hosts_are_listed_as_text(product, images):
    # algo-10 comes before algo-2; nothing has to run for that
    dry = product.run("train", images.base, "--instance-count", "11", "--dry-run", "--output", "json").json
    listed = json.loads(dry[0]["Files"]["/opt/ml/input/config/resourceconfig.json"])["hosts"]
    assert listed[:4] == ["algo-1", "algo-10", "algo-11", "algo-2"]
    assert [host["Host"] for host in dry][-1] == "algo-11"


def test_one_host_finds_itself_by_name(product, images):
    image = images.train("getent hosts algo-1 >/dev/null && echo found")
    assert product.train(image).log() == "found\n"


def test_artifacts_of_all_hosts_are_merged_and_a_clash_is_told(product, images):
    image = images.train(
        """
        me=$(sed 's/.*"current_host":"\\([^"]*\\)".*/\\1/' /opt/ml/input/config/resourceconfig.json)
        mkdir /opt/ml/model/shared
        echo $me > /opt/ml/model/$me; echo $me > /opt/ml/model/same; echo $me > /opt/ml/model/shared/$me
        echo $me > /opt/ml/output/data/$me
        """
    )
    job = product.train(image, "--instance-count", "2")
    assert job.model == {
        "shared": None,
        "shared/algo-1": b"algo-1\n",
        "shared/algo-2": b"algo-2\n",
        "algo-1": b"algo-1\n",
        "algo-2": b"algo-2\n",
        "same": b"algo-1\n",
    }
    assert job.output == {"algo-1": b"algo-1\n", "algo-2": b"algo-2\n"}
    assert "warning: several hosts wrote same; model.tar.gz holds the first one's\n" in job.err


def test_one_host_that_fails_fails_the_job_and_ends_the_others(product, images):
    image = images.train(
        """
        trap 'echo asked to stop; exit 0' TERM
        if grep -q '"current_host":"algo-2"' /opt/ml/input/config/resourceconfig.json; then
            until [ -e /opt/ml/input/data/meeting/listens ]; do sleep 0.1; done
            echo broken > /opt/ml/output/failure; exit 3
        fi
        echo kept > /opt/ml/model/kept
        touch /opt/ml/input/data/meeting/listens
        while :; do sleep 0.1; done
        """
    )
    job = product.train(
        image, "--instance-count", "2", "--channel", f"meeting={product.folder('meeting')}",
        "--setting", "channel-access=read-write", code=1,
    )  # fmt: skip
    assert job.reason == "AlgorithmError: broken\n, exit code: 3"
    assert job.codes == {"algo-1": 0, "algo-2": 3}
    assert job.log("algo-1") == "asked to stop\n"
    assert job.model == {"kept": b"kept\n"}


def test_a_missing_program_on_several_hosts_is_one_failure(product, images):
    job = product.train(images.make(other="#!/bin/sh\n"), "--instance-count", "2", code=1)
    assert 'exec: "train": executable file not found in $PATH' in job.reason
    assert job.codes == {}


def test_an_isolated_host_has_no_network_at_all(product, images):
    image = images.train_python(WAY_OUT)
    assert product.train(image, "--enable-network-isolation").log() == (
        "interfaces\ndefault route False\ncredentials False\n"
    )
    assert product.train(image).log() == f"interfaces eth0\ndefault route True\ncredentials {may_enter()}\n"


def test_isolated_hosts_meet_on_a_network_without_a_way_out(product, docker, images):
    wait = "import os, time\nwhile not os.path.exists('/opt/ml/output/data/go'): time.sleep(0.05)\n"
    image = images.make(
        train=PYTHON + TALK.replace("sys.argv[1]", "'2'") + "print('met', flush=True)\n" + wait
    )
    running = product.start(
        "train", image, "--instance-count", "2", "--enable-network-isolation", "--job-name", "job"
    )
    running.wait_for("algo-1 | met").wait_for("algo-2 | met")
    (network,) = [left.split()[1] for left in product.left_on_engine() if left.startswith("network")]
    # what `internal` keeps out is the engine's affair; that the hosts are on no other network is ours
    assert docker("network", "inspect", "--format", "{{.Internal}}", network).stdout == "true\n"
    for left in product.left_on_engine():
        kind, name = left.split()
        if kind == "container":
            shown = docker("inspect", "--format", "{{json .NetworkSettings.Networks}}", name).stdout
            assert list(json.loads(shown)) == [network]
    for host in ("algo-1", "algo-2"):
        (product.home / f"training-jobs/job/opt-ml/{host}/output/data/go").touch()
    assert running.finish().code == 0
