"""An ordinary user, who may talk to the engine and is not root."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
from product import SHELL, Product, python_for

pytestmark = pytest.mark.engine

USER = 54321
WAITING = "trap 'exit 0' TERM; echo ready; while :; do sleep 0.05; done"
CLOSED = """
id -u
umask 077; mkdir -p /opt/ml/model/deep/er; echo x > /opt/ml/model/deep/er/file; chmod 000 /opt/ml/model/deep
mkdir /opt/ml/output/data/shut; echo y > /opt/ml/output/data/shut/y; chmod 000 /opt/ml/output/data/shut/y
ln -s /etc/shadow /opt/ml/output/data/link
"""
"""Files of root that nobody else may read or remove."""


@pytest.fixture(scope="module")
def somebody(docker_endpoint):
    """As root: how to become somebody else, their Python, and a folder of theirs. Else nothing of it."""
    if os.getuid() != 0:
        yield None
        return
    socket = Path(docker_endpoint.removeprefix("unix://"))
    become = ("setpriv", f"--reuid={USER}", f"--regid={USER}", f"--groups={socket.stat().st_gid}")
    with tempfile.TemporaryDirectory(prefix="sm-emulate-packages-") as packages:
        Path(packages).chmod(0o755)
        found = python_for(become, Path(packages))
        if found is None:
            pytest.skip("every Python here lies where only root may look")
        yield become, *found


@pytest.fixture
def product(somebody, docker_endpoint, new_product):
    """A command line that runs as somebody who is not root; as root we become one."""
    if somebody is None:
        yield new_product("user")
        return
    become, python, packages = somebody
    folder = Path(tempfile.mkdtemp(prefix="sm-emulate-user-"))
    os.chown(folder, USER, USER)
    made = Product(
        folder,
        docker_endpoint,
        folder / "cache",
        prefix=(*become, "env", f"HOME={folder}"),
        python=python,
        packages=packages,
    )
    yield made
    assert made.strike() == []
    shutil.rmtree(folder)


def owners(product):
    return {path.lstat().st_uid for path in [product.home, *product.home.rglob("*")]}


def test_a_job_that_leaves_nothing_behind_completes(product, images):
    job = product.train(images.train("exit 0"), "--job-name", "job")
    assert job.status == ("Completed", "Completed")
    assert owners(product) == {product.tmp.stat().st_uid}
    # the config folder, whose mode kept even its owner out, can be removed by hand
    shutil.rmtree(job.folder) if os.getuid() else subprocess.run(
        [*product.prefix, "rm", "-r", job.folder], check=True
    )
    assert product.runs() == []


@pytest.mark.parametrize("hosts", [1, 2])
def test_what_containers_made_as_root_belongs_to_the_caller(product, images, hosts):
    image = images.train(CLOSED + "echo why > /opt/ml/output/failure; exit 1")
    shadow = Path("/etc/shadow").stat().st_uid
    job = product.train(image, "--job-name", "mine", "--instance-count", hosts, code=1)
    assert job.log() == "0\n", "the program ran as root all the same"
    assert job.reason == "AlgorithmError: why\n, exit code: 1"
    assert owners(product) == {product.tmp.stat().st_uid}
    assert Path("/etc/shadow").stat().st_uid == shadow
    assert job.model["deep/er/file"] == b"x\n"
    assert job.output["shut/y"] == b"y\n"
    assert product.run("clean", "mine").out == "removed training-jobs/mine\n"
    assert product.runs() == []


def killed(product, image, name):
    running = product.start("train", image, "--job-name", name).wait_for("ready\n")
    running.kill()
    running.finish()


@pytest.mark.parametrize("how", ["one", "all"])
def test_killed_jobs_are_removed_without_root(product, images, how):
    image = images.train(CLOSED + "chmod 000 /opt/ml/model /opt/ml/output/data\n" + WAITING)
    names = ["first", "second"]
    for name in names:
        killed(product, image, name)
    cleaned = product.run("clean", *(names if how == "one" else ["--all"]))
    assert cleaned.code == 0, str(cleaned)
    assert product.left_on_engine() == []
    assert product.runs() == []


def test_what_cannot_be_removed_is_named_and_keeps_nothing_else(product, images, docker):
    """The image that could hand files back is gone: the folder stays whole, and the others go."""
    image = images.make(train=SHELL + CLOSED + WAITING, files={"/marker": "of this test"})
    kept = images.train(CLOSED + WAITING)
    killed(product, image, "stays")
    killed(product, kept, "goes")
    product.run("clean")
    docker("rmi", "--force", image)
    cleaned = product.run("clean", "--all")
    assert cleaned.code == 3, str(cleaned)
    assert "the run folder cannot be removed: Permission denied" in cleaned.err
    assert "sudo" in cleaned.err
    assert cleaned.out == "removed training-jobs/goes\n"
    assert product.describe("stays")["TrainingJobStatus"] == "Failed"
    if os.getuid() == 0:
        shutil.rmtree(product.home)


def test_checkpoints_that_only_root_may_read_are_uploaded_and_come_back(product, images):
    image = images.train(
        """
        cd /opt/ml/checkpoints; find . -type f; umask 077; mkdir -p deep; echo 1 > deep/a; echo 2 > b
        until [ -e deep/a.sagemaker-uploaded ] && [ -e b.sagemaker-uploaded ]; do sleep 0.1; done
        touch /opt/ml/sagemaker/warmpoolcache/c; chmod 000 /opt/ml/sagemaker/warmpoolcache/c; echo 3 > deep/last
        """
    )
    words = (image, "--checkpoint-path", product.tmp / "kept", "--keep-alive", "600")
    product.train(*words, "--job-name", "first")
    kept = product.tmp / "kept"
    assert sorted(path.name for path in kept.rglob("*") if path.is_file()) == ["a", "b", "last"]
    second = product.train(*words, "--job-name", "second")
    assert sorted(second.log().split()) == ["./b", "./deep/a", "./deep/last"]
    assert product.run("clean", "--all").code == 0
    assert owners(product) == {product.tmp.stat().st_uid}
    assert not (product.home / "warm-pools").exists()


@pytest.mark.parametrize("mode", ["File", "FastFile"])
def test_a_channel_in_s3_comes_and_goes(product, images, bucket, mode):
    bucket.put("in/a", "in/deep/b")
    job = product.train(
        images.train("cat /opt/ml/input/data/train/deep/b > /opt/ml/model/b"), "--job-name", "job",
        "--channel", f"train={bucket.uri('in/')},mode={mode}", "--s3", bucket.url, env=bucket.env,
    )  # fmt: skip
    assert job.model == {"b": b"in/deep/b"}
    assert not (job.folder / "channels").exists()
    assert owners(product) == {product.tmp.stat().st_uid}


ASKS = """\
import json, os, time, urllib.request
address = "http://169.254.170.2" + os.environ["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"]
for _ in range(100):
    try:
        print(json.load(urllib.request.urlopen(address, timeout=60))["AccessKeyId"])
        break
    except OSError:
        time.sleep(0.1)
print(open("/proc/net/dev").read().count("eth"))
"""


def test_a_container_finds_the_credentials_of_somebody_who_is_not_root(product, images):
    own = {"AWS_ACCESS_KEY_ID": "ASIAMINE", "AWS_SECRET_ACCESS_KEY": "s", "AWS_SESSION_TOKEN": "t"}
    job = product.train(images.train_python(ASKS), env=own)
    assert job.log() == "ASIAMINE\n1\n"
    assert "warning: algo-1 has no AWS credentials" not in job.err


def test_somebody_without_an_account_pays_nothing_for_credentials(product, images):
    job = product.train(images.train("env | grep -c CREDENTIALS; echo done"))
    assert job.log() == "0\ndone\n"


def test_a_processing_job_gives_back_what_root_has_closed(product, images):
    closed = """
umask 077; mkdir -p /opt/ml/processing/output/result/deep; echo x > /opt/ml/processing/output/result/deep/file
chmod 000 /opt/ml/processing/output/result/deep; echo said > /opt/ml/output/message
"""
    image = images.make('ENTRYPOINT ["work"]', work=SHELL + closed)
    data = product.folder("data", files={"a": "1"})
    if os.getuid() == 0:
        os.chown(data, USER, USER)
    job = product.process(
        image, "--job-name", "job", "--input", f"data={data},to=/opt/ml/processing/data",
        "--input", f"inner={data},to=/opt/ml/processing/data/inner", "--processing-output", "result",
    )  # fmt: skip
    assert job.json["ExitMessage"] == "said\n"
    assert job.output("result") == {"deep/file": "x\n"}
    assert owners(product) == {product.tmp.stat().st_uid}
    assert product.run("clean", "job").code == 0
    assert product.runs() == []
