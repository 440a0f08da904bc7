"""Every rule of band 1 on evidence that breaks it and evidence that does not."""

from __future__ import annotations

import pytest

from sm_contracts.evidence import Missing
from sm_contracts.evidence.image import (
    Configuration,
    DriverLibraries,
    HiddenFiles,
    History,
    ImageUser,
    Interpreter,
    JavaRuntime,
    KeyFiles,
    Launch,
    Launches,
    Manifest,
    Named,
    Program,
    Purpose,
)
from sm_contracts.judging import judge
from sm_contracts.registry import all_rules
from sm_contracts.roles import Role
from sm_contracts.rule import Severity, Status
from sm_contracts.subject import Subject

OCI, OCI_INDEX = "application/vnd.oci.image.manifest.v1+json", "application/vnd.oci.image.index.v1+json"
DOCKER = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
TRAIN, SERVE, SERVERLESS = frozenset({Role.TRAIN}), frozenset({Role.SERVE}), frozenset({Role.SERVERLESS})
FOUND = Program(word="train", path="/usr/local/bin/train", real_path="/usr/local/bin/train")
MISSING = Program(word="train", searched=("/usr/bin", "/bin"))


def launches(program=FOUND, **more):
    return Launches(each=(Launch(word="train", argv=(program.word,), program=program, **more),))


def script(line="#!/bin/sh", kind="script", **interpreter):
    made = Interpreter(**{"line": line, "path": "/bin/sh", **interpreter}) if kind == "script" else None
    return launches(
        Program(word="train", path="/bin/train", real_path="/opt/program/train", kind=kind, interpreter=made)
    )


def init(behind):
    return launches(
        Program(word="tini", path="/usr/bin/tini", real_path="/usr/bin/tini"), init="tini", behind_init=behind
    )


def entrypoint(*words):
    return Configuration(entrypoint=words)


def environment(**variables):
    return (Configuration(environment=variables), History(), KeyFiles(files={}))


def history(step):
    return (Configuration(), History(steps=(step,)), KeyFiles(files={}))


def key_files(**files):
    return (Configuration(), History(), KeyFiles(files=files))


PASS, FAIL, SKIP = Status.PASS, Status.FAIL, Status.SKIP
HIDDEN = HiddenFiles(in_folder={"/opt/ml/model": ("/opt/ml/model/weights",)})
CASES = [
    ("SM101", Manifest(where="x.tar", media_types=(OCI,)), FAIL),
    ("SM101", Manifest(where="the registry", media_types=(OCI_INDEX,)), FAIL),
    ("SM101", Manifest(where="the registry", media_types=(DOCKER,)), PASS),
    ("SM101", Manifest(where="the registry", media_types=(DOCKER_LIST,)), PASS),
    ("SM102", Manifest(where="x", media_types=(OCI_INDEX,), platforms=("linux/amd64", "unknown/unknown")), FAIL),
    ("SM102", Manifest(where="x", media_types=(OCI_INDEX,), platforms=("linux/amd64", "linux/arm64")), PASS),
    ("SM103", (Configuration(architecture="arm64"), Purpose(roles=TRAIN)), FAIL),
    ("SM103", (Configuration(os="windows"), Purpose(roles=TRAIN)), FAIL),
    ("SM103", (Configuration(), Purpose(roles=TRAIN, instance_type="ml.c7g.large")), FAIL),
    ("SM103", (Configuration(), Purpose(roles=TRAIN, instance_type="ml.r7gd.large")), FAIL),
    ("SM103", (Configuration(architecture="arm64"), Purpose(roles=SERVE, instance_type="ml.m6g.xlarge")), PASS),
    ("SM103", (Configuration(), Purpose(roles=TRAIN)), PASS),
    ("SM103", (Configuration(), Purpose(roles=TRAIN, instance_type="ml.g5.xlarge")), PASS),
    ("SM103", (Configuration(), Purpose(roles=TRAIN, instance_type="ml.g4dn.xlarge")), PASS),
    ("SM103", (Configuration(os="", architecture=""), Purpose(roles=TRAIN)), Status.INCONCLUSIVE),
    ("SM104", launches(MISSING), FAIL),
    ("SM104", launches(Program(word="/opt/main", searched=("/opt",)), from_entrypoint=True), FAIL),
    ("SM104", launches(), PASS),
    ("SM105", launches(Program(word="train", path="/bin/train", real_path="/bin/train", executable=False)), FAIL),
    ("SM105", launches(), PASS),
    ("SM105", launches(MISSING), PASS),
    ("SM106", script(ends_in_cr=True), FAIL),
    ("SM106", script("#!/bin/bash", path="/bin/bash", found=False), FAIL),
    ("SM106", script("#!", path="", found=False), FAIL),
    ("SM106", script("#!/usr/bin/env python9", behind_env="python9", behind_env_found=False), FAIL),
    ("SM106", script(kind="text"), FAIL),
    ("SM106", script(kind="empty"), FAIL),
    ("SM106", script(kind="binary"), PASS),
    ("SM106", script(), PASS),
    ("SM106", script("#!/usr/bin/env python3", behind_env="python3"), PASS),
    ("SM106", launches(MISSING), PASS),
    ("SM107", entrypoint("/bin/sh", "-c", "python main.py"), FAIL),
    ("SM107", entrypoint("/bin/bash", "-o", "pipefail", "-c", "python main.py"), FAIL),
    ("SM107", entrypoint("sh", "-ec", "exec python main.py"), FAIL),
    ("SM107", entrypoint("/bin/sh", "-c", 'exec python main.py "$@"', "--"), PASS),
    ("SM107", entrypoint("/bin/sh", "/opt/run.sh"), PASS),
    ("SM107", entrypoint("/bin/bash", "--login", "/opt/run.sh", "-c", "x"), PASS),
    ("SM107", entrypoint("python", "-c", "import x"), PASS),
    ("SM107", entrypoint(), SKIP),
    ("SM108", init(MISSING), FAIL),
    ("SM108", init(Program(word="train", path="/train", real_path="/train", executable=False)), FAIL),
    ("SM108", init(Program(word="")), FAIL),
    ("SM108", init(FOUND), PASS),
    ("SM108", launches(), SKIP),
    ("SM109", (HIDDEN, Purpose(roles=TRAIN)), FAIL),
    ("SM109", (HIDDEN, Purpose(roles=SERVE, model_given=True)), FAIL),
    ("SM109", (HIDDEN, Purpose(roles=SERVE)), PASS),
    ("SM109", (HiddenFiles(in_folder={"/opt/ml/input": ("/opt/ml/input/x",)}), Purpose(roles=TRAIN)), FAIL),
    ("SM109", (HiddenFiles(in_folder={"/opt/ml/input": ("/opt/ml/input/x",)}), Purpose(roles=SERVE)), PASS),
    ("SM109", (HiddenFiles(in_folder={}), Purpose(roles=TRAIN)), PASS),
    ("SM110", Configuration(volumes=("/opt/ml",)), FAIL),
    ("SM110", Configuration(volumes=("/data", "/opt/ml/model/")), FAIL),
    ("SM110", Configuration(volumes=("/opt/mlflow", "/data")), PASS),
    ("SM111", DriverLibraries(files={"/usr/lib/libcuda.so.535.104.05": 29_000_000}), FAIL),
    ("SM111", DriverLibraries(files={}), PASS),
    ("SM112", (Configuration(size_bytes=10_000_000_001), Purpose(roles=TRAIN)), FAIL),
    ("SM112", (Configuration(size_bytes=10_000_000_000), Purpose(roles=SERVERLESS)), PASS),
    ("SM113", environment(AWS_SECRET_ACCESS_KEY="testing"), FAIL),
    ("SM113", environment(DB_PASSWORD="hunter2"), FAIL),
    ("SM113", environment(ANYTHING="AKIAIOSFODNN7EXAMPLE"), FAIL),
    ("SM113", environment(HF_TOKEN="hf_" + "aB3" * 12), FAIL),
    ("SM113", environment(PIP_INDEX_URL="https://me:s3cret@pypi.example.com/simple"), FAIL),
    ("SM113", (Configuration(labels={"token": "ghp_" + "a1" * 20}), History(), KeyFiles(files={})), FAIL),
    ("SM113", history("|1 NPM_TOKEN=abcd1234efgh /bin/sh -c npm install"), FAIL),
    ("SM113", history("RUN /bin/sh -c git clone https://bot:tok3n@git.example.com/x # buildkit"), FAIL),
    ("SM113", key_files(**{"/root/.ssh/id_rsa": "a private ssh key"}), FAIL),
    ("SM113", environment(GPG_KEY="A035C8C19219BA821ECEA86B64E628F8D684696D", PATH="/bin"), PASS),
    ("SM113", environment(DB_PASSWORD="", API_KEY="changeme", ALLOW_EMPTY_PASSWORD="yes"), PASS),
    ("SM113", environment(DB_PASSWORD_FILE="/run/secrets/db", DB_PASSWORD="/run/secrets/db"), PASS),
    ("SM113", environment(MAX_TOKEN="2048", EOS_TOKEN="<|endoftext|>", TOKENIZERS_PARALLELISM="false"), PASS),
    ("SM113", history("RUN /bin/sh -c export TOKEN=$(cat /run/secrets/token) && curl https://example.com"), PASS),
    ("SM113", history("COPY file:8b7 in /usr/local/bin/ "), PASS),
    ("SM114", ImageUser(name="1000", uid=1000), FAIL),
    ("SM114", ImageUser(name="ghost", uid=None), FAIL),
    ("SM114", ImageUser(name="", uid=0), PASS),
    ("SM114", ImageUser(name="toor", uid=0), PASS),
    ("SM115", (Configuration(command=("python", "serve.py")), launches(MISSING)), FAIL),
    ("SM115", (Configuration(command=("python3",)), launches(MISSING)), PASS),
    ("SM115", (Configuration(command=("python", "serve.py")), launches()), PASS),
    ("SM115", (Configuration(command=("x",), entrypoint=("run",)), launches(MISSING)), PASS),
    ("SM115", (Configuration(), launches(MISSING)), PASS),
    ("SM116", Named(text="r" * 200 + ":" + "t" * 60), FAIL),
    ("SM116", Named(text="Upper/Case:1"), FAIL),
    ("SM116", Named(text="123456789012.dkr.ecr.us-east-1.amazonaws.com/a/b-c@sha256:" + "0" * 64), PASS),
    ("SM116", Named(text="localhost:5000/a:1"), PASS),
    ("SM116", Named(text="sha256:" + "0" * 64, kind="id"), SKIP),
    ("SM117", (Configuration(environment={"TRAINING_JOB_NAME": "x"}), Purpose(roles=TRAIN)), FAIL),
    ("SM117", (Configuration(environment={"AWS_REGION": "us-east-1"}), Purpose(roles=SERVE)), FAIL),
    ("SM117", (Configuration(environment={"SAGEMAKER_BIND_TO_PORT": "8080"}), Purpose(roles=SERVE)), FAIL),
    ("SM117", (Configuration(environment={"SAGEMAKER_BIND_TO_PORT": "8080"}), Purpose(roles=TRAIN)), PASS),
    ("SM117", (Configuration(environment={"NVIDIA_VISIBLE_DEVICES": "all"}), Purpose(roles=TRAIN)), PASS),
    ("SM118", JavaRuntime(path="/opt/java/bin/java", looked_at=3), FAIL),
    ("SM118", JavaRuntime(path="/opt/java/bin/java", sign="the variable JAVA_TOOL_OPTIONS"), PASS),
    ("SM118", JavaRuntime(path=""), SKIP),
]  # fmt: skip


def judged(rule_id, evidence, roles=frozenset(Role)):
    values = evidence if isinstance(evidence, tuple) else (evidence,)
    subject = Subject(image="x", roles=roles, roles_found_by="asked for")
    return judge(all_rules()[rule_id], subject, {type(value): value for value in values})


@pytest.mark.parametrize(
    ("rule_id", "evidence", "status"), CASES, ids=[f"{c[0]}-{c[2].value}-{n}" for n, c in enumerate(CASES)]
)
def test_rule(rule_id, evidence, status):
    result = judged(rule_id, evidence)
    assert result.status is status, result.message
    if status is not PASS:
        assert result.message
    if status is FAIL:
        assert result.evidence


def test_every_rule_of_the_band_is_shown_both_ways():
    band = {rule_id for rule_id in all_rules() if rule_id.startswith("SM1")}
    assert band == {f"SM{number}" for number in range(101, 119)}
    for status in (PASS, FAIL):
        assert {rule_id for rule_id, _, shown in CASES if shown is status} == band


def test_too_large_is_an_error_for_serverless_endpoints_only():
    large = Configuration(size_bytes=11_000_000_000)
    assert judged("SM112", (large, Purpose(roles=TRAIN))).severity is Severity.WARNING
    assert judged("SM112", (large, Purpose(roles=SERVERLESS))).severity is Severity.ERROR


def test_secrets_are_never_printed_whole():
    result = judged(
        "SM113", environment(DB_PASSWORD="correct-horse-battery", AWS_SESSION_TOKEN="FwoGZXIvYXdz")
    )
    printed = f"{result.message} {result.evidence}"
    assert "corr..." in printed
    assert "correct-horse" not in printed
    assert "FwoGZXIv" not in printed


def test_a_secret_in_the_environment_is_told_once_though_the_history_has_it_too():
    evidence = (
        Configuration(environment={"DB_PASSWORD": "hunter2hunter2"}),
        History(steps=("/bin/sh -c #(nop)  ENV DB_PASSWORD=hunter2hunter2",)),
        KeyFiles(files={}),
    )
    assert "more" not in judged("SM113", evidence).evidence


def test_a_manifest_that_does_not_exist_yet_is_skipped():
    subject = Subject(image="x", roles=TRAIN, roles_found_by="asked for")
    result = judge(all_rules()["SM101"], subject, {Manifest: Missing("only here", applies=False)})
    assert result.status is SKIP
