"""Pipe channels on the real engine, read as AWS's published example reads them."""

from __future__ import annotations

import gzip
import hashlib
import json
import random
import signal
import struct

import pytest
from product import Job

pytestmark = pytest.mark.engine

READER = r"""
import hashlib, json, os, signal, sys, time

DATA = "/opt/ml/input/data"
given = json.load(open("/opt/ml/input/config/hyperparameters.json"))
epochs, most = int(given.get("epochs", "3")), int(given.get("most", "-1"))

def leave(*_):
    sys.exit(0)

signal.signal(signal.SIGTERM, leave)
signal.signal(signal.SIGINT, leave)

def waited_for(fifo):
    for _ in range(2400):
        if os.path.exists(fifo):
            return fifo
        time.sleep(0.1)
    sys.exit(f"{fifo} never came")

seen = []
for epoch in range(epochs):
    hashed, size = hashlib.sha256(), 0
    with open(waited_for(f"{DATA}/{given['channel']}_{epoch}"), "rb", buffering=0) as fifo:
        while piece := fifo.read(min(1 << 16, most - size) if most >= 0 else 1 << 16):
            hashed.update(piece)
            size += len(piece)
            if given.get("stay"):
                print("ready", flush=True)
                while True:
                    time.sleep(0.05)
    seen.append({"sha256": hashed.hexdigest(), "bytes": size})
config = json.load(open("/opt/ml/input/config/inputdataconfig.json"))
found = {"seen": seen, "config": config, "there": sorted(os.listdir(DATA))}
json.dump(found, open("/opt/ml/model/seen.json", "w"))
print("ready", flush=True)
"""
IDLE = """
trap 'exit 0' TERM
echo ready
while :; do sleep 0.05; done
"""


@pytest.fixture(scope="module")
def reader(images):
    return images.train_python(READER)


@pytest.fixture(scope="module")
def contents():
    """Files larger than a pipe, smaller ones, one of no bytes."""
    rng = random.Random(1)
    return {
        "a.bin": rng.randbytes(3_000_001),
        "b/big.bin": rng.randbytes(1_500_003),
        "b/none": b"",
        "c.txt": b"short",
        "d.txt": b"shorter" * 100,
    }


def record(data):
    return struct.pack("<II", 0xCED7230A, len(data)) + data + bytes(-len(data) % 4)


def told(data):
    return {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}


def read(product, image, channel, *words, epochs=3):
    return product.train(
        image, "--channel", channel, "--hyperparameter", f"epochs={epochs}",
        "--hyperparameter", f"channel={channel.partition('=')[0]}", *words,
    )  # fmt: skip


def test_every_byte_of_three_epochs_comes_in_order(product, reader, contents):
    data = product.folder("data", files=contents)
    job = read(product, reader, f"train={data},mode=Pipe")
    whole = told(b"".join(contents[name] for name in sorted(contents)))
    found = job.made("seen.json")
    assert found["seen"] == [whole] * 3
    assert found["config"]["train"]["TrainingInputMode"] == "Pipe"
    assert found["there"] == ["train_0", "train_1", "train_2", "train_3"]
    assert job.json["Emulator"]["Pipes"] == {"train": {"algo-1": {"Epochs": 3, "Bytes": 3 * whole["bytes"]}}}
    assert list((job.folder / "opt-ml/algo-1/input/data").iterdir()) == []


def test_gzip_is_unpacked_on_the_way(product, reader, contents):
    packed = {
        name: gzip.compress(data[:1000]) + gzip.compress(data[1000:]) for name, data in contents.items()
    }
    data = product.folder("data", files=packed)
    job = read(product, reader, f"train={data},mode=Pipe,compression=Gzip")
    assert job.made("seen.json")["seen"] == [told(b"".join(contents[name] for name in sorted(contents)))] * 3


@pytest.mark.parametrize("options", ["", ",compression=Gzip"])
def test_recordio_makes_a_record_of_each_object(product, reader, contents, options):
    packed = {name: gzip.compress(data) for name, data in contents.items()} if options else contents
    data = product.folder("data", files=packed)
    job = read(product, reader, f"train={data},mode=Pipe,record-wrapper=RecordIO{options}")
    assert job.json["InputDataConfig"][0]["RecordWrapperType"] == "RecordIO"
    wanted = told(b"".join(record(contents[name]) for name in sorted(contents)))
    assert job.made("seen.json")["seen"] == [wanted] * 3


@pytest.mark.parametrize("wrapper", ["None", "RecordIO"])
def test_an_augmented_manifest_is_sent_in_the_order_of_its_attribute_names(
    product, reader, contents, wrapper
):
    data = product.folder("data", files=contents)
    lines = [
        {"label": 1, "source-ref": f"file://{data}/a.bin", "other": "x"},
        {"source-ref": "c.txt", "label": "dog", "other": "y"},
    ]
    (data / "lines.manifest").write_text("".join(json.dumps(line) + "\n" for line in lines))
    options = f"mode=Pipe,type=AugmentedManifestFile,attributes=source-ref:label,record-wrapper={wrapper}"
    job = read(product, reader, f"train={data}/lines.manifest,{options}")
    sent = [contents["a.bin"], b"1", contents["c.txt"], b"dog"]
    wanted = told(b"".join(map(record, sent) if wrapper == "RecordIO" else sent))
    assert job.made("seen.json")["seen"] == [wanted] * 3


def test_a_shuffled_channel_has_another_order_in_each_epoch_and_the_same_in_each_job(product, reader):
    data = product.folder("data", files={f"{number:02}": f"{number:02} " for number in range(20)})
    jobs = [read(product, reader, f"train={data},mode=Pipe,shuffle-seed=7") for _ in range(2)]
    seen = [[epoch["sha256"] for epoch in job.made("seen.json")["seen"]] for job in jobs]
    assert len(set(seen[0])) == 3
    assert seen[0] == seen[1]
    assert {epoch["bytes"] for job in jobs for epoch in job.made("seen.json")["seen"]} == {60}


def test_a_reader_may_leave_early(product, reader, contents):
    data = product.folder("data", files=contents)
    job = read(product, reader, f"train={data},mode=Pipe", "--hyperparameter", "most=100000")
    wanted = told(contents["a.bin"][:100_000])
    assert job.made("seen.json")["seen"] == [wanted] * 3
    assert job.json["Emulator"]["Pipes"]["train"]["algo-1"]["Epochs"] == 3
    events = [json.loads(line) for line in (job.folder / "events.ndjson").read_text().splitlines()]
    streamed = [(each["epoch"], each["whole"]) for each in events if each["event"] == "EpochStreamed"]
    assert streamed == [(0, False), (1, False), (2, False)]


@pytest.mark.parametrize("stuck", ["nobody opens it", "nobody reads on"])
def test_a_channel_that_is_not_drained_is_the_platform_s_failure(product, images, reader, contents, stuck):
    data = product.folder("data", files=contents)
    image = images.train(IDLE) if stuck == "nobody opens it" else reader
    words = ("--setting", "pipe-timeout=1", "--hyperparameter", "stay=1")
    job = product.train(
        image, "--channel", f"train={data},mode=Pipe", "--hyperparameter", "channel=train", *words, code=1
    )
    assert job.status == ("Failed", "Failed")
    assert job.reason == "InternalServerError: We encountered an internal error.  Please try again."
    assert "Platform Error: SageMaker pipe channel timed out.\n" in job.log()


def test_who_has_read_an_epoch_may_train_on_it_for_long_unless_set(product, images, contents):
    data = product.folder("data", files={"a": "abc"})
    image = images.train("cat /opt/ml/input/data/train_0; sleep 5")
    words = (image, "--channel", f"train={data},mode=Pipe", "--setting", "pipe-timeout=3")
    assert product.train(*words).status == ("Completed", "Completed")
    job = product.train(*words, "--setting", "pipe-timeout-next-epoch=counts", code=1)
    assert job.reason.startswith("InternalServerError: ")


def test_a_fifo_that_was_read_is_gone_if_so_set(product, reader, contents):
    data = product.folder("data", files=contents)
    job = read(product, reader, f"train={data},mode=Pipe", "--setting", "pipe-after-reading=removed")
    assert [each["bytes"] for each in job.made("seen.json")["seen"]] == [sum(map(len, contents.values()))] * 3
    assert "train_0" not in job.made("seen.json")["there"]


@pytest.mark.parametrize("end", ["ctrl-c", "sigkill"])
def test_nothing_is_left_of_a_job_that_ends_in_mid_epoch(product, reader, contents, end):
    data = product.folder("data", files=contents)
    running = product.start(
        "train", reader, "--job-name", "job", "--channel", f"train={data},mode=Pipe", "--output", "json",
        "--hyperparameter", "channel=train", "--hyperparameter", "stay=1", kind=Job,
    )  # fmt: skip
    running.wait_for("ready\n").send(signal.SIGINT if end == "ctrl-c" else signal.SIGKILL)
    job = running.finish()
    if end == "ctrl-c":
        assert job.code == 130, str(job)
        assert job.status == ("Stopped", "Stopped")
        assert list((job.folder / "opt-ml/algo-1/input/data").iterdir()) == []
    assert product.run("clean").code == 0
    assert product.left_on_engine() == []
    assert product.run("clean", "job").code == 0
    assert product.runs() == []


def test_hosts_share_a_channel_out_by_objects(product, reader):
    data = product.folder("data", files={f"{number}": f"{number}" for number in range(5)})
    job = read(
        product,
        reader,
        f"train={data},mode=Pipe,distribution=ShardedByS3Key",
        "--instance-count",
        "2",
        epochs=1,
    )
    sent = job.json["Emulator"]["Pipes"]["train"]
    assert {host: use["Bytes"] for host, use in sent.items()} == {"algo-1": 3, "algo-2": 2}


def test_channels_do_not_wait_for_each_other(product, images, contents):
    data = product.folder("data", files=contents)
    image = images.train("""
        cd /opt/ml/input/data
        exec 3< train_0 4< validation_0
        cat <&4 > /opt/ml/model/validation
        cat <&3 > /opt/ml/model/train
    """)
    channels = [
        word for name in ("train", "validation") for word in ("--channel", f"{name}={data},mode=Pipe")
    ]
    whole = b"".join(contents[name] for name in sorted(contents))
    assert product.train(image, *channels).model == {"train": whole, "validation": whole}


def test_data_that_is_no_gzip_fails_the_job_in_words(product, reader, contents):
    data = product.folder("data", files={"a.txt": "plain"})
    job = product.train(
        reader,
        "--channel",
        f"train={data},mode=Pipe,compression=Gzip",
        "--hyperparameter",
        "channel=train",
        code=1,
    )
    assert job.reason.startswith(f"ClientError: Data download failed:file://{data}/a.txt is no gzip")
    assert "Traceback" not in job.err


def test_a_manifest_that_lacks_an_attribute_fails_the_job_before_anything_is_started(product, reader):
    data = product.folder("data", files={"m": '{"a": "x"}\n{"b": "y"}\n'})
    job = product.train(
        reader, "--channel", f"train={data}/m,mode=Pipe,type=AugmentedManifestFile,attributes=a", code=1
    )
    assert (
        job.reason == "ClientError: Data download failed:line 2 of the augmented manifest has no attribute a"
    )
    assert job.codes == {}


@pytest.mark.parametrize("which", ["another's", "embedded"])
def test_a_channel_in_s3_is_streamed_from_there(product, reader, contents, bucket, which):
    lines = "".join(
        json.dumps({"source-ref": bucket.uri(name), "label": "x"}) + "\n" for name in ("c.txt", "a.bin")
    )
    manifest = {"lines.manifest": lines.encode()}
    if which == "embedded":
        product.folder("home", "s3", bucket.name, files={f"data/{name}": contents[name] for name in contents})
        product.folder("home", "s3", bucket.name, files=contents | manifest)
        words, env = ("--s3", "embedded"), {}
    else:
        for name, content in contents.items():
            bucket.put_bytes(f"data/{name}", content)
        for name, content in (contents | manifest).items():
            bucket.put_bytes(name, content)
        words, env = ("--s3", bucket.url), bucket.env
    given = ("--hyperparameter", "epochs=2", "--hyperparameter", "channel=train", *words)
    job = product.train(reader, "--channel", f"train={bucket.uri('data/')},mode=Pipe", *given, env=env)
    whole = told(b"".join(contents[name] for name in sorted(contents)))
    assert job.made("seen.json")["seen"] == [whole] * 2
    options = "mode=Pipe,type=AugmentedManifestFile,attributes=label:source-ref"
    job = product.train(
        reader, "--channel", f"train={bucket.uri('lines.manifest')},{options}", *given, env=env
    )
    wanted = told(b"x" + contents["c.txt"] + b"x" + contents["a.bin"])
    assert job.made("seen.json")["seen"] == [wanted] * 2
