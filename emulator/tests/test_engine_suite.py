"""What the house relies on of any engine: one suite for the in-memory engine and a real one."""

import json
import shutil
import socket
import subprocess
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from sm_emulate.engine import layers, render
from sm_emulate.engine.files import MemoryFile
from sm_emulate.engine.protocol import LABEL_RUN, ContainerSpec, GpuRequest, HistoryStep, Mount
from sm_emulate.errors import (
    EngineError,
    GpuNotFoundError,
    ImageNotFoundError,
    MachineError,
    NotFoundError,
    StartError,
)


def wait_term(box):
    box.print("ready")
    box.print("got", box.next_signal())
    return 7


WAIT_TERM = "trap 'echo got SIGTERM; exit 7' TERM; echo ready; while :; do sleep 0.05; done"


def test_bytes_come_in_order_with_the_exit_code(stage):
    def program(box):
        for number in range(1, 1001):
            box.print(number)
        box.write(b"no newline \xff at the end")
        return 3

    ran = stage.play(r"seq 1 1000; printf 'no newline \377 at the end'; exit 3", program, network="none")
    assert ran.out == b"".join(b"%d\n" % n for n in range(1, 1001)) + b"no newline \xff at the end"
    assert ran.err == b""
    assert (ran.exit.code, ran.exit.oom_killed) == (3, False)


def test_stderr_is_told_from_stdout(stage):
    def program(box):
        box.print("fine")
        box.print("not fine", error=True)

    ran = stage.play("echo fine; echo not fine >&2", program, network="none")
    assert (ran.out, ran.err, ran.exit.code) == (b"fine\n", b"not fine\n", 0)


def test_the_last_lines_of_a_container_that_exits_at_once_are_not_lost(stage):
    for number in range(15):
        ran = stage.play(
            f"echo last words {number}; exit 1",
            lambda box, number=number: box.print("last words", number) or 1,
            network="none",
        )
        assert (ran.out, ran.exit.code) == (b"last words %d\n" % number, 1)


def test_a_hundred_thousand_lines_and_exit_1(stage):
    def program(box):
        for number in range(100_000):
            box.print("line", number)
        return 1

    shell = "i=0; while [ $i -lt 100000 ]; do echo line $i; i=$((i+1)); done; exit 1"
    ran = stage.play(shell, program, network="none")
    assert ran.exit.code == 1
    assert ran.out == b"".join(b"line %d\n" % n for n in range(100_000))


def test_a_slow_reader_gets_everything(stage):
    data = b"".join(b"%d\n" % n for n in range(1, 300_001))
    container = stage.create("seq 1 300000", lambda box: box.write(data), network="none")
    stream = iter(stage.engine.logs(container))
    stage.engine.start(container)
    got = next(stream).data
    time.sleep(0.5)
    got += b"".join(chunk.data for chunk in stream)
    assert got == data


def test_out_of_memory_is_told(stage):
    shell = "a=xxxxxxxxxxxxxxxx; while :; do a=$a$a; done"
    ran = stage.play(shell, lambda box: box.run_out_of_memory(), network="none", memory_bytes=16 << 20)
    assert (ran.exit.code, ran.exit.oom_killed) == (137, True)


@pytest.mark.engine
def test_a_read_only_root_a_volume_and_no_shared_memory(docker_stage):
    ran = docker_stage.play(
        "id -u; touch /x || echo no; touch /scratch/x && echo yes; cat /dev/shm || true", None,
        network="none", user="0:990", read_only_root=True, volumes=("/scratch",), ipc="none",
    )  # fmt: skip
    assert ran.out == b"0\nno\nyes\n"
    assert b"Read-only file system" in ran.err
    assert b"/dev/shm" in ran.err
    assert b"No such file" in ran.err


def test_sigterm_reaches_the_program_and_sigkill_ends_it(stage):
    container, reader = stage.started(WAIT_TERM, wait_term, network="none")
    reader.wait_for(b"ready")
    stage.engine.signal(container, "SIGTERM")
    assert stage.engine.wait(container).code == 7
    reader.join(180)
    assert reader.text() == b"ready\ngot SIGTERM\n"
    stage.engine.signal(container, "SIGTERM")  # it has ended: no error

    container, reader = stage.started(
        "echo ready; sleep 600", lambda box: box.print("ready") or box.sleep(600)
    )
    reader.wait_for(b"ready")
    stage.engine.signal(container, "SIGKILL")
    ended = stage.engine.wait(container)
    assert (ended.code, ended.oom_killed) == (137, False)
    reader.join(180)
    assert not reader.is_alive()
    stage.engine.remove(container)
    stage.engine.signal(container, "SIGTERM")  # it is gone: no error either


def test_two_threads_may_wait_for_one_container(stage):
    container, reader = stage.started(WAIT_TERM, wait_term, network="none")
    ended = []
    waiters = [threading.Thread(target=lambda: ended.append(stage.engine.wait(container))) for _ in range(3)]
    for waiter in waiters:
        waiter.start()
    reader.wait_for(b"ready")
    assert stage.engine.state(container).status == "running"
    stage.engine.signal(container, "SIGTERM")
    for waiter in waiters:
        waiter.join(180)
    assert [each.code for each in ended] == [7, 7, 7]
    assert stage.engine.wait(container).code == 7


def test_an_unknown_image(stage):
    spec = ContainerSpec(image="sm-emulate.invalid/nothing:1", labels=stage.labels)
    for call in (lambda: stage.engine.image(spec.image), lambda: stage.engine.create(spec)):
        with pytest.raises(ImageNotFoundError) as caught:
            call()
        assert caught.value.value == spec.image
        assert "No such image" in caught.value.evidence[0]


def test_an_image_that_cannot_be_pulled(stage):
    with pytest.raises(ImageNotFoundError) as caught:
        stage.engine.pull("127.0.0.1:9/nothing:1")
    assert caught.value.value == "127.0.0.1:9/nothing:1"
    assert caught.value.evidence[0]


def test_an_image_name_that_is_none(stage):
    with pytest.raises(ImageNotFoundError):
        stage.engine.image("No Such:Name")


def test_a_program_that_is_not_there(stage):
    if stage.docker:
        spec = replace(stage.spec("", None), entrypoint=("train",), command=())
    else:
        stage.engine.add_image("strict:1", wait_term, executables=frozenset({"serve"}))
        spec = ContainerSpec(image="strict:1", command=("train",), labels=stage.labels)
    container = stage.engine.create(spec)
    reader = stage.read(container)
    with pytest.raises(StartError) as caught:
        stage.engine.start(container)
    assert 'exec: "train": executable file not found in $PATH' in caught.value.what
    reader.join(180)
    assert not reader.is_alive(), "a container that never ran must not keep its reader waiting"
    assert stage.engine.state(container).exit is None
    stage.engine.remove(container)


def test_a_gpu_that_is_not_there(stage):
    if "nvidia" in stage.engine.info().runtimes:
        pytest.skip("this machine has the NVIDIA runtime, so the request would be met")
    with pytest.raises(GpuNotFoundError) as caught:
        stage.started("true", lambda box: 0, gpus=GpuRequest())
    assert caught.value.evidence


def test_a_mount_whose_source_is_missing(stage, tmp_path):
    missing = Mount(source=str(tmp_path / "missing"), target="/data")
    with pytest.raises(EngineError) as caught:
        stage.create("true", lambda box: 0, mounts=(missing,))
    assert str(tmp_path / "missing") in caught.value.evidence[0]
    assert not (tmp_path / "missing").exists()


def test_mounts_show_our_files_and_take_theirs(stage, tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a: b,c.txt").write_text("hello")
    (tmp_path / "out").mkdir()

    def program(box):
        box.print(box.path("/opt/in/a: b,c.txt").read_text())
        box.path("/opt/out/made", write=True).write_text("theirs\n")
        try:
            box.path("/opt/in/made", write=True)
        except OSError as error:
            box.print(error.strerror, error=True)

    ran = stage.play(
        "cat '/opt/in/a: b,c.txt'; echo; echo theirs > /opt/out/made; echo x > /opt/in/made; true",
        program,
        network="none",
        mounts=(
            Mount(source=str(tmp_path / "in"), target="/opt/in", read_only=True),
            Mount(source=str(tmp_path / "out"), target="/opt/out"),
        ),
    )
    assert ran.out == b"hello\n"
    assert b"Read-only file system" in ran.err
    assert (tmp_path / "out" / "made").read_text() == "theirs\n"
    assert [path.name for path in (tmp_path / "in").iterdir()] == ["a: b,c.txt"]


def test_environment_and_hostname(stage):
    ran = stage.play(
        'hostname; echo "$GREETING"',
        lambda box: box.print(box.hostname) or box.print(box.environment["GREETING"]),
        network="none",
        hostname="ip-10-0-1-2.ec2.internal",
        environment={"GREETING": "a=b 'c'\nd"},
    )
    assert ran.out == b"ip-10-0-1-2.ec2.internal\na=b 'c'\nd\n"


def test_hosts_of_one_network_find_each_other(stage):
    name = f"sm-emulate-{stage.session[:8]}"
    network = stage.engine.create_network(name, internal=True, labels=stage.labels)
    first, reader = stage.started(WAIT_TERM, wait_term, network=name, aliases=("algo-1",))
    reader.wait_for(b"ready")
    address = stage.engine.state(first).address
    assert address
    found = stage.play(
        "nslookup algo-1 2>&1 || getent hosts algo-1; cat /etc/hosts",
        lambda box: box.print(box.resolve("algo-1"), box.resolve("elsewhere")),
        network=name,
        aliases=("algo-2",),
        extra_hosts=("elsewhere:192.0.2.7",),
    )
    assert address.encode() in found.out
    assert b"192.0.2.7" in found.out
    with pytest.raises(EngineError):
        stage.engine.remove_network(network)
    stage.engine.remove(first)
    stage.engine.remove_network(network)
    stage.engine.remove_network(network)  # it is gone: no error


def test_a_container_joins_one_more_network_under_another_name(stage):
    names = [f"sm-emulate-{stage.session[:8]}-{each}" for each in "ab"]
    first, second = (stage.engine.create_network(name, internal=False, labels=stage.labels) for name in names)

    def program(box):
        box.print("ready")
        box.next_signal()
        box.print(box.resolve("algo-2"))

    container, reader = stage.started(
        "trap 'nslookup algo-2 2>&1 || getent hosts algo-2; exit' TERM; echo ready; while :; do sleep 0.05; done",
        program,
        network=names[0],
        aliases=("algo-1",),
    )
    reader.wait_for(b"ready")
    stage.engine.connect_network(second, container, aliases=("algo-2",))
    with pytest.raises(EngineError):
        stage.engine.remove_network(second)
    stage.engine.signal(container, "SIGTERM")
    stage.engine.wait(container)
    reader.join(180)
    assert b"Address" in reader.text().partition(b"algo-2")[2] or reader.text().count(b".") >= 3
    stage.engine.remove(container)
    stage.engine.remove_network(first)
    stage.engine.remove_network(second)
    with pytest.raises(NotFoundError):
        stage.engine.connect_network(second, container)


def test_a_container_lives_in_the_network_of_another(stage):
    first, reader = stage.started(WAIT_TERM, wait_term, publish=(8080,), extra_hosts=("front:127.0.0.1",))
    reader.wait_for(b"ready")
    lent = f"container:{first}"
    second, serving = stage.started(SERVE_ONCE, serve_once, network=lent)
    serving.wait_for(b"ready")
    assert stage.engine.state(second).ports == {}
    assert ask("127.0.0.1", stage.engine.state(first).ports[8080]) == b"pong\n"
    stage.engine.remove(second)
    assert stage.engine.state(first).status == "running"
    stage.engine.remove(first)
    with pytest.raises(MachineError):
        stage.started("true", lambda box: 0, network=lent)


def test_a_network_that_is_not_there(stage):
    with pytest.raises(MachineError) as caught:
        stage.started("true", lambda box: 0, network="sm-emulate-no-such-network")
    assert "sm-emulate-no-such-network" in caught.value.evidence[0]


def serve_once(box):
    with box.listen(8080) as listener:
        box.print("ready")
        while True:
            connection, _ = listener.accept()
            connection.sendall(b"pong\n")
            connection.close()


SERVE_ONCE = """echo ready
command -v nc >/dev/null && while :; do echo pong | nc -l -p 8080; done
exec python3 -c '
import socket
listener = socket.create_server(("0.0.0.0", 8080))
while True:
    connection, _ = listener.accept()
    connection.sendall(b"pong\\n")
    connection.close()
'"""


def test_the_processes_of_a_container_and_its_memory_are_seen(stage):
    container, reader = stage.started(WAIT_TERM, wait_term, network="none")
    reader.wait_for(b"ready")
    first = stage.engine.processes(container)[0]
    assert (first.zombie, first.parent != first.pid) == (False, True)
    assert stage.engine.memory(container) > 0
    stage.engine.signal(container, "SIGTERM")
    stage.engine.wait(container)
    assert stage.engine.processes(container) is None
    stage.engine.remove(container)


@pytest.mark.engine
@pytest.mark.parametrize("from_inside", [False, True])
def test_a_killed_child_that_nobody_waits_for_is_seen(docker_stage, monkeypatch, from_inside):
    if from_inside:  # as on an engine in a virtual machine, whose processes are not this machine's
        monkeypatch.setattr("sm_emulate.engine.processes._belongs", lambda *_: False)
    shell = "sleep 600 & exec sleep 601"
    container, _ = docker_stage.started(shell, None, network="none")
    for _ in range(6000):
        seen = docker_stage.engine.processes(container)
        if seen and len(seen) == 2 and {process.name for process in seen} == {"sleep"}:
            break
        time.sleep(0.02)
    first, child = seen
    assert (child.parent, child.zombie) == (first.pid, False)
    assert docker_stage.engine.kill_process(container, child.pid)
    for _ in range(6000):
        seen = docker_stage.engine.processes(container)
        if seen[-1].zombie:
            break
        time.sleep(0.02)
    assert [process.zombie for process in seen] == [False, True]
    docker_stage.engine.remove(container)


def test_published_ports_are_on_loopback_only_and_listeners_are_seen(stage):
    container, reader = stage.started(SERVE_ONCE, serve_once, publish=(8080,))
    reader.wait_for(b"ready")
    state = stage.engine.state(container)
    assert set(state.ports) == {8080}
    for _ in range(6000):
        listeners = stage.engine.listeners(container)
        if listeners:
            break
        time.sleep(0.02)
    assert {listener.port for listener in listeners} == {8080}
    assert {listener.address for listener in listeners} <= {"0.0.0.0", "::"}
    assert ask("127.0.0.1", state.ports[8080]) == b"pong\n"
    stage.engine.remove(container)
    with pytest.raises(OSError):
        socket.create_connection(("127.0.0.1", state.ports[8080]), 1).close()


def ask(host, port):
    """Connect until somebody answers: a proxy accepts before the program does."""
    for _ in range(6000):
        try:
            with socket.create_connection((host, port), 180) as connection:
                if answer := connection.recv(100):
                    return answer
        except OSError:
            pass
        time.sleep(0.05)
    raise AssertionError(f"nobody answers on {host}:{port}")


def test_state_follows_the_container(stage):
    container = stage.create("exit 4", lambda box: 4, network="none")
    state = stage.engine.state(container)
    assert (state.status, state.exit, state.pid, state.started_at) == ("created", None, 0, None)
    stage.engine.start(container)
    stage.engine.wait(container)
    state = stage.engine.state(container)
    assert (state.status, state.exit.code, state.pid) == ("exited", 4, 0)
    assert state.started_at is not None
    assert state.started_at.tzinfo is not None
    stage.engine.remove(container)
    stage.engine.remove(container)  # it is gone: no error
    for call in (
        stage.engine.state,
        stage.engine.logs,
        stage.engine.start,
        stage.engine.wait,
        stage.engine.listeners,
    ):
        with pytest.raises(NotFoundError):
            call(container)


def test_a_running_container_is_removed(stage):
    container, reader = stage.started(
        "echo ready; sleep 600", lambda box: box.print("ready") or box.sleep(600)
    )
    reader.wait_for(b"ready")
    stage.engine.remove(container)
    reader.join(180)
    assert not reader.is_alive()
    with pytest.raises(NotFoundError):
        stage.engine.state(container)


def test_a_closed_log_stream_ends_for_the_thread_that_reads_it(stage):
    _, reader = stage.started("echo ready; sleep 600", lambda box: box.print("ready") or box.sleep(600))
    reader.wait_for(b"ready")
    reader.stream.close()
    reader.join(180)
    assert not reader.is_alive()


def test_names_are_given_once(stage):
    name = f"sm-emulate-{stage.session[:8]}"
    stage.create("true", lambda box: 0, name=name)
    with pytest.raises(EngineError) as caught:
        stage.create("true", lambda box: 0, name=name)
    assert "already in use" in caught.value.evidence[0]


def test_leftovers_are_found_by_label(stage):
    mine = {**stage.labels, LABEL_RUN: "job-1"}
    idle = stage.create("true", lambda box: 0, labels=mine, name=f"sm-emulate-{stage.session[:8]}")
    busy, _ = stage.started(WAIT_TERM, wait_term, labels=mine)
    other = stage.create("true", lambda box: 0, labels={LABEL_RUN: "job-2"})
    network = stage.engine.create_network(f"sm-emulate-{stage.session[:8]}-net", internal=False, labels=mine)
    found = {leftover.id: leftover for leftover in stage.engine.leftovers(mine)}
    assert set(found) == {idle, busy, network}
    assert (found[idle].kind, found[idle].running) == ("container", False)
    assert found[idle].name == f"sm-emulate-{stage.session[:8]}"
    assert found[busy].running
    assert (found[network].kind, found[network].name) == ("network", f"sm-emulate-{stage.session[:8]}-net")
    assert found[idle].labels[LABEL_RUN] == "job-1"
    any_run = {each.id for each in stage.engine.leftovers({**stage.labels, LABEL_RUN: ""})}
    assert {idle, busy, other, network} <= any_run


def test_folders_of_this_machine_are_seen_by_the_engine(stage, tmp_path):
    assert stage.engine.shares(str(tmp_path)) is True
    assert stage.engine.shares(str(tmp_path / "not-there")) is False


def test_the_image_says_what_it_is(stage):
    image = stage.engine.image(stage.spec("", lambda box: 0).image)
    assert image.id.startswith("sha256:")
    assert image.os == "linux"
    assert "PATH" in image.environment


def test_the_engine_says_what_it_is(stage):
    info = stage.engine.info()
    assert info.name.endswith("Engine")
    assert info.cpus > 0
    assert info.memory_bytes > 0
    assert abs(info.server_time.timestamp() - time.time()) < 3600


HANDLES = "trap 'exit 0' TERM; exec 3<>/dev/null; echo ready; while :; do sleep 0.05; done"


def handles(box):
    box.handled.add("SIGTERM")
    box.opened.add("/dev/null")
    box.print("ready")
    box.next_signal()


def test_signal_handlers_and_open_devices_are_seen(stage):
    container, reader = stage.started(HANDLES, handles, network="none")
    reader.wait_for(b"ready")
    assert stage.engine.catches(container, "SIGTERM") in (True, None)
    assert stage.engine.catches(container, "SIGUSR1") in (False, None)
    devices = stage.engine.devices(container)
    assert devices is None or "/dev/null" in devices
    stage.engine.signal(container, "SIGTERM")
    stage.engine.wait(container)
    assert stage.engine.catches(container, "SIGTERM") is None
    assert stage.engine.devices(container) is None


def test_what_a_container_wrote_is_counted(stage, tmp_path):
    (tmp_path / "out").mkdir()

    def program(box):
        for name, size in (("/home/a", 3000), ("/tmp/b", 500), ("/out/c", 9000)):
            box.path(name).parent.mkdir(parents=True, exist_ok=True)
            box.path(name).write_bytes(bytes(size))

    shell = (
        "mkdir -p /home /tmp; printf %03000d 0 > /home/a; printf %0500d 0 > /tmp/b; printf %09000d 0 > /out/c"
    )
    container, _ = stage.started(
        shell, program, network="none", mounts=(Mount(source=str(tmp_path / "out"), target="/out"),)
    )
    assert stage.engine.wait(container).code == 0
    assert stage.engine.written_bytes(container) in (3500, None)
    stage.engine.remove(container)


FILES = {
    "/opt/program/train": MemoryFile(b"#!/bin/sh\n", 0o755),
    "/opt/link": MemoryFile(target="program/train"),
    "/opt/way": MemoryFile(target="/opt/program"),
    "/opt/nowhere": MemoryFile(target="/gone"),
}
MAKE_FILES = """FROM {base}
RUN mkdir -p /opt/program /opt/gone /opt/closed && echo x >/opt/gone/file && echo x >/opt/closed/old \
 && printf '#!/bin/sh\\n' >/opt/program/train
RUN rm -r /opt/gone && rm -r /opt/closed && mkdir /opt/closed && echo yy >/opt/closed/new \
 && ln -s program/train /opt/link && ln -s /opt/program /opt/way && ln -s /gone /opt/nowhere
RUN chmod 755 /opt/program/train
"""


@pytest.fixture
def files_image(stage, request):
    """An image with known files: made by a builder in several layers, or of the in-memory engine."""
    if not stage.docker:
        stage.engine.add_image("suite:files", lambda box: 0, files=FILES)
        yield "suite:files"
        return
    image = f"sm-emulate/engine-suite-files:{stage.session[:8]}"
    made = MAKE_FILES.format(base=request.getfixturevalue("base_image"))
    build = ["docker", "build", "--quiet", "--tag", image, "-"]
    subprocess.run(build, input=made.encode(), check=True, capture_output=True)
    yield image
    stage.strike_containers()
    subprocess.run(["docker", "image", "rm", image], check=True, capture_output=True)


@pytest.fixture
def files_container(stage, files_image):
    """A container with known files that is never started."""
    return stage.engine.create(
        ContainerSpec(image=files_image, entrypoint=("/never",), network="none", labels=stage.labels)
    )


def test_files_are_looked_at_without_running_anything(stage, files_container):
    def stat(path):
        found = stage.engine.stat(files_container, path)
        return found and (found.kind, found.mode if found.kind == "file" else None, found.target)

    assert stat("/opt/program/train") == ("file", 0o755, "")
    assert stat("/opt/way/train") == ("file", 0o755, "")
    assert stat("/opt/link") == ("link", None, "/opt/program/train")
    assert stat("/opt/nowhere") == ("link", None, "/gone")
    assert stat("/opt/program") == ("directory", None, "")
    assert stat("/opt/none") is None
    assert stat("/opt/program/train/inside") is None
    assert stage.engine.read(files_container, "/opt/link", 5) == b"#!/bi"
    assert stage.engine.read(files_container, "/opt/way/train", 500) == b"#!/bin/sh\n"
    assert stage.engine.read(files_container, "/opt/nowhere", 5) is None
    assert stage.engine.read(files_container, "/opt/program", 5) is None


def test_files_are_listed_below_a_folder(stage, files_container):
    def paths(under):
        return {each.path: each.kind for each in stage.engine.files(files_container, under)}

    assert paths("/opt/program") == {"/opt/program": "directory", "/opt/program/train": "file"}
    assert paths("/opt/way") == paths("/opt/program")
    assert paths("/opt/program/train") == {"/opt/program/train": "file"}
    assert paths("/opt/none") == {}
    every = paths("/")
    assert every["/opt/link"] == "link"
    assert every["/opt/program/train"] == "file"
    assert "/" not in every
    first = next(iter(stage.engine.files(files_container)))
    assert first.path.startswith("/")


def test_the_disk_shows_the_same_files_as_the_archive(stage, files_container):
    if not stage.docker:
        pytest.skip("this engine has no disk")
    inspected = subprocess.run(["docker", "inspect", files_container], check=True, capture_output=True)
    try:
        folders = layers.folders(json.loads(inspected.stdout)[0])
    except layers.UnreadableError:
        pytest.skip("this user cannot read this engine's layers: the archive is all there is")
    for under in ("/", "/opt"):
        by_disk = {(e.path, e.kind, e.target) for e in layers.walk(folders, under)}
        by_archive = {
            (e.path, e.kind, e.target) for e in stage.engine._files_by_stream(files_container, under)
        }
        added_by_docker = {"/.dockerenv", "/etc/mtab", "/dev/console"}
        assert {path for path, _, _ in by_disk ^ by_archive} <= added_by_docker
        assert ("/opt/closed/new", "file", "") in by_disk
        assert not {path for path, _, _ in by_disk} & {"/opt/closed/old", "/opt/gone", "/opt/gone/file"}


def test_the_history_is_told(stage):
    reference = stage.spec("", lambda box: 0).image
    if not stage.docker:
        stage.engine.add_image(
            reference, lambda box: 0, history=(HistoryStep(created_by="COPY x", size_bytes=3),)
        )
    history = stage.engine.history(reference)
    assert history
    assert all(isinstance(step.created_by, str) for step in history)
    with pytest.raises(ImageNotFoundError):
        stage.engine.history("sm-emulate.invalid/nothing:1")


def test_what_a_push_would_send_is_known_to_some_stores_only(stage):
    found = stage.engine.stored_manifest(stage.spec("", lambda box: 0).image)
    assert found is None or found.media_type


def entry(kind, media_type, platform):
    descriptor = {"mediaType": media_type, "digest": "sha256:0", "size": 1}
    return {"Kind": kind, "Descriptor": descriptor, "ImageData": {"Platform": platform}}


def test_the_list_of_containerds_store_is_read():
    manifest = "application/vnd.oci.image.manifest.v1+json"
    image = entry("image", manifest, {"os": "linux", "architecture": "amd64"})
    alone = render.stored_manifest({"Id": "sha256:1", "Manifests": [image]})
    assert (alone.media_type, alone.platforms) == (manifest, ("linux/amd64",))
    both = render.stored_manifest(
        {"Id": "sha256:1", "Manifests": [image, entry("attestation", manifest, None)]}
    )
    assert both.media_type == "application/vnd.oci.image.index.v1+json"
    assert both.platforms == ("linux/amd64", "unknown/unknown")


def test_a_registry_that_does_not_answer(stage):
    with pytest.raises(EngineError) as caught:
        stage.engine.registry_manifest("127.0.0.1:9/nothing:1", 5)
    assert caught.value.evidence


@pytest.mark.engine
def test_a_saved_image_is_loaded(docker_stage, tmp_path):
    name = f"sm-emulate/engine-suite-load:{docker_stage.session[:8]}"
    archive = tmp_path / "image.tar"
    subprocess.run(["docker", "tag", docker_stage.image, name], check=True)
    subprocess.run(["docker", "save", "--output", archive, name], check=True)
    subprocess.run(["docker", "image", "rm", name], check=True, capture_output=True)
    try:
        assert docker_stage.engine.load(str(archive)) == (name,)
        assert docker_stage.engine.image(name).id == docker_stage.engine.image(docker_stage.image).id
    finally:
        subprocess.run(["docker", "image", "rm", name], check=True, capture_output=True)


@pytest.mark.engine
@pytest.mark.parametrize("content", [b"", b"no archive", b"\0" * 10240])
def test_what_is_no_archive_is_refused(docker_stage, tmp_path, content):
    (tmp_path / "image.tar").write_bytes(content)
    with pytest.raises(EngineError) as caught:
        docker_stage.engine.load(str(tmp_path / "image.tar"))
    assert caught.value.value == str(tmp_path / "image.tar")


def test_what_we_open_inside_a_container_is_not_taken_for_its_own(docker_stage):
    engine = docker_stage.engine
    if engine.network_entry != "thread":
        pytest.skip("only root enters a container's network by itself")
    container, reader = docker_stage.started("nc -l -p 8081 & echo up; sleep 600", None)
    reader.wait_for(b"up")
    opened = engine.listen_inside(container, "169.254.170.2", (80, 8082))
    assert sorted(opened) == [80, 8082]
    for listener in opened.values():
        listener.close()
    again = engine.listen_inside(container, "169.254.170.2", (80,))
    for _ in range(6000):
        found = engine.listeners(container)
        if found:
            break
        time.sleep(0.05)
    assert {each.port for each in found} == {8081}
    again[80].close()
    engine.remove(container)
    assert reader.join(180) is None


ASKS_AT_ONCE = "echo asking; nc -w 180 169.254.170.2 80 </dev/null 2>/dev/null || echo nobody"


def test_who_asks_before_we_listen_waits_for_us(docker_stage):
    engine = docker_stage.engine
    if engine.network_entry != "thread":
        pytest.skip("only root enters a container's network by itself")
    for _ in range(10):
        container, reader = docker_stage.started(ASKS_AT_ONCE, None, link_local="169.254.170.3")
        reader.wait_for(b"asking")
        asked = wait_for_call(engine.state(container).pid)
        opened = engine.listen_inside(container, "169.254.170.2", (80,))
        if time.monotonic() - asked < 1.5:  # in three seconds the kernel says that there is no such host
            break
        opened[80].close()
        engine.remove(container)
    with opened[80] as listener:
        listener.settimeout(180)
        calling, _ = listener.accept()
        with calling:
            calling.sendall(b"ours\n")
    assert engine.wait(container).code == 0
    engine.remove(container)
    reader.join(180)
    assert reader.text() == b"asking\nours\n"


def wait_for_call(pid):
    """Wait until a connection of that network waits to be accepted; tell when it was seen."""
    until = time.monotonic() + 180
    while time.monotonic() < until:
        rows = Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]
        if any(row.split()[3] == "02" for row in rows):  # SYN_SENT
            return time.monotonic()
        time.sleep(0.005)
    raise AssertionError("nobody called")


def test_a_container_does_not_answer_for_what_another_has_of_its_own(docker_stage):
    engine = docker_stage.engine
    if engine.network_entry != "thread":
        pytest.skip("only root enters a container's network by itself")
    first, _ = docker_stage.started("sleep 600", None, link_local="169.254.170.3")
    opened = engine.listen_inside(first, "169.254.170.2", (80,))
    container, reader = docker_stage.started(ASKS_AT_ONCE, None, link_local="169.254.170.3")
    assert engine.wait(container).code == 0
    opened[80].close()
    for each in (first, container):
        engine.remove(each)
    reader.join(180)
    assert reader.text() == b"asking\nnobody\n"


def test_a_confined_container_answers_and_does_not_call(docker_stage):
    engine = docker_stage.engine
    if engine.network_entry != "thread" or shutil.which("iptables") is None:
        pytest.skip("only root confines a container, with iptables")
    calls = "while ! [ -e /tmp/go ]; do sleep 0.05; done; nc -w 2 $(cat /tmp/go) </dev/null && echo out; echo tried"
    container, reader = docker_stage.started(f"mkdir -p /tmp; {calls}; echo hello | nc -l -p 8081", None)
    address = engine.state(container).address
    assert engine.confine(container) is True
    with socket.create_server(("", 0)) as ours:
        gateway = address.rpartition(".")[0] + ".1"
        where = f"{gateway} {ours.getsockname()[1]}"
        subprocess.run(["docker", "exec", "-i", container, "sh", "-c", f"echo {where} > /tmp/go"], check=True)
        reader.wait_for(b"tried")
    assert b"out" not in reader.text()
    for _ in range(6000):
        try:
            with socket.create_connection((address, 8081), timeout=180) as asking:
                assert asking.recv(100) == b"hello\n"
                break
        except ConnectionRefusedError:
            time.sleep(0.05)
    else:
        raise AssertionError("it never answered")
    engine.remove(container)
