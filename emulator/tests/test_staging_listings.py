"""Manifests of big channels, which a process of their own makes."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from sm_emulate import api
from sm_emulate.staging import listings as module
from sm_emulate.staging.listings import Listings


@pytest.fixture
def data(tmp_path):
    made = tmp_path / "data"
    (made / "deep").mkdir(parents=True)
    for name in ("b.csv", "deep/a.csv", os.fsdecode(b"\xff.csv")):
        (made / name).touch()
    return made


@pytest.fixture
def all_are_big(monkeypatch):
    monkeypatch.setattr(module, "BIG_BYTES", 0)


@pytest.fixture
def started(monkeypatch):
    """Every process that was started."""
    found = []

    class Popen(subprocess.Popen):
        def __init__(self, *words, **more):
            found.append(self)
            super().__init__(*words, **more)

    monkeypatch.setattr(module.subprocess, "Popen", Popen)
    return found


def request(data, **more):
    return api.training_request("img", channels={"train": data}, **more)


def written(listings, data, tmp_path):
    listings.write(data, tmp_path / "manifest")
    assert (tmp_path / "manifest").stat().st_mode & 0o777 == 0o644
    return (tmp_path / "manifest").read_bytes()


@pytest.fixture
def expected(data, tmp_path):
    return written(Listings(), data, tmp_path)


@pytest.mark.usefixtures("all_are_big")
def test_a_process_lists_what_we_would(data, tmp_path, expected, started):
    with Listings() as listings:
        listings.begin(request(data))
        assert written(listings, data, tmp_path) == expected
        assert [each.returncode for each in started] == [0]
        (data / "new.csv").touch()
        again = written(listings, data, tmp_path)
    assert len(again.splitlines()) == len(expected.splitlines()) + 1, "a listing is taken once"
    assert len(started) == 1


def test_a_folder_of_20000_files_is_big(tmp_path, started):
    many = tmp_path / "many"
    many.mkdir()
    for number in range(20_000):
        os.close(os.open(f"{many}/{number:05}.csv", os.O_CREAT))
    with Listings() as listings:
        listings.begin(request(many))
        lines = written(listings, many, tmp_path).splitlines()
    assert len(started) == (many.stat().st_size >= module.BIG_BYTES)
    assert lines[1:] == [b"file://%s/%05d.csv" % (os.fsencode(many), number) for number in range(20_000)]


def test_a_small_folder_is_worth_no_process(data, tmp_path, expected, started):
    with Listings() as listings:
        listings.begin(request(data))
        assert written(listings, data, tmp_path) == expected
    assert started == []


@pytest.mark.usefixtures("all_are_big")
@pytest.mark.parametrize("program", ["/nonexistent/python", "/bin/false"])
def test_without_a_process_it_is_listed_all_the_same(data, tmp_path, expected, monkeypatch, program):
    monkeypatch.setattr(sys, "executable", program)
    with Listings() as listings:
        listings.begin(request(data))
        assert written(listings, data, tmp_path) == expected


@pytest.mark.usefixtures("all_are_big")
def test_what_nobody_took_is_ended(data, started):
    with Listings() as listings:
        listings.begin(request(data))
    assert len(started) == 1
    assert started[0].returncode is not None


@pytest.mark.usefixtures("all_are_big")
def test_what_is_piped_or_elsewhere_is_not_listed(data, started):
    with Listings() as listings:
        listings.begin(request(data, input_mode="Pipe"))
        listings.begin(api.training_request("img", channels={"train": "s3://bucket/in/"}))
        listings.begin(request(data / "b.csv"))
        shared_out = api.channel(data, distribution="ShardedByS3Key")
        listings.begin(api.training_request("img", channels={"train": shared_out}, instance_count=2))
    assert started == []


@pytest.mark.usefixtures("all_are_big")
def test_a_single_host_has_all_of_what_is_to_be_shared_out(data, started):
    alone = api.channel(data, distribution="ShardedByS3Key")
    with Listings() as listings:
        listings.begin(api.training_request("img", channels={"train": alone}))
    assert len(started) == 1


@pytest.mark.usefixtures("all_are_big")
def test_what_several_hosts_have_is_listed_once(data, tmp_path, expected, started):
    targets = [tmp_path / f"algo-{number}" for number in range(3)]
    with Listings() as listings:
        listings.begin(request(data))
        listings.write(data, *targets)
    assert [each.read_bytes() for each in targets] == [expected] * 3
    assert {each.stat().st_mode & 0o777 for each in targets} == {0o644}
    assert len(started) == 1
