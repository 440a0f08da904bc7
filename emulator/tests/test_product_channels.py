"""Channels in S3 on a real engine: files, mounts, and what is left of them."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest

from sm_emulate.storage.mounts import mounts_below
from sm_emulate.storage.s3_mount import why_not

pytestmark = pytest.mark.engine

MIB = 1 << 20
LISTS = """
cd /opt/ml/input/data
find . -type f | sort > /opt/ml/model/files
cat train-manifest > /opt/ml/model/manifest
cat train/* > /opt/ml/model/content
touch train/new 2>/opt/ml/model/refused || true
"""
needs_fuse = pytest.mark.skipif(
    why_not() is not None, reason=f"FastFile channels are downloaded here: {why_not()}"
)


def test_a_file_channel_is_whole_before_the_program_starts(product, images, bucket):
    bucket.put("in/a", "in/b")
    job = product.train(
        images.train(LISTS), "--channel", f"train={bucket.uri('in/')}", "--s3", bucket.url, env=bucket.env
    )
    assert job.model["files"] == b"./train-manifest\n./train/a\n./train/b\n"
    assert job.model["manifest"].decode() == f"in/\n{bucket.uri('in/a')}\n{bucket.uri('in/b')}\n"
    assert job.model["content"] == b"in/ain/b"
    assert b"Read-only file system" in job.model["refused"]


def test_artifacts_are_put_into_the_bucket(product, images, bucket):
    job = product.train(
        images.train("echo w > /opt/ml/model/w; echo p > /opt/ml/output/data/p"),
        "--job-name", "job", "--output-path", bucket.uri("models"), "--s3", bucket.url, env=bucket.env,
    )  # fmt: skip
    assert bucket.keys() == ["models/job/output/model.tar.gz", "models/job/output/output.tar.gz"]
    assert bucket.get("models/job/output/model.tar.gz") == (job.folder / "model.tar.gz").read_bytes()
    assert job.json["ModelArtifacts"] == {"S3ModelArtifacts": bucket.uri("models/job/output/model.tar.gz")}


def test_the_embedded_s3_needs_nothing_but_folders(product, images):
    product.folder("home", "s3", "data", "in", files={"a": "1", "deep/b": "2"})
    (product.home / "s3" / "out").mkdir()
    words = ["--s3", "embedded", "--channel", "train=s3://data/in/", "--output-path", "s3://out/models"]
    product.train(
        images.train("cat /opt/ml/input/data/train/deep/b > /opt/ml/model/m"), "--job-name", "j", *words
    )
    assert (product.home / "s3" / "out" / "models" / "j" / "output" / "model.tar.gz").exists()
    typo = product.run("train", "no-image", "--s3", "embedded", "--output-path", "s3://oust/models")
    assert typo.code == 2
    assert "there is no bucket oust" in typo.err
    assert "mkdir -p" in typo.err
    assert not (product.home / "s3" / "oust").exists()


@needs_fuse
def test_the_first_read_of_a_fast_file_comes_before_the_channel_could_have(product, images, bucket, wire):
    for name in ("a", "b", "c"):
        bucket.put_bytes(f"in/{name}", name.encode() + os.urandom(40 * MIB))
    program = """
    cd /opt/ml/input/data/train
    ls -l > /opt/ml/model/listed
    head -c 1 b > /opt/ml/model/first
    tail -c 10 c | md5sum > /opt/ml/model/last
    touch new 2>/opt/ml/model/refused || true
    mount | grep /opt/ml/input/data/train > /opt/ml/model/mount
    """
    job = product.train(
        images.train(program), "--channel", f"train={bucket.uri('in/')},mode=FastFile", "--s3", wire.url, env=bucket.env
    )  # fmt: skip
    assert job.model["first"] == b"b"
    assert [line.split()[0] for line in job.model["listed"].decode().splitlines()[1:]] == ["-rw-r--r--"] * 3
    assert b"Read-only file system" in job.model["refused"]
    assert b"fuse" in job.model["mount"]
    assert wire.served < 80 * MIB, "of 120 MiB"
    assert mounts_below(product.home) == []
    assert json.loads((job.folder / "opt-ml/algo-1/input/config/inputdataconfig.json").read_text())["train"][
        "TrainingInputMode"
    ] == "File"  # fmt: skip


@needs_fuse
def test_a_killed_job_leaves_no_mount_behind(product, images, bucket):
    bucket.put("in/a")
    running = product.start(
        "train", images.train("exec 3</opt/ml/input/data/train/a; echo ready; sleep 600"), "--job-name", "job",
        "--channel", f"train={bucket.uri('in/')},mode=FastFile", "--s3", bucket.url, env=bucket.env,
    )  # fmt: skip
    running.wait_for("ready")
    assert mounts_below(product.home) != []
    running.send(signal.SIGKILL).finish()
    assert product.run("clean").code == 0
    assert mounts_below(product.home) == []
    assert product.run("clean", "job").code == 0
    assert product.runs() == []


def test_ctrl_c_while_downloading_stops_the_job(product, images, bucket, wire):
    bucket.put_bytes("in/large", os.urandom(4 * MIB))
    wire.held_after = MIB
    running = product.start(
        "train", images.train("echo started"), "--job-name", "job", "--channel", f"train={bucket.uri('in/')}",
        "--s3", wire.url, env=bucket.env,
    )  # fmt: skip
    wire.wait_until_held()
    running.interrupt()
    wire.release()
    done = running.finish()
    assert done.code == 130
    assert product.describe("job")["TrainingJobStatus"] == "Stopped"
    assert "started" not in done.err


def test_what_s3_refuses_is_told_before_anything_starts(product, images, bucket):
    image = images.train("echo started")
    words = ["--s3", bucket.url, "--job-name", "job"]
    none = product.run("train", image, "--channel", f"train={bucket.uri('none')}", *words, env=bucket.env)
    assert none.code == 2
    assert "No S3 objects found under S3 URL" in none.err
    keyless = product.run("train", image, "--channel", f"train={bucket.uri('none')}", *words)
    assert keyless.code == 3
    assert "there are no AWS credentials" in keyless.err
    unknown = product.run("train", image, "--s3", "minio")
    assert unknown.code == 2
    assert "no S3 that is known" in unknown.err
    assert product.runs() == []


def test_a_folder_stands_for_a_file_system(product, images):
    efs = product.folder("efs", "data", files={"a": "1"})
    request = {
        "TrainingJobName": "job",
        "RoleArn": "arn:aws:iam::123456789012:role/r",
        "AlgorithmSpecification": {
            "TrainingImage": images.train("echo 2 > /opt/ml/input/data/train/b"),
            "TrainingInputMode": "File",
        },
        "InputDataConfig": [
            {
                "ChannelName": "train",
                "DataSource": {
                    "FileSystemDataSource": {
                        "FileSystemId": "fs-0123456789",
                        "FileSystemAccessMode": "rw",
                        "FileSystemType": "EFS",
                        "DirectoryPath": "/data",
                    }
                },
            }
        ],
        "OutputDataConfig": {"S3OutputPath": str(product.tmp / "out")},
        "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 30},
        "StoppingCondition": {"MaxRuntimeInSeconds": 3600},
        "VpcConfig": {"SecurityGroupIds": ["sg-1"], "Subnets": ["subnet-1"]},
    }
    file = product.tmp / "job.json"
    file.write_text(json.dumps(request))
    product.train("--request", file, "--file-system", f"fs-0123456789={product.tmp}/efs")
    assert (efs / "b").read_text() == "2\n"


def test_the_cache_is_seen_and_removed(product, images, bucket, tmp_path):
    bucket.put_bytes("in/a", os.urandom(2 * MIB))
    env = bucket.env | {"XDG_CACHE_HOME": str(tmp_path / "cache")}
    image = images.train("true")
    product.train(image, "--channel", f"train={bucket.uri('in/')}", "--s3", bucket.url, env=env)
    assert "2.1 MB of channels in S3" in product.run("doctor", env=env).out
    removed = product.run("clean", "--cache", env=env)
    assert removed.code == 0
    assert not Path(tmp_path, "cache", "sm-emulate", "objects").exists()
