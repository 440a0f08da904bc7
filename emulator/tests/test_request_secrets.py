"""What of a request's Environment is never kept or shown."""

from __future__ import annotations

import pytest

from sm_emulate import api
from sm_emulate.request.secrets import looks_secret, masked_document, secret_values

SECRET = {
    "HF_TOKEN": "x",
    "WANDB_API_KEY": "x",
    "DB_PASSWORD": "x",
    "dbPassword": "x",
    "AWS_SECRET_ACCESS_KEY": "x",
    "ENCRYPTION_KEY": "x",
    "AUTH": "x",
    "PLAIN": "AKIAIOSFODNN7EXAMPLE",
    "OTHER": "ghp_0123456789abcdefghijABCDEFGHIJ",
    "URL": "postgres://me:hunter2@db.example/x",
    "PEM": "-----BEGIN RSA PRIVATE KEY-----\nx",
}
OPEN = {
    "TOKENIZERS_PARALLELISM": "false",
    "MAX_TOKENS": "512",
    "KEYS": "a,b",
    "MONKEY": "x",
    "SAGEMAKER_PROGRAM": "train.py",
    "URL": "https://example.com/x",
    "HF_TOKEN": "",
}


@pytest.mark.parametrize("name", SECRET)
def test_secrets_are_known_by_their_names_or_their_form(name):
    assert looks_secret(name, SECRET[name])


@pytest.mark.parametrize("name", OPEN)
def test_ordinary_values_are_shown(name):
    assert not looks_secret(name, OPEN[name])


def test_every_environment_of_a_document_is_masked():
    document = {"Containers": [{"Environment": {"TOKEN": "t", "A": "b"}}], "TOKEN": "no variable"}
    assert masked_document(document) == {
        "Containers": [{"Environment": {"TOKEN": "***", "A": "b"}}],
        "TOKEN": "no variable",
    }


def test_a_secret_reaches_the_container_and_no_file_of_the_run(jobs, home):
    seen = {}
    secret = "hunter2-" + "x" * 20
    jobs.run(lambda box: seen.update(box.environment), environment={"MY_TOKEN": secret, "MINE": "shown"})
    assert (seen["MY_TOKEN"], seen["MINE"]) == (secret, "shown")
    files = [path for path in home.rglob("*") if path.is_file()]
    assert len(files) >= 8
    assert [path for path in files if secret.encode() in path.read_bytes()] == []
    assert jobs.described()["Environment"] == {"MY_TOKEN": "***", "MINE": "shown"}
    assert secret not in repr(jobs.result)


def test_the_limits_of_environment_are_the_api_s():
    most = {f"K{number}": "v" * 512 for number in range(99)} | {"K" * 512: "v"}
    assert len(api.training_request("img", environment=most).environment) == 100


def test_the_values_to_hide_are_those_of_every_environment():
    document = {
        "CreateModel": [
            {
                "PrimaryContainer": {
                    "Environment": {"API_KEY": "longer-key", "PIN_TOKEN": "1234", "PLAIN": "value"}
                }
            },
            {"Containers": [{"Environment": {"URL": "postgres://me:hidden@there"}}]},
        ],
        "Tags": [{"Key": "API_KEY", "Value": "a tag"}],
    }
    assert secret_values(document) == {"longer-key", "postgres://me:hidden@there"}
