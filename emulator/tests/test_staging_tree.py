"""One host's /opt/ml: what is there, with which mode, and what is mounted where."""

from __future__ import annotations

import os
import stat

import pytest

from sm_emulate import api
from sm_emulate.errors import MachineError
from sm_emulate.spec.profiles import PROFILES
from sm_emulate.staging.cluster import cluster_of
from sm_emulate.staging.listings import Listings
from sm_emulate.staging.manifest import manifest_lines
from sm_emulate.staging.tree import list_channels, staged_tree


@pytest.fixture(autouse=True)
def _home(home):
    pass


@pytest.fixture
def data(tmp_path):
    folder = tmp_path / "data"
    (folder / "deep").mkdir(parents=True)
    (folder / "b.csv").write_text("1")
    (folder / "a.csv").write_text("2")
    (folder / "deep" / "c.csv").write_text("3")
    return folder


def tree_of(tmp_path, request, profile="2025", settings=None):
    platform = api.platform(profile, settings=settings)
    cluster = cluster_of(request.resource_config)
    return staged_tree(
        tmp_path / "opt-ml",
        request,
        cluster=cluster,
        host=cluster.hosts[0],
        profile=platform.profile,
        settings=platform.settings,
        region="us-east-1",
        account="123456789012",
    )


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def targets(tree):
    return {each.target: each for each in tree.placed}


def test_only_the_three_directories_are_mounted_so_that_opt_ml_code_survives(tmp_path):
    assert list(targets(tree_of(tmp_path, api.training_request("img")))) == [
        "/opt/ml/input",
        "/opt/ml/model",
        "/opt/ml/output",
    ]


def test_describing_a_tree_makes_nothing(tmp_path, data):
    tree_of(tmp_path, api.training_request("img", channels={"train": data}))
    assert not (tmp_path / "opt-ml").exists()


def test_the_directories_of_the_platform_are_there_empty_and_0755(tmp_path):
    tree = tree_of(tmp_path, api.training_request("img"))
    tree.make()
    for inside in ("model", "output/data", "output/metrics/sagemaker", "output/profiler", "input/data"):
        assert mode(tree.folder / inside) == 0o755, inside
        assert list((tree.folder / inside).iterdir()) == [], inside
    assert not (tree.folder / "output/intermediate").exists()
    assert not (tree.folder / "output/tensorboard").exists()


@pytest.mark.parametrize("profile", [each.name for each in PROFILES])
def test_the_config_directory_has_the_mode_of_its_year_and_its_files_0644(tmp_path, profile):
    old = os.umask(0o077)
    try:
        tree = tree_of(tmp_path, api.training_request("img"), profile)
        tree.make()
    finally:
        os.umask(old)
    assert {mode(tree.path(f"/opt/ml/{each}")) for each in ("input", "model", "output", "output/data")} == {
        0o755
    }
    config = tree.path("/opt/ml/input/config")
    assert mode(config) == (0o755 if profile == "2020" else 0o644)
    config.chmod(0o755)
    assert {mode(file) for file in config.iterdir()} == {0o644}


def test_the_mode_of_the_config_directory_is_a_setting(tmp_path):
    tree = tree_of(tmp_path, api.training_request("img"), settings={"config-directory-mode": "0755"})
    tree.make()
    assert mode(tree.path("/opt/ml/input/config")) == 0o755


def test_a_folder_is_mounted_where_it_lies_read_only(tmp_path, data):
    tree = tree_of(tmp_path, api.training_request("img", channels={"train": data}))
    tree.make()
    mounted = targets(tree)["/opt/ml/input/data/train"]
    assert (mounted.source, mounted.read_only) == (data, True)
    assert list(tree.path("/opt/ml/input/data/train").iterdir()) == []


def test_a_file_is_mounted_under_its_own_name(tmp_path, data):
    tree = tree_of(tmp_path, api.training_request("img", channels={"train": data / "a.csv"}))
    tree.make()
    assert targets(tree)["/opt/ml/input/data/train/a.csv"].source == data / "a.csv"
    assert tree.path("/opt/ml/input/data/train/a.csv").read_text() == ""


@pytest.mark.parametrize("name", ["model", "base_model"])
def test_a_channel_with_a_model_to_start_from_is_a_channel_like_any_other(tmp_path, data, name):
    packed = data / "model.tar.gz"
    packed.write_bytes(b"still packed")
    channel = api.channel(packed, content_type="application/x-sagemaker-model")
    tree = tree_of(tmp_path, api.training_request("img", channels={name: channel}))
    assert targets(tree)[f"/opt/ml/input/data/{name}/model.tar.gz"].source == packed
    assert (
        b'"ContentType":"application/x-sagemaker-model"'
        in tree.files["/opt/ml/input/config/inputdataconfig.json"]
    )


def test_a_channel_may_be_written_to_where_the_setting_says_so_but_never_a_fast_file_one(tmp_path, data):
    channels = {"slow": data, "fast": api.channel(data, mode="FastFile")}
    mounted = targets(
        tree_of(
            tmp_path,
            api.training_request("img", channels=channels),
            settings={"channel-access": "read-write"},
        )
    )
    assert mounted["/opt/ml/input/data/slow"].read_only is False
    assert mounted["/opt/ml/input/data/fast"].read_only is True


def test_the_manifest_lies_beside_the_channel_with_prefix_and_sorted_uris(tmp_path, data):
    tree = tree_of(tmp_path, api.training_request("img", channels={"train": data}))
    tree.make()
    list_channels([tree], Listings())
    assert tree.path("/opt/ml/input/data/train-manifest").read_text().splitlines() == [
        f"{data}/".lstrip("/"),
        f"file://{data}/a.csv",
        f"file://{data}/b.csv",
        f"file://{data}/deep/c.csv",
    ]


def test_the_manifest_of_a_single_file(data):
    assert b"".join(manifest_lines(f"{data}/a.csv")).decode().splitlines() == [
        f"{data}/a.csv".lstrip("/"),
        f"file://{data}/a.csv",
    ]


def test_a_link_that_leads_in_circles_ends_the_manifest_all_the_same(data):
    (data / "deep" / "up").symlink_to(data)
    (data / "self").symlink_to("self")
    listed = [line.rpartition("/")[2] for line in b"".join(manifest_lines(str(data))).decode().splitlines()]
    assert listed == ["", "a.csv", "b.csv", "c.csv", "self"]


def test_the_manifest_is_in_the_order_of_the_keys_that_files_would_have(data):
    for name in ("deep/er/d.csv", "deep-1.csv", "deep.csv", "deep0.csv"):
        (data / name).parent.mkdir(exist_ok=True)
        (data / name).touch()
    listed = b"".join(manifest_lines(str(data))).decode().splitlines()[1:]
    assert listed == sorted(listed)
    assert len(listed) == 7


def test_a_name_that_is_no_utf_8_is_listed_as_its_bytes(tmp_path, data):
    (data / os.fsdecode(b"\xff.csv")).touch()
    tree = tree_of(tmp_path, api.training_request("img", channels={"train": data}))
    tree.make()
    list_channels([tree], Listings())
    assert b"/\xff.csv\n" in tree.path("/opt/ml/input/data/train-manifest").read_bytes()


def request_with(data, **members):
    return api.training_request_from_aws(
        {
            "TrainingJobName": "job",
            "RoleArn": "arn:aws:iam::123456789012:role/r",
            "AlgorithmSpecification": {"TrainingImage": "img", "TrainingInputMode": "File"},
            "OutputDataConfig": {"S3OutputPath": str(data)},
            "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 30},
            "StoppingCondition": {"MaxRuntimeInSeconds": 3600},
            **members,
        }
    )


SHARED = {"checkpoint-folder": "shared"}


@pytest.mark.parametrize("uri", ["s3://b/state", "kept"])
def test_checkpoints_are_a_folder_of_the_host_s_own(tmp_path, data, uri):
    given = {"S3Uri": uri if uri.startswith("s3:") else str(tmp_path / uri)}
    tree = tree_of(tmp_path, request_with(data, CheckpointConfig=given))
    tree.make()
    own = targets(tree)["/opt/ml/checkpoints"].source
    assert own == tmp_path / "opt-ml/checkpoints"
    assert own.stat().st_mode & 0o777 == 0o755
    assert not (tmp_path / "kept").exists()
    # where the setting says so, a folder of this machine is every host's own
    tree = tree_of(tmp_path, request_with(data, CheckpointConfig=given), settings=SHARED)
    assert targets(tree)["/opt/ml/checkpoints"].source == (
        own if uri.startswith("s3:") else tmp_path / "kept"
    )


def test_checkpoints_inside_a_mount_need_none_of_their_own(tmp_path, data):
    checkpoints = {"S3Uri": str(tmp_path / "kept"), "LocalPath": "/opt/ml/model/checkpoints/"}
    tree = tree_of(tmp_path, request_with(data, CheckpointConfig=checkpoints))
    tree.make()
    assert "/opt/ml/model/checkpoints" not in targets(tree)
    assert tree.path("/opt/ml/model/checkpoints").is_dir()
    assert tree.mounted("/opt/ml/model/checkpoints") == tree.path("/opt/ml/model/checkpoints")
    shared = tree_of(tmp_path / "other", request_with(data, CheckpointConfig=checkpoints), settings=SHARED)
    shared.make()
    assert targets(shared)["/opt/ml/model/checkpoints"].source == tmp_path / "kept"
    assert shared.path("/opt/ml/model/checkpoints").is_dir()


def test_tensorboard_has_its_directory_when_it_is_configured(tmp_path, data):
    tree = tree_of(tmp_path, request_with(data, TensorBoardOutputConfig={"S3OutputPath": "s3://b/t"}))
    tree.make()
    assert tree.path("/opt/ml/output/tensorboard").is_dir()


def test_a_folder_that_cannot_be_made_is_this_machine_s_fault(tmp_path):
    tree = tree_of(tmp_path, api.training_request("img"))
    tree.folder.write_text("in the way")
    with pytest.raises(MachineError, match=r"/opt/ml cannot be made: (Not a directory|File exists)"):
        tree.make()
