#!/usr/bin/env python3
"""Start sshd on every host and mpirun on the first one, as AWS's training toolkit does it."""

import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import time

ML = pathlib.Path("/opt/ml")
SSH = pathlib.Path("/root/.ssh")
PORT = 7777
WAIT_SECONDS = 900
PROGRAM = pathlib.Path(__file__).with_name("softmax.py")


def main():
    resources = json.loads((ML / "input/config/resourceconfig.json").read_text())
    hosts, me = resources["hosts"], resources["current_host"]
    if me == hosts[0]:
        return lead(hosts, resources["network_interface_name"])
    return follow(hosts[0])


def lead(hosts, interface):
    """Wait for the other hosts, run the program on all of them, and tell them how it ended."""
    others = welcome(len(hosts) - 1)
    if not others:
        interface = "lo"  # an isolated host has no other
    command = [
        "mpirun", "--allow-run-as-root", "--host", ",".join(f"{host}:1" for host in hosts),
        # A host has more than one interface and its own name resolves nowhere.
        "--mca", "btl_tcp_if_include", interface, "--mca", "oob_tcp_if_include", interface,
        # Host keys are made when a host starts: nobody can know them.
        "--mca", "plm_rsh_args",
        "-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR",
        # Every host logs in to every other one, else; only the first one has the key.
        "--mca", "plm_rsh_no_tree_spawn", "1",
        # Containers may not read each other's memory.
        "--mca", "btl_vader_single_copy_mechanism", "none",
        "-x", "PYTHONUNBUFFERED", "-x", "PATH",
        sys.executable, str(PROGRAM),
    ]  # fmt: skip
    running = subprocess.Popen(command)
    # mpirun would kill its ranks on SIGTERM; it hands on SIGUSR1, on which they save what they have.
    signal.signal(signal.SIGTERM, lambda *_: running.send_signal(signal.SIGUSR1))
    code = running.wait()
    for other in others:
        other.sendall(f"{code}\n".encode())
    return code


def welcome(expected):
    """Give a connection to each of the other hosts, once all have taken our key and run their sshd."""
    if not expected:
        return []
    SSH.mkdir(mode=0o700, exist_ok=True)
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", SSH / "id_ed25519"], check=True)
    key = (SSH / "id_ed25519.pub").read_bytes()
    others = []
    with socket.create_server(("", PORT)) as server:
        server.settimeout(WAIT_SECONDS)
        while len(others) < expected:
            other, _ = server.accept()
            other.sendall(key)
            others.append(other)
    for other in others:
        ready = other.makefile().readline()
        if not ready:
            raise ConnectionError("a host went away before it was ready")
        print(f"{ready.strip()} is ready")
    return others


def follow(first):
    """Let the first host in, and wait until it says how the program ended."""
    # While it waits for the first host's word, SIGTERM is the first host's affair: it has got one, too.
    signal.signal(signal.SIGTERM, lambda *_: None)
    leader = reach(first)
    told = leader.makefile()
    SSH.mkdir(mode=0o700, exist_ok=True)
    (SSH / "authorized_keys").write_text(told.readline())
    subprocess.run(["ssh-keygen", "-A"], check=True, stdout=subprocess.DEVNULL)
    os.makedirs("/run/sshd", exist_ok=True)
    subprocess.run(["/usr/sbin/sshd"], check=True)
    leader.sendall(f"{socket.gethostname()}\n".encode())
    answer = told.readline()
    if not answer:
        raise ConnectionError(f"{first} went away")
    return int(answer)


def reach(host):
    """Connect, as often as it takes: on the platform names resolve after a while, and hosts start one by one."""
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        try:
            return socket.create_connection((host, PORT))
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)


if __name__ == "__main__":
    try:
        code = main()
    except Exception as error:
        (ML / "output/failure").write_text(f"{type(error).__name__}: {error}")
        raise
    sys.exit(code)
