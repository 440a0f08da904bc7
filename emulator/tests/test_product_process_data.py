"""Inputs and outputs of processing jobs beyond a folder that lies here: shared out, listed, streamed, kept in S3."""

from __future__ import annotations

import gzip
import json
import time

import pytest
from product import PYTHON, SHELL, Processed

pytestmark = pytest.mark.engine

RESULT = "/opt/ml/processing/output/result"
HOST = 'host=$(sed \'s/.*current_host":"\\([^"]*\\).*/\\1/\' /opt/ml/config/resourceconfig.json)\n'


@pytest.fixture
def shell(images):
    """Makes an image whose ENTRYPOINT is a shell script."""

    def make(script):
        return images.make('ENTRYPOINT ["work"]', work=SHELL + script)

    return make


def names(folder):
    return sorted(str(each.relative_to(folder)) for each in folder.rglob("*") if each.is_file())


def test_objects_are_shared_out_among_hosts(product, shell):
    data = product.folder("data", files={f"part-{number}": str(number) for number in range(5)})
    image = shell(HOST + f"cd /opt/ml/processing/input/data; ls > {RESULT}/$host; touch mine")
    job = product.process(
        image, "--instance-count", "2", "--input", f"data={data},distribution=ShardedByS3Key",
        "--processing-output", "result",
    )  # fmt: skip
    shares = {host: found.split() for host, found in job.output("result").items()}
    assert sorted(len(found) for found in shares.values()) == [2, 3]
    assert sorted(name for share in shares.values() for name in share) == names(data)


def test_a_manifest_names_what_is_read(product, shell):
    data = product.folder("data", files={"a.csv": "a", "deep/b.csv": "b", "c.csv": "c"})
    manifest = product.tmp / "manifest.json"
    manifest.write_text(json.dumps([{"prefix": f"{data}/"}, "deep/b.csv", "a.csv"]))
    image = shell(f"cd /opt/ml/processing/input/data; find . -type f | sort > {RESULT}/found; cat deep/b.csv")
    job = product.process(
        image, "--input", f"data={manifest},type=ManifestFile", "--processing-output", "result"
    )
    assert job.output("result") == {"found": "./a.csv\n./deep/b.csv\n"}


def test_a_manifest_that_names_nothing_is_refused_before_the_start(product):
    manifest = product.tmp / "manifest.json"
    manifest.write_text(json.dumps([{"prefix": f"{product.tmp}/"}, "not-there"]))
    done = product.run("process", "any/image:1", "--input", f"data={manifest},type=ManifestFile")
    assert done.code == 2
    assert "an object that the manifest names is not there" in done.err


READER = """\
import os, sys, time
for path in sys.argv[1:]:
    while not os.path.exists(path):  # the next one comes when this one was opened
        time.sleep(0.01)
    with open(path, "rb", buffering=0) as pipe:
        sys.stdout.buffer.write(pipe.readall())
    sys.stdout.buffer.write(b"\\n")
"""


@pytest.mark.parametrize(
    ("settings", "pipes"),
    [
        ((), ("data_0", "data_1")),
        (("--setting", "processing-pipe-name=plain"), ("data", "data_1")),
    ],
)
def test_a_pipe_input_is_streamed_once_for_each_fifo(product, images, settings, pipes):
    data = product.folder("data", files={"a": "one ", "b": "two "})
    image = images.make('ENTRYPOINT ["read"]', read=PYTHON + READER)
    job = product.process(
        image, "--input", f"data={data},mode=Pipe", *settings,
        *(word for pipe in pipes for word in ("--argument", f"/opt/ml/processing/input/{pipe}")),
    )  # fmt: skip
    assert (job.folder / "logs" / "algo-1.log").read_text() == "one two \none two \n"


def test_a_pipe_input_is_unpacked_on_the_way(product, images):
    data = product.folder("data", files={"a.gz": gzip.compress(b"plain text")})
    image = images.make('ENTRYPOINT ["read"]', read=PYTHON + READER)
    job = product.process(
        image, "--input", f"data={data},mode=Pipe,compression=Gzip,to=/opt/ml/processing/stream",
        "--argument", "/opt/ml/processing/stream_0",
    )  # fmt: skip
    assert (job.folder / "logs" / "algo-1.log").read_text() == "plain text\n"


def test_a_continuous_output_comes_while_the_job_runs(product, shell, tmp_path):
    image = shell(
        f"echo first > {RESULT}/a; echo ready; until [ -e /opt/ml/processing/input/go/go ]; do sleep 0.05; done; echo last > {RESULT}/b"
    )
    go, out = product.folder("go"), tmp_path / "out"
    running = product.start(
        "process", image, "--input", f"go={go}", "--processing-output", f"result={out},upload=Continuous",
        "--output", "json", kind=Processed,
    )  # fmt: skip
    running.wait_for("ready\n")
    while not (out / "a").exists():
        assert running.process.poll() is None, "it must come before the end"
        time.sleep(0.05)
    (go / "go").touch()
    job = running.finish()
    assert (job.code, job.status) == (0, "Completed")
    assert job.output("result") == {"a": "first\n", "b": "last\n"}


def test_a_continuous_output_has_all_that_a_failed_job_left(product, shell, tmp_path):
    image = shell(f"echo 1 > {RESULT}/a; rm -f {RESULT}/gone; exit 3")
    out = tmp_path / "out"
    job = product.process(image, "--processing-output", f"result={out},upload=Continuous", code=1)
    assert job.output("result") == {"a": "1\n"}


def test_data_in_the_embedded_s3(product, shell):
    bucket = product.folder(
        "home", "s3", "bucket", files={"in/a.csv": "1,2\n", "in/deep/b.csv": "3\n", "other": "x"}
    )
    image = shell(
        f"cd /opt/ml/processing/input/data; find . -type f | sort > {RESULT}/found; echo mine > new; "
        "echo now > /opt/ml/processing/output/log/l"
    )
    job = product.process(
        image, "--s3", "embedded", "--input", "data=s3://bucket/in", "--input", "one=s3://bucket/other",
        "--processing-output", "result=s3://bucket/out", "--processing-output", "log=s3://bucket/log,upload=Continuous",
    )  # fmt: skip
    assert (bucket / "out" / "found").read_text() == "./a.csv\n./deep/b.csv\n"
    assert (bucket / "log" / "l").read_text() == "now\n"
    assert job.json["Emulator"]["Outputs"]["result"] == "s3://bucket/out"
    assert not (bucket / "in" / "new").exists()


def test_a_prefix_that_matches_nothing_is_refused_in_sagemaker_s_words(product):
    product.folder("home", "s3", "bucket")
    done = product.run("process", "any/image:1", "--s3", "embedded", "--input", "data=s3://bucket/nothing")
    assert done.code == 2
    assert 'No S3 objects found under S3 URL "s3://bucket/nothing"' in done.err
