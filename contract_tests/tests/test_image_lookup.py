"""How an image's files, archives and names are read, on an engine without containers."""

from __future__ import annotations

import json

import pytest

from sm_contracts import archives, check, image, references, secrets
from sm_contracts.evidence import Missing
from sm_contracts.roles import Role
from sm_contracts.rule import Status
from sm_emulate.engine.files import MemoryFile
from sm_emulate.engine.memory import MemoryEngine
from sm_emulate.engine.protocol import HistoryStep, Image, RegistryManifest
from sm_emulate.errors import EngineError, ImageNotFoundError, RequestError

SCRIPT = MemoryFile(b"#!/bin/sh\n", 0o755)
SHELL = {"/bin/sh": MemoryFile(b"\x7fELF\0", 0o755)}


@pytest.fixture
def engine():
    made = MemoryEngine()
    yield made
    assert made.leftovers({}) == []
    made.close()


def add(engine, files, reference="mine:1", **more):
    extra = {key: more.pop(key) for key in ("history", "manifest", "stored") if key in more}
    made = Image(
        **{
            "id": "sha256:" + "1" * 64, "os": "linux", "architecture": "amd64", "entrypoint": (), "command": (),
            "environment": {}, "user": "", "working_dir": "", "labels": {}, "size_bytes": 1, **more,
        }
    )  # fmt: skip
    engine.add_image(reference, lambda box: 0, image=made, files=files, **extra)
    engine.add_image(made.id, lambda box: 0, image=made, files=files, **extra)
    return made


def failed(engine, reference="mine:1", roles=("train",), **more):
    verdict = check(reference, roles=roles, select=["SM1"], engine=engine, **more)
    assert not [each for each in verdict.rules if "crashed" in each.evidence]
    return {each.id for each in verdict.rules if each.status is Status.FAIL}


LOOKUPS = {
    "on PATH": (dict(SHELL, **{"/usr/bin/train": SCRIPT}), {}, set()),
    "nowhere": (SHELL, {}, {"SM104"}),
    "in a folder that is not on PATH": (dict(SHELL, **{"/opt/program/train": SCRIPT}), {}, {"SM104"}),
    "in a folder of the image's own PATH": (
        dict(SHELL, **{"/opt/program/train": SCRIPT}),
        {"environment": {"PATH": "/usr/bin:/opt/program"}},
        set(),
    ),
    "through links, relative and absolute": (
        dict(
            SHELL,
            **{
                "/usr/bin/train": MemoryFile(target="../../etc/alternatives/train"),
                "/etc/alternatives/train": MemoryFile(target="/opt/program/run"),
                "/opt/program/run": SCRIPT,
            },
        ),
        {},
        set(),
    ),
    "a link to nothing": (dict(SHELL, **{"/usr/bin/train": MemoryFile(target="/gone")}), {}, {"SM104"}),
    "a folder of that name": (dict(SHELL, **{"/usr/bin/train/x": SCRIPT}), {}, {"SM104"}),
    "not executable": (dict(SHELL, **{"/usr/bin/train": MemoryFile(b"#!/bin/sh\n", 0o644)}), {}, {"SM105"}),
    "not executable, and later on PATH executable": (
        dict(SHELL, **{"/usr/local/bin/train": MemoryFile(b"#!/bin/sh\n"), "/usr/bin/train": SCRIPT}),
        {},
        set(),
    ),
    "an interpreter that is not there": ({"/usr/bin/train": SCRIPT}, {}, {"SM106"}),
    "an interpreter through a link of a folder": (
        {
            "/bin": MemoryFile(target="usr/bin"),
            "/usr/bin/sh": MemoryFile(b"\x7fELF\0", 0o755),
            "/usr/bin/train": SCRIPT,
        },
        {},
        set(),
    ),
    "env without its program": (
        {
            "/usr/bin/env": MemoryFile(b"\x7fELF\0", 0o755),
            "/usr/bin/train": MemoryFile(b"#!/usr/bin/env python3\nprint()\n", 0o755),
        },
        {},
        {"SM106"},
    ),
    "env with options that the kernel gives as one word": (
        {
            "/usr/bin/env": MemoryFile(b"\x7fELF\0", 0o755),
            "/usr/bin/python3": MemoryFile(b"\x7fELF\0", 0o755),
            "/usr/bin/train": MemoryFile(b"#!/usr/bin/env python3 -u\n", 0o755),
        },
        {},
        {"SM106"},
    ),
    "env -S splits them": (
        {
            "/usr/bin/env": MemoryFile(b"\x7fELF\0", 0o755),
            "/usr/bin/python3": MemoryFile(b"\x7fELF\0", 0o755),
            "/usr/bin/train": MemoryFile(b"#!/usr/bin/env -S PYTHONUTF8=1 python3 -u\n", 0o755),
        },
        {},
        set(),
    ),
    "a line that ends in CR": (
        dict(SHELL, **{"/usr/bin/train": MemoryFile(b"#!/bin/sh\r\nexit\r\n", 0o755)}),
        {},
        {"SM106"},
    ),
    "text without a line": (
        dict(SHELL, **{"/usr/bin/train": MemoryFile(b"echo hello\n", 0o755)}),
        {},
        {"SM106"},
    ),
    "a relative ENTRYPOINT": (
        dict(SHELL, **{"/opt/program/run": SCRIPT}),
        {"entrypoint": ("./run",), "working_dir": "/opt/program"},
        set(),
    ),
    "an ENTRYPOINT that is not there": (SHELL, {"entrypoint": ("/opt/run",)}, {"SM104"}),
    "tini with nothing behind": (
        {"/usr/bin/tini": MemoryFile(b"\x7fELF\0", 0o755)},
        {"entrypoint": ("tini", "-g", "-p", "SIGTERM", "--")},
        {"SM108"},
    ),
    "tini with a program behind": (
        {"/usr/bin/tini": MemoryFile(b"\x7fELF\0", 0o755), **SHELL},
        {"entrypoint": ("/usr/bin/tini", "-s", "--", "sh", "run.sh")},
        set(),
    ),
}


@pytest.mark.parametrize("name", LOOKUPS)
def test_the_program_is_found_as_the_engine_finds_it(engine, name):
    files, more, expected = LOOKUPS[name]
    add(engine, files, **more)
    assert failed(engine) == expected


def test_files_of_the_image_that_are_looked_for(engine):
    key = b"-----BEGIN RSA PRIVATE KEY-----\n"
    add(
        engine,
        {
            **SHELL,
            "/usr/bin/train": SCRIPT,
            "/etc/passwd": MemoryFile(b"root:x:0:0::/root:/bin/sh\napp:x:1000:1000::/:/bin/sh\n"),
            "/opt/ml/output/notes.txt": MemoryFile(b"x"),
            "/usr/lib64/libnvidia-ml.so.535.54.03": MemoryFile(b"x"),
            "/home/app/.ssh/id_ed25519": MemoryFile(key),
            "/srv/tls/server.key": MemoryFile(key),
        },
        user="app",
    )
    verdict = check("mine:1", roles=["train"], select=["SM1"], engine=engine)
    found = {each.id: each for each in verdict.rules if each.status is Status.FAIL}
    assert set(found) == {"SM109", "SM111", "SM113", "SM114"}
    assert "/opt/ml/output/notes.txt" in found["SM109"].message
    assert "/usr/lib64/libnvidia-ml.so.535.54.03" in found["SM111"].message
    assert "/srv/tls/server.key" in found["SM113"].message
    assert "uid 1000" in found["SM114"].message


def test_files_that_only_look_like_it(engine):
    add(
        engine,
        {
            **SHELL,
            "/usr/bin/train": SCRIPT,
            "/opt/ml/model": MemoryFile(target="/opt/models"),
            "/opt/models/.keep/x": MemoryFile(target="y"),
            "/usr/local/cuda/lib64/stubs/libcuda.so.1": MemoryFile(b"x"),
            "/usr/local/cuda-12.4/compat/libcuda.so.550.54": MemoryFile(b"x"),
            "/usr/lib/libcuda.so.1": MemoryFile(target="elsewhere"),
            "/etc/ssl/certs/ca.pem": MemoryFile(b"-----BEGIN CERTIFICATE-----\n"),
            "/etc/ssh/ssh_host_rsa_key.key": MemoryFile(b"-----BEGIN RSA PRIVATE KEY-----\n"),
            "/usr/lib/python3/dist-packages/x/test/server.pem": MemoryFile(b"-----BEGIN PRIVATE KEY-----\n"),
            "/root/.aws/credentials": MemoryFile(b"# aws_secret_access_key goes here\n"),
            "/root/.docker/config.json": MemoryFile(b'{"auths": {"x": {}}}'),
        },
        user="root",
    )
    assert failed(engine, roles=["serve", "train"]) <= {"SM104", "SM109"}
    assert "SM111" not in failed(engine)
    assert "SM113" not in failed(engine)


@pytest.mark.parametrize(
    ("files", "environment", "expected"),
    [
        ({}, {}, {"SM118"}),
        ({"/opt/mms/config.properties": MemoryFile(b"vmargs=-XX:-UseContainerSupport\n")}, {}, set()),
        ({}, {"JAVA_TOOL_OPTIONS": "-XX:-UseContainerSupport"}, set()),
        ({}, {"JAVA_TOOL_OPTIONS": "-XX:+UseContainerSupport"}, {"SM118"}),
    ],
)
def test_java_and_its_options(engine, files, environment, expected):
    java = {"/usr/lib/jvm/17/bin/java": MemoryFile(b"\x7fELF\0", 0o755), "/usr/bin/serve": SCRIPT}
    add(engine, {**SHELL, **java, **files}, environment=environment)
    assert failed(engine, roles=["serve"]) == expected


def test_selecting_a_rule_about_the_configuration_opens_no_container(engine):
    add(engine, {}, architecture="arm64")
    engine.fail_next("create", EngineError("nothing may be created"))
    verdict = check("mine:1", roles=["train"], select=["SM103", "SM110", "SM116"], engine=engine)
    assert [(each.id, each.status) for each in verdict.rules] == [
        ("SM103", Status.FAIL), ("SM110", Status.PASS), ("SM116", Status.PASS),
    ]  # fmt: skip
    with pytest.raises(EngineError):
        engine.create(None)


def test_history_goes_into_the_verdict(engine):
    steps = (HistoryStep(created_by="|1 PASSWORD=hunter2 /bin/sh -c true", size_bytes=0),)
    add(engine, {**SHELL, "/usr/bin/train": SCRIPT}, history=steps)
    assert failed(engine) == {"SM113"}


@pytest.mark.parametrize(
    ("kind", "platforms", "expected"),
    [
        ("application/vnd.oci.image.index.v1+json", ("linux/amd64", "unknown/unknown"), {"SM101", "SM102"}),
        ("application/vnd.oci.image.manifest.v1+json", ("linux/amd64",), {"SM101"}),
        ("application/vnd.docker.distribution.manifest.v2+json", ("linux/amd64",), set()),
    ],
)
def test_the_registry_is_asked_about_an_image_that_came_from_it(engine, kind, platforms, expected):
    name = "registry.example.com/team/mine"
    manifest = RegistryManifest(media_type=kind, digest="sha256:0", platforms=platforms)
    files = {**SHELL, "/usr/bin/train": SCRIPT}
    add(engine, files, f"{name}:1", manifest=manifest, digests=(f"{name}@sha256:" + "0" * 64,))
    assert failed(engine, f"{name}:1") == expected


def test_a_registry_that_does_not_tell_makes_the_rule_inconclusive(engine):
    name = "registry.example.com/team/mine"
    add(engine, {}, f"{name}:1", digests=(f"{name}@sha256:" + "0" * 64,))
    verdict = check(f"{name}:1", roles=["train"], select=["SM101"], engine=engine)
    assert verdict.rules[0].status is Status.INCONCLUSIVE
    assert "registry" in verdict.rules[0].message


def test_a_store_that_keeps_what_is_pushed_is_known_before_the_push(engine):
    index = RegistryManifest(
        media_type="application/vnd.oci.image.index.v1+json",
        digest="",
        platforms=("linux/amd64", "unknown/unknown"),
    )
    add(engine, {**SHELL, "/usr/bin/train": SCRIPT}, stored=index)
    assert failed(engine) == {"SM101", "SM102"}


LABEL = "com.amazonaws.sagemaker.capabilities."
ROLES = [
    ({"/usr/bin/train": SCRIPT}, {}, {Role.TRAIN}, "/usr/bin/train"),
    ({"/usr/bin/serve": SCRIPT}, {}, {Role.SERVE}, "/usr/bin/serve"),
    ({"/usr/bin/serve": SCRIPT, "/bin/train": SCRIPT}, {}, {Role.SERVE, Role.TRAIN}, "program"),
    ({}, {"labels": {LABEL + "multi-models": "true"}}, {Role.MULTI_MODEL}, "give --role serve if"),
    (
        {"/usr/bin/serve": SCRIPT, "/usr/bin/train": SCRIPT},
        {"labels": {LABEL + "multi-models": "true", LABEL + "accept-bind-to-port": "true"}},
        {Role.MULTI_MODEL, Role.TRAIN},
        "multi-model from the label multi-models; train from",
    ),
    ({}, {"labels": {LABEL + "accept-bind-to-port": "true"}}, {Role.PIPELINE, Role.SERVE}, "label"),
    ({}, {"labels": {LABEL + "multi-models": "false"}}, {Role.TRAIN, Role.SERVE}, "not found"),
    ({}, {"entrypoint": ("python", "/opt/program/train.py")}, {Role.TRAIN}, "train.py in the ENTRYPOINT"),
    ({}, {"entrypoint": ("python", "model_server.py")}, {Role.SERVE}, "ENTRYPOINT"),
    (
        {"/code/main.py": MemoryFile(b"@app.post('/invocations')")},
        {"entrypoint": ("python", "main.py"), "working_dir": "/code"},
        {Role.SERVE},
        "/invocations in /code/main.py",
    ),
    (
        {"/code/main.py": MemoryFile(b"open('/opt/ml/input/data')")},
        {"entrypoint": ("python", "/code/main.py")},
        {Role.TRAIN},
        "/opt/ml/input in /code/main.py",
    ),
    ({}, {"entrypoint": ("uvicorn", "app:app", "--port", "8080")}, {Role.SERVE}, "uvicorn in the ENTRYPOINT"),
    ({}, {"entrypoint": ("/bin/sh", "-c", "python -m mine.serve")}, {Role.SERVE}, "mine.serve"),
    ({}, {"entrypoint": ("/app",), "exposed_ports": ("8080/tcp",)}, {Role.SERVE}, "EXPOSE 8080"),
    ({}, {"entrypoint": ("/app",)}, {Role.TRAIN, Role.SERVE}, "--role"),
]


@pytest.mark.parametrize(("files", "more", "roles", "how"), ROLES)
def test_roles_are_found(engine, files, more, roles, how):
    found, told = image.find_roles(engine, add(engine, files, **more))
    assert found == roles
    assert how in told


def test_an_image_that_is_nowhere(engine):
    with pytest.raises(ImageNotFoundError):
        image.resolve(engine, "nobody/has:this", lambda _: None)
    with pytest.raises(ImageNotFoundError):
        image.resolve(engine, "./none.tar", lambda _: None)
    with pytest.raises(RequestError) as caught:
        image.resolve(engine, "No Such Name", lambda _: None)
    assert caught.value.value == "No Such Name"


def test_an_image_is_pulled_and_said_so(engine):
    engine.add_image("registry.example.com/a:1", lambda box: 0, only_in_registry=True)
    said = []
    found = image.resolve(engine, "registry.example.com/a:1", said.append)
    assert found.reference == "registry.example.com/a:1"
    assert said == ["pulling registry.example.com/a:1"]


def blob(kind, value):
    return kind, json.dumps(value).encode()


@pytest.fixture
def saved(tmp_path, rewriting):
    """A `docker save` archive of one layer, as Docker 20 writes it."""
    return rewriting.write(
        tmp_path / "saved.tar",
        {
            "c.json": b'{"os": "linux", "architecture": "amd64"}',
            "l/layer.tar": b"",
            "manifest.json": b'[{"Config": "c.json", "RepoTags": ["a:1"], "Layers": ["l/layer.tar"]}]',
        },
    )


def test_a_saved_archive_decides_nothing(saved):
    found = archives.manifest_of(saved)
    assert isinstance(found, Missing)
    assert not found.applies


@pytest.mark.parametrize("attested", [False, True])
def test_an_oci_archive_shows_its_manifests(saved, rewriting, attested):
    found = archives.manifest_of(rewriting.as_oci(saved, "a", attested=attested))
    assert ("application/vnd.oci.image.index.v1+json" in found.media_types) is attested
    assert ("unknown/unknown" in found.platforms) is attested
    assert "application/vnd.oci.image.manifest.v1+json" in found.media_types


@pytest.mark.parametrize("attested", [False, True])
def test_an_archive_of_both_kinds_counts_where_it_shows_the_original(saved, rewriting, attested):
    files = rewriting.read(rewriting.as_oci(saved, "a", attested=attested))
    both = rewriting.write(saved.with_name("both.tar"), {**files, "manifest.json": b"[]"})
    found = archives.manifest_of(both)
    assert isinstance(found, Missing) is not attested


def test_a_broken_archive_is_no_verdict(tmp_path, rewriting):
    torn = rewriting.write(tmp_path / "torn.tar", {"index.json": b"{"})
    found = archives.manifest_of(torn)
    assert isinstance(found, Missing)
    assert found.applies


@pytest.mark.parametrize("text", ["a", "a:1", "a/b/c_d:X.y-1", "h.io:5/a", "a@sha256:" + "0" * 64, "A.io/b"])
def test_references(text):
    assert references.is_valid(text)


@pytest.mark.parametrize(
    "text", ["", "A", "a:", "a:-x", "/a", "a/", "a b", "a@sha256:0", "a" * 256, "a:" + "t" * 129]
)
def test_what_is_no_reference(text):
    assert not references.is_valid(text)


def test_masked_shows_nothing_of_a_short_secret():
    assert secrets.masked("hunter2") == "..."
    assert secrets.masked("correct-horse") == "corr..."
