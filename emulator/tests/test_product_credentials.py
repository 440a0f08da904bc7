"""AWS from inside: boto3 in a container, unmodified, against the S3 that was chosen; and nothing of it in isolation."""

from __future__ import annotations

import json
import re
import subprocess

import boto3
import pytest
from moto.server import ThreadedMotoServer
from product import PYTHON, SERVER, WITNESS

from sm_emulate.engine.inside import may_enter

pytestmark = pytest.mark.engine
as_root = pytest.mark.skipif(
    not may_enter(), reason="whoever is not root needs credentials of AWS to be given an address"
)

LONG_LIVED = {"AWS_ACCESS_KEY_ID": "AKIAOFTHECALLER00000", "AWS_SECRET_ACCESS_KEY": "secret-of-the-caller"}
NOWHERE = {
    "AWS_CONFIG_FILE": "/nonexistent",
    "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent",
    "AWS_EC2_METADATA_DISABLED": "true",
}
WITH_BOTO3 = "RUN pip install --quiet boto3"
USES_S3 = """\
import boto3
s3 = boto3.client("s3")
print(*(found["Key"] for found in s3.list_objects_v2(Bucket="data")["Contents"]))
print(s3.get_object(Bucket="data", Key="in/a.txt")["Body"].read().decode())
s3.put_object(Bucket="data", Key="out/b.txt", Body=b"from inside")
print(boto3.Session().get_credentials().method)
"""
ASKS = """\
import json, os, urllib.request
address = "http://169.254.170.2" + os.environ["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"]
print(urllib.request.urlopen(address, timeout=60).read().decode())
"""


@pytest.fixture
def moto():
    """An S3 and an STS that are not AWS, with an object in them."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"
    s3 = boto3.client(
        "s3",
        endpoint_url=url,
        aws_access_key_id="x",
        aws_secret_access_key="x",
        region_name="us-east-1",
    )
    s3.create_bucket(Bucket="data")
    s3.put_object(Bucket="data", Key="in/a.txt", Body=b"from outside")
    yield url, s3
    s3.close()
    server.stop()


def test_boto3_in_a_container_lists_reads_and_writes(product, images, moto):
    url, s3 = moto
    image = images.train_python(USES_S3, WITH_BOTO3)
    job = product.train(image, "--s3", url, env=NOWHERE | LONG_LIVED)
    assert job.log() == "in/a.txt\nfrom outside\ncontainer-role\n"
    assert s3.get_object(Bucket="data", Key="out/b.txt")["Body"].read() == b"from inside"


def test_boto3_in_a_container_has_the_embedded_s3(product, images):
    product.folder("home", "s3", "data", files={"in/a.txt": "from outside"})
    image = images.train_python(USES_S3, WITH_BOTO3)
    job = product.train(image, "--s3", "embedded", env=NOWHERE)
    assert job.log() == "in/a.txt\nfrom outside\ncontainer-role\n"
    assert (product.home / "s3/data/out/b.txt").read_text() == "from inside"
    assert not subprocess.run(
        ["pgrep", "-f", str(product.home / "s3")], capture_output=True, check=False
    ).stdout, "the server of the embedded S3 is still there"


def test_a_callers_long_lived_keys_are_nowhere(product, images, docker, moto):
    wait = "import os, time\nwhile not os.path.exists('/opt/ml/output/data/go'): time.sleep(0.05)\n"
    image = images.make(train=WITNESS + "print('there', flush=True)\n" + wait)
    running = product.start(
        "train", image, "--job-name", "job", env=NOWHERE | LONG_LIVED | {"AWS_ENDPOINT_URL": moto[0]}
    )
    running.wait_for("there")
    (container,) = [left.split()[1] for left in product.left_on_engine()]
    inspected = docker("inspect", container).stdout
    (product.home / "training-jobs/job/opt-ml/algo-1/output/data/go").touch()
    ended = running.finish()
    assert ended.code == 0
    assert '"AWS_ENDPOINT_URL=http://169.254.170.2:16970"' in inspected
    texts = [inspected, ended.out, ended.err]
    folder = product.home / "training-jobs/job"
    texts += [file.read_bytes().decode("latin-1") for file in folder.rglob("*") if file.is_file()]
    assert len(texts) > 8
    for secret in LONG_LIVED.values():
        assert not any(secret in text for text in texts)


def test_temporary_keys_are_made_from_long_lived_ones(product, images, moto):
    image = images.train_python(ASKS)
    role = "arn:aws:iam::111122223333:role/mine"
    job = product.train(image, "--role-arn", role, env=NOWHERE | LONG_LIVED | {"AWS_ENDPOINT_URL": moto[0]})
    given = json.loads(job.log())
    assert list(given) == ["RoleArn", "AccessKeyId", "SecretAccessKey", "Token", "Expiration"]
    assert given["RoleArn"] == role
    assert given["AccessKeyId"].startswith("ASIA")
    assert given["Token"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", given["Expiration"])


def test_temporary_keys_of_the_caller_are_handed_on(product, images):
    own = {"AWS_ACCESS_KEY_ID": "ASIAMINE", "AWS_SECRET_ACCESS_KEY": "s", "AWS_SESSION_TOKEN": "t"}
    job = product.train(images.train_python(ASKS), env=NOWHERE | own)
    given = json.loads(job.log())
    assert (given["AccessKeyId"], given["SecretAccessKey"], given["Token"]) == ("ASIAMINE", "s", "t")


@as_root
def test_without_an_account_a_client_can_be_made_and_a_person_is_told(product, images):
    makes = "import boto3\nboto3.client('s3')\nprint(boto3.Session().get_credentials().method)\n"
    job = product.train(images.train_python(makes, WITH_BOTO3), env=NOWHERE)
    assert job.log() == "container-role\n"
    assert "warning: the program asks for AWS credentials, and this machine has none" in job.err


def test_whoever_does_not_ask_hears_nothing_of_it(product, images):
    job = product.train(images.train("echo quiet"), "--quiet", env=NOWHERE)
    assert "credentials" not in job.err


def test_credentials_can_be_left_out(product, images):
    job = product.train(images.make(train=WITNESS), "--credentials", "none", env=NOWHERE | LONG_LIVED)
    assert not [name for name in job.made("train.json")["environment"] if "CREDENTIALS" in name]


def test_each_of_two_jobs_has_an_address_of_its_own(product, images):
    program = """\
import os, time, urllib.error, urllib.request
from pathlib import Path
path, shared = os.environ["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"], Path("/opt/ml/checkpoints")
(shared / os.environ["TRAINING_JOB_NAME"]).write_text(path)
while sum(bool(each.read_text()) for each in shared.iterdir()) < 2: time.sleep(0.05)
for other in sorted(shared.iterdir()):
    try:
        status = urllib.request.urlopen("http://169.254.170.2" + other.read_text(), timeout=60).status
    except urllib.error.HTTPError as error:
        status = error.code
    print(other.name, status)
"""
    image, shared = images.train_python(program), product.folder("shared")
    request = {
        "CheckpointConfig": {"S3Uri": shared.as_uri()},
    }
    file = product.folder("request", files={"r.json": json.dumps(request)}) / "r.json"
    own = {"AWS_ACCESS_KEY_ID": "A", "AWS_SECRET_ACCESS_KEY": "s", "AWS_SESSION_TOKEN": "t"}
    common = ("--role-arn", "arn:aws:iam::123456789012:role/sm-emulate", "--instance-type", "ml.m5.large",
              "--instance-count", "1", "--input-mode", "File", "--max-run", "5m", "--setting",
              "checkpoint-folder=shared")  # fmt: skip
    running = [
        product.start(
            "train", image, "--request", file, "--job-name", name, "--output-path", product.folder("out"),
            *common, "--quiet", env=NOWHERE | own,
        )
        for name in ("one", "two")
    ]  # fmt: skip
    ended = [each.finish() for each in running]
    assert [each.code for each in ended] == [0, 0], [str(each) for each in ended]
    logs = {
        name: (product.home / f"training-jobs/{name}/logs/algo-1.log").read_text() for name in ("one", "two")
    }
    assert logs == {"one": "one 200\ntwo 404\n", "two": "one 404\ntwo 200\n"}


@as_root
def test_the_metadata_address_answers_where_it_is_named(product, images):
    program = """\
import json, os, urllib.request
for name in ("ECS_CONTAINER_METADATA_URI", "ECS_CONTAINER_METADATA_URI_V4"):
    for path in ("", "/task"):
        print(sorted(json.load(urllib.request.urlopen(os.environ[name] + path, timeout=60))))
"""
    job = product.train(images.train_python(program), "--platform-profile", "2020", env=NOWHERE)
    container = "['DesiredStatus', 'DockerId', 'KnownStatus', 'Name', 'Type']\n"
    task = "['Cluster', 'Containers', 'DockerId', 'Family']\n"
    assert job.log() == (container + task) * 2


ISOLATED = """\
import json, os, socket, time
me = json.load(open("/opt/ml/input/config/resourceconfig.json"))["current_host"]
def reaches(host, port, timeout=2):
    try:
        with socket.create_connection((host, port), timeout) as connection:
            connection.getpeername()  # a host that no one answers for can look connected to connect() alone
        return True
    except ConnectionRefusedError:
        return "refused"
    except OSError:
        return False
server = socket.create_server(("", 7777))
other = {"algo-1": "algo-2", "algo-2": "algo-1"}[me]
for _ in range(1000):
    try:
        peer = reaches(socket.gethostbyname(other), 7777, 60)
    except OSError:
        peer = False
    if peer is True: break
    time.sleep(0.1)
gateway = socket.gethostbyname(me).rsplit(".", 1)[0] + ".1"
print("peer", peer)
print("this machine", reaches(gateway, int(os.environ["OURS"])))
print("elsewhere", reaches("192.0.2.1", 80))
print("address", reaches("169.254.170.2", 80))
print("variables", sorted(n for n in os.environ if n.startswith("AWS_")))
open("/opt/ml/model/" + me, "w")
server.settimeout(120)
server.accept()  # the other one has found this host
"""


def test_isolated_hosts_reach_each_other_and_nothing_else(product, images, moto):
    import socket

    with socket.create_server(("", 0)) as ours:
        job = product.train(
            images.train_python(ISOLATED), "--instance-count", "2", "--enable-network-isolation",
            "--environment", f"OURS={ours.getsockname()[1]}", "--s3", moto[0], env=NOWHERE | LONG_LIVED,
        )  # fmt: skip
    for host in ("algo-1", "algo-2"):
        assert job.log(host) == (
            "peer True\nthis machine False\nelsewhere False\naddress False\nvariables ['AWS_REGION']\n"
        )


@as_root
def test_a_served_model_has_credentials_too_and_none_in_isolation(product, images, moto):
    program = SERVER.replace(
        '"write": write,',
        '"write": write, "ask": lambda: urllib.request.urlopen("http://169.254.170.2" + '
        'os.environ["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"], timeout=60).status,'
        '"out": lambda: socket.socket().connect_ex((socket.gethostbyname(socket.gethostname())'
        '.rsplit(".", 1)[0] + ".1", 22)),',
    ).replace("import errno,", "import urllib.request, errno,")
    image = images.make(serve=program)
    product.serve(image, "--endpoint-name", "open")
    assert product.run("invoke", "open", "--data", "ask").out == "200"
    product.run("stop", "open")
    product.serve(image, "--endpoint-name", "shut", "--enable-network-isolation")
    seen = json.loads(product.run("invoke", "shut", "--data", "seen").out)
    assert not [name for name in seen["environment"] if "CREDENTIALS" in name]
    import errno

    assert int(product.run("invoke", "shut", "--data", "out").out) == errno.ENETUNREACH


@as_root
def test_an_image_that_has_port_80_keeps_it(product, images):
    binds = (
        PYTHON
        + "import os, socket\nsocket.create_server(('', 80))\nprint(sorted(n for n in os.environ if 'URI' in n))\n"
    )
    job = product.train(images.make("EXPOSE 80", train=binds), env=NOWHERE)
    assert job.log() == "[]\n"
    assert "exposes port 80" in job.err
