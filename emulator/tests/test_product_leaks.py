"""Whatever happens, nothing of ours stays on the engine, and every file is the caller's."""

from __future__ import annotations

import signal
import subprocess

import pytest
from product import SERVER, Job

pytestmark = pytest.mark.engine

ROOTS = """
mkdir -p /opt/ml/model/d; echo x > /opt/ml/model/d/x; chmod -R 700 /opt/ml/model/d
ln -s x /opt/ml/output/data/link; echo y > /opt/ml/output/data/y
"""
LASTS = "trap 'exit 0' TERM; echo ready; while :; do sleep 0.05; done"
ENDS = {
    "success": ("echo ready; exit 0", None, 0),
    "failure": ("echo ready; exit 1", None, 1),
    "ctrl-c": (LASTS, signal.SIGINT, 130),
    "sigterm": (LASTS, signal.SIGTERM, 0),
    "sigkill": (LASTS, signal.SIGKILL, -9),
}


def dangling(docker):
    return set(docker("volume", "ls", "--quiet", "--filter", "dangling=true").stdout.split())


@pytest.mark.parametrize("hosts", [1, 2])
@pytest.mark.parametrize("end", ENDS)
def test_a_job_leaves_nothing(product, images, docker, end, hosts):
    program, number, code = ENDS[end]
    # an image with VOLUME makes the engine create volumes without our label
    image = images.train(ROOTS + program, "VOLUME /var/scratch")
    running = product.start(
        "train", image, "--job-name", "job", "--instance-count", str(hosts), "--output", "json", kind=Job
    )
    for host in range(1, hosts + 1):
        running.wait_for(f"algo-{host} | ready" if hosts > 1 else "ready")
    volumes = anonymous_volumes(product, docker)
    if number is not None:
        running.send(number)
    job = running.finish()
    assert job.code == code, str(job)
    if number == signal.SIGKILL:
        assert len(product.left_on_engine()) == (1 if hosts == 1 else 3)
        assert product.run("clean").code == 0
    assert product.left_on_engine() == []
    assert product.left_on_disk() == []
    assert not volumes & set(docker("volume", "ls", "--quiet").stdout.split())
    assert product.run("clean", "job").code == 0
    assert product.runs() == []


def anonymous_volumes(product, docker):
    """The volumes of the containers that run now."""
    found = set()
    for left in product.left_on_engine():
        kind, name = left.split()
        if kind == "container":
            shown = docker(
                "inspect", "--format", '{{range .Mounts}}{{if eq .Type "volume"}}{{.Name}} {{end}}{{end}}', name,
                check=False,
            )  # fmt: skip
            found |= set(shown.stdout.split())
    return found


@pytest.mark.parametrize("end", ["stop", "ctrl-c", "sigterm", "sigkill"])
def test_an_endpoint_leaves_nothing(product, images, docker, end):
    image = images.make("VOLUME /var/scratch", serve=SERVER)
    running = product.start("serve", image, "--endpoint-name", "demo", "--enable-network-isolation")
    running.wait_for("/endpoints/demo/invocations\n")
    volumes = anonymous_volumes(product, docker)
    assert volumes
    if end == "stop":
        product.run("stop", "demo")
    else:
        running.send({"ctrl-c": signal.SIGINT, "sigterm": signal.SIGTERM, "sigkill": signal.SIGKILL}[end])
    running.finish()
    if end == "sigkill":
        assert sorted(left.split()[0] for left in product.left_on_engine()) == ["container", "network"]
        assert product.run("clean").code == 0
    assert product.left_on_engine() == []
    assert product.left_on_disk() == []
    assert not volumes & set(docker("volume", "ls", "--quiet").stdout.split())


def test_a_reader_who_leaves_early_does_not_end_the_job(product, images):
    image = images.train("seq 1 100000; echo done > /opt/ml/model/done")
    command = product.command("train", image, "--job-name", "job")
    with subprocess.Popen(
        command, env=product.env, cwd=product.tmp, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        process.stderr.read(100)
        process.stderr.close()
        process.stdout.read()
        assert process.wait() == 0
    assert product.describe("job")["TrainingJobStatus"] == "Completed"
    assert len(product.run("logs", "job").out.splitlines()) == 100_000
    assert product.left_on_engine() == []
