from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import sm_emulate
from sm_emulate.errors import RequestError
from sm_emulate.spec.profiles import (
    DEFAULT_PROFILE,
    PROFILE_2020,
    PROFILE_2022,
    PROFILE_2025,
    PROFILES,
    profile_named,
)
from sm_emulate.spec.setting import Kind, ulimits
from sm_emulate.spec.settings import SETTINGS, Settings, parse


def test_the_default_profile_is_the_newest() -> None:
    assert DEFAULT_PROFILE is profile_named("2025") is PROFILE_2025


def test_an_unknown_profile_is_refused_with_the_known_ones() -> None:
    with pytest.raises(RequestError) as caught:
        profile_named("2019")
    assert caught.value.expected == "2025, 2022, 2020"


@pytest.mark.parametrize(
    ("profile", "mode", "topology", "ecs", "jobconfig"),
    [
        (PROFILE_2025, 0o644, "null", "unset", "absent"),
        (PROFILE_2022, 0o644, "absent", "unset", "absent"),
        (PROFILE_2020, 0o755, "absent", "set", "written"),
    ],
    ids=lambda value: getattr(value, "name", None),
)
def test_defaults_follow_the_profile(profile, mode, topology, ecs, jobconfig) -> None:
    settings = Settings(profile)
    assert settings.number("config-directory-mode") == mode
    assert settings.text("resource-topology") == topology
    assert settings.text("environment-ecs") == ecs
    assert settings.text("trainingjobconfig") == settings.text("upstreamoutputdataconfig") == jobconfig


def test_what_is_given_wins_over_the_profile() -> None:
    settings = Settings(PROFILE_2020, {"config-directory-mode": "0644", "shm-size": "1g"})
    assert settings["config-directory-mode"] == 0o644
    assert settings.number("shm-size") == 1 << 30
    assert settings.text("environment-ecs") == "set"
    assert settings.given == {"config-directory-mode": "0644", "shm-size": "1g"}


def test_your_data_is_safe_from_the_container_unless_you_say_otherwise() -> None:
    assert Settings(DEFAULT_PROFILE).text("channel-access") == "read-only"


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.name)
def test_every_default_is_a_value_that_the_setting_takes(setting) -> None:
    for profile in PROFILES:
        assert setting.parse(setting.default(profile)) == Settings(profile)[setting.name]
    assert setting.choices or setting.kind not in {Kind.CHOICE, Kind.MODE}


def test_every_setting_is_read_where_it_is_said_to_decide() -> None:
    package = Path(sm_emulate.__file__).parent
    code = "".join(
        file.read_text()
        for file in package.rglob("*.py")
        if file.name != "settings.py" and "facts" not in file.parts
    )
    assert [setting.name for setting in SETTINGS if f'"{setting.name}"' not in code] == []


def test_an_endpoint_is_pinged_every_five_seconds_unless_set() -> None:
    assert Settings(DEFAULT_PROFILE).number("ping-interval") == 5
    assert Settings(DEFAULT_PROFILE, {"ping-interval": "1"}).number("ping-interval") == 1


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("64m", 64 << 20),
        ("64M", 64 << 20),
        ("64mb", 64 << 20),
        ("1g", 1 << 30),
        ("512k", 512 << 10),
        ("4096", 4096),
    ],
)
def test_sizes_are_read_as_docker_reads_them(text, size) -> None:
    assert parse("shm-size", text) == size


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("stop-nonzero-exit", "stopped", "Stopped or Failed"),
        ("links-in-artifacts", "copy", "keep, follow or skip"),
        ("config-directory-mode", "0700", "0644 or 0755"),
        ("shm-size", "lots", Kind.SIZE.value),
        ("shm-size", "0", Kind.SIZE.value),
        ("shm-size", "-1m", Kind.SIZE.value),
        ("ping-interval", "0", Kind.SECONDS.value),
        ("ping-interval", "2.5", Kind.SECONDS.value),
        ("network-interface-name", "eth0 up", Kind.INTERFACE.value),
        ("network-interface-name", "", Kind.INTERFACE.value),
        ("endpoint-hostname", "-x", Kind.HOST_NAME.value),
        ("endpoint-hostname", "a..b", Kind.HOST_NAME.value),
    ],
)
def test_a_wrong_value_is_refused_with_what_would_be_right(name, text, expected) -> None:
    with pytest.raises(RequestError) as caught:
        parse(name, text)
    assert name in caught.value.what
    assert caught.value.value == text
    assert caught.value.expected == expected


def test_a_misspelt_setting_is_met_with_the_right_name() -> None:
    with pytest.raises(RequestError) as caught:
        Settings(DEFAULT_PROFILE, {"shm-sise": "1g"})
    assert caught.value.hint == "did you mean shm-size?"
    assert "shm-size" in (caught.value.expected or "")


def test_words_and_numbers_are_not_mixed_up() -> None:
    settings = Settings(DEFAULT_PROFILE)
    with pytest.raises(TypeError):
        settings.text("shm-size")
    with pytest.raises(TypeError):
        settings.number("channel-access")


def test_the_way_to_a_job_never_loads_the_facts() -> None:
    code = (
        "import sys, sm_emulate.spec.profiles, sm_emulate.spec.settings, "
        "sm_emulate.spec.wordings, sm_emulate.spec.training_job; "
        "print([name for name in sys.modules if name.startswith('sm_emulate.spec.fact')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("text", "limits"),
    [
        ("nofile=1024", {"nofile": (1024, 1024)}),
        (
            "nofile=1024:4096,memlock=unlimited,stack=1:unlimited",
            {"nofile": (1024, 4096), "memlock": (-1, -1), "stack": (1, -1)},
        ),
    ],
)
def test_ulimits_are_read(text, limits) -> None:
    assert ulimits(Settings(DEFAULT_PROFILE, {"ulimits": text}).text("ulimits")) == limits


@pytest.mark.parametrize(
    "text", ["nofile", "files=3", "nofile=2:1", "nofile=unlimited:5", "nofile=1,nofile=2", "nofile=-1", ""]
)
def test_other_ulimits_are_refused(text) -> None:
    with pytest.raises(RequestError, match="setting ulimits does not take this value"):
        Settings(DEFAULT_PROFILE, {"ulimits": text})


def test_a_size_may_also_be_a_word() -> None:
    assert Settings(DEFAULT_PROFILE)["memory-limit"] == "type"
    assert Settings(DEFAULT_PROFILE, {"memory-limit": "2g"}).number("memory-limit") == 2 << 30
    with pytest.raises(RequestError) as caught:
        Settings(DEFAULT_PROFILE, {"memory-limit": "much"})
    assert caught.value.expected == "type, or a number of bytes, or with k, m or g behind it, such as 64m"
