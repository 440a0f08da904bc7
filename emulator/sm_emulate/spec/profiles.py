"""How the training platform looked at three points in time.

The evidence is files copied out of real jobs. What differs between the dates is a field here; what does
not differ is a fact. A field that also has a named setting is only that setting's default.

Evidence:
    2020: shiftan/simple_sagemaker, `examples/*/expected_output`, files of real jobs of October 2020.
    2022: a public notebook log of 27 September 2022 that lists /opt/ml/input with sizes and modes.
    2025: a public log of December 2025 that prints resourceconfig.json.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from sm_emulate.errors import RequestError

Separators = tuple[str, str]
COMPACT: Separators = (",", ":")
SPACED: Separators = (", ", ": ")


@dataclass(frozen=True, kw_only=True)
class PlatformProfile:
    """The platform at one date.

    Args:
        name: the year, as `--platform-profile` takes it.
        config_files: the files of /opt/ml/input/config that every job has, without `.json`.
        resourceconfig_keys: keys of resourceconfig.json in order; `topology` comes last where the setting says so.
        resourceconfig_separators: what `json.dumps` takes; all other files are compact at every date.
        resource_topology: whether resourceconfig.json ends in `"topology":null` on ordinary instances.
        trainingjobconfig: whether trainingjobconfig.json is written.
        upstreamoutputdataconfig: whether upstreamoutputdataconfig.json is written.
        environment_ecs: whether ECS_CONTAINER_METADATA_URI(_V4) and AWS_EXECUTION_ENV are set.
        config_directory_mode: octal mode of /opt/ml/input/config.
        evidence: what the values rest on, one sentence each.
    """

    name: str
    config_files: tuple[str, ...]
    resourceconfig_keys: tuple[str, ...]
    resourceconfig_separators: Separators
    resource_topology: Literal["null", "absent"]
    trainingjobconfig: Literal["written", "absent"]
    upstreamoutputdataconfig: Literal["written", "absent"]
    environment_ecs: Literal["set", "unset"]
    config_directory_mode: Literal["0644", "0755"]
    evidence: tuple[str, ...]


_ALWAYS_WRITTEN = (
    "hyperparameters",
    "init-config",
    "inputdataconfig",
    "metric-definition-regex",
    "resourceconfig",
)

_KEYS_WITH_GROUPS = (
    "current_host",
    "current_instance_type",
    "current_group_name",
    "hosts",
    "instance_groups",
    "network_interface_name",
)

PROFILE_2020 = PlatformProfile(
    name="2020",
    config_files=_ALWAYS_WRITTEN,
    resourceconfig_keys=("current_host", "hosts", "network_interface_name"),
    resourceconfig_separators=SPACED,
    resource_topology="absent",
    trainingjobconfig="written",
    upstreamoutputdataconfig="written",
    environment_ecs="set",
    config_directory_mode="0755",
    evidence=(
        "Files copied out of real jobs of October 2020 hold trainingjobconfig.json and upstreamoutputdataconfig.json.",
        "resourceconfig.json had three keys and, alone among the files, a space after each comma and colon (91 bytes).",
        "The environment of those jobs held both ECS metadata addresses and AWS_EXECUTION_ENV=AWS_ECS_EC2.",
        "The listing shows /opt/ml/input/config as drwxr-xr-x.",
    ),
)

PROFILE_2022 = PlatformProfile(
    name="2022",
    config_files=_ALWAYS_WRITTEN,
    resourceconfig_keys=_KEYS_WITH_GROUPS,
    resourceconfig_separators=COMPACT,
    resource_topology="absent",
    trainingjobconfig="absent",
    upstreamoutputdataconfig="absent",
    environment_ecs="unset",
    config_directory_mode="0644",
    evidence=(
        "A listing of September 2022 has neither trainingjobconfig.json nor upstreamoutputdataconfig.json.",
        "Its 280-byte resourceconfig.json is exactly the compact form with instance groups and no topology.",
        "It shows /opt/ml/input/config as drw-r--r--.",
        "No environment of that date was found; what only the 2020 dump shows is left out.",
    ),
)

PROFILE_2025 = PlatformProfile(
    name="2025",
    config_files=_ALWAYS_WRITTEN,
    resourceconfig_keys=_KEYS_WITH_GROUPS,
    resourceconfig_separators=COMPACT,
    resource_topology="null",
    trainingjobconfig="absent",
    upstreamoutputdataconfig="absent",
    environment_ecs="unset",
    config_directory_mode="0644",
    evidence=(
        'A public log of December 2025 shows "topology":null at the end of resourceconfig.json.',
        "Nothing newer than 2022 shows the directory's mode, the list of files or the environment: 2022 stands.",
    ),
)

PROFILES = (PROFILE_2025, PROFILE_2022, PROFILE_2020)
DEFAULT_PROFILE = PROFILE_2025


def profile_named(name: str) -> PlatformProfile:
    """Give the profile of that year.

    Raises:
        RequestError: there is no such profile.
    """
    for profile in PROFILES:
        if profile.name == name:
            return profile
    raise RequestError(
        "there is no such platform profile",
        value=name,
        expected=", ".join(profile.name for profile in PROFILES),
        hint="2025 is the default and the right one unless you compare with older jobs",
    )
