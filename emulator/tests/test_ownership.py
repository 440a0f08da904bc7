"""Files that containers made as root end up with the caller."""

import os
import stat
import tempfile
from contextlib import contextmanager
from pathlib import Path

import pytest

from sm_emulate.engine.memory import MemoryEngine
from sm_emulate.engine.ownership import hand_back
from sm_emulate.engine.protocol import ContainerSpec, Mount

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can make files of another user")

NOBODY = 65534


@contextmanager
def as_nobody():
    """Be an ordinary user who may talk to the engine, as a member of the group docker is."""
    socket = Path("/var/run/docker.sock")
    groups = os.getgroups()
    os.setgroups([socket.stat().st_gid] if socket.exists() else [])
    os.setegid(NOBODY)
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)
        os.setgroups(groups)


@pytest.fixture
def folder():
    with tempfile.TemporaryDirectory() as made:
        path = Path(made)
        path.chmod(0o755)
        yield path


def owners(folder):
    return {path.lstat().st_uid for path in [folder, *folder.rglob("*")]}


def plant(folder, outside):
    (folder / "model").mkdir()
    (folder / "model" / "weights.bin").write_bytes(b"\0" * 10)
    (folder / "model" / "secret").mkdir(mode=0o700)
    (folder / "model" / "secret" / "deep").write_text("x")
    (folder / "link").symlink_to(outside)
    (folder / "broken").symlink_to("/nowhere")
    os.mkfifo(folder / "pipe")


@needs_root
def test_root_hands_files_to_the_caller_and_leaves_alone_what_links_point_to(folder, tmp_path):
    outside = tmp_path / "outside"
    outside.write_text("not in the folder")
    plant(folder, outside)
    assert hand_back(MemoryEngine(), "any:1", folder, uid=NOBODY, gid=NOBODY) == 8
    assert owners(folder) == {NOBODY}
    assert outside.stat().st_uid == 0
    assert hand_back(MemoryEngine(), "any:1", folder, uid=NOBODY, gid=NOBODY) == 0


def test_nothing_runs_when_everything_is_ours_already(folder):
    (folder / "mine").write_text("x")
    # this image is on no engine: to run anything would raise
    assert hand_back(MemoryEngine(), "none:1", folder, uid=os.getuid(), gid=os.getgid()) == 0


@needs_root
@pytest.mark.engine
def test_an_ordinary_user_gets_the_files_of_a_container_that_ran_as_root(docker_stage, folder):
    os.chown(folder, NOBODY, NOBODY)
    engine = docker_stage.engine
    with as_nobody():
        mine = folder / "mine"
        mine.write_text("x")
        container = engine.create(
            ContainerSpec(
                image=docker_stage.image,
                command=("sh", "-c", "cd /f; mkdir d; echo x > d/file; chmod 700 d; chmod 600 d/file"),
                mounts=(Mount(source=str(folder), target="/f"),),
                labels=docker_stage.labels,
                network="none",
            )
        )
        engine.start(container)
        assert engine.wait(container).code == 0
        with pytest.raises(PermissionError):
            list((folder / "d").iterdir())
        handed = hand_back(
            engine, docker_stage.image, folder, uid=NOBODY, gid=NOBODY, labels=docker_stage.labels
        )
        assert handed == 1  # the folder; what lies in it could not even be seen
        assert (folder / "d" / "file").read_text() == "x\n"
        assert stat.S_IMODE((folder / "d").stat().st_mode) == 0o700
        assert owners(folder) == {NOBODY}
        (folder / "d" / "file").unlink()
        (folder / "d").rmdir()


@needs_root
@pytest.mark.engine
def test_files_are_handed_back_from_an_image_with_nothing_in_it(docker_stage, folder):
    import subprocess

    image = f"sm-emulate/engine-suite-empty:{docker_stage.session[:8]}"
    subprocess.run(["docker", "import", "-", image], input=b"\0" * 10240, check=True, capture_output=True)
    try:
        os.chown(folder, NOBODY, NOBODY)
        (folder / "of-root").write_text("x")
        with as_nobody():
            handed = hand_back(
                docker_stage.engine, image, folder, uid=NOBODY, gid=NOBODY, labels=docker_stage.labels
            )
        assert handed == 1
        assert owners(folder) == {NOBODY}
    finally:
        subprocess.run(["docker", "rmi", image], check=True, capture_output=True)
