"""Room for many connections, whatever the shell's limit is."""

from __future__ import annotations

import resource

import pytest

from sm_emulate.cli.open_files import MOST, allow_many_files


@pytest.fixture
def limits():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    yield hard
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_the_limit_of_open_files_is_raised_as_far_as_it_may(limits):
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, limits))
    allow_many_files()
    wanted = MOST if limits == resource.RLIM_INFINITY else min(MOST, limits)
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == (wanted, limits)


def test_a_limit_that_cannot_be_raised_stays(limits, monkeypatch):
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, limits))

    def refuse(*_):
        raise ValueError("current limit exceeds maximum limit")

    with monkeypatch.context() as patched:
        patched.setattr(resource, "setrlimit", refuse)
        allow_many_files()
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == (256, limits)
