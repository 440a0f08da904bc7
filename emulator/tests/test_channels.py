"""Channels that do not just lie here: what the container finds, and what is fetched for it."""

from __future__ import annotations

import json
import os
import threading
from dataclasses import replace

import pytest

from sm_emulate import api
from sm_emulate.errors import MachineError, RequestError, StorageError
from sm_emulate.events import ContainerStarted, Noted, Progress
from sm_emulate.storage.object_cache import ObjectCache, object_cache
from sm_emulate.storage.s3_place import S3Place

DATA = "/opt/ml/input/data"


def tree(box, channel):
    """What a channel's folder holds: text by path."""
    folder = box.path(f"{DATA}/{channel}")
    return {str(file.relative_to(folder)): file.read_text() for file in folder.rglob("*") if file.is_file()}


def manifest(box, channel):
    return box.path(f"{DATA}/{channel}-manifest").read_text()


class Finds:
    """A program that notes what its channels hold, host by host."""

    def __init__(self, *channels):
        self.channels, self.trees, self.manifests, self.specs = channels, {}, {}, {}

    def __call__(self, box):
        host = json.loads(box.path("/opt/ml/input/config/resourceconfig.json").read_text())["current_host"]
        self.specs[host] = box.spec
        for channel in self.channels:
            if box.path(f"{DATA}/{channel}").is_dir():
                self.trees.setdefault(channel, {})[host] = tree(box, channel)
                self.manifests.setdefault(channel, {})[host] = manifest(box, channel)


@pytest.fixture(params=["over HTTP", "embedded"])
def data(request, home):
    """A bucket of either kind: its URI, its platform, and a way to put objects there."""
    if request.param == "embedded":
        return Embedded(api.platform(s3="embedded"))
    return OverHttp(request.getfixturevalue("bucket"))


class Embedded:
    name = "mine"

    def __init__(self, platform):
        self.platform = platform
        (self.platform.s3.folder / self.name).mkdir(parents=True)

    def put(self, *keys, text=None):
        for key in keys:
            file = self.platform.s3.folder / self.name / key
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(key if text is None else text)


class OverHttp:
    def __init__(self, bucket):
        self.bucket, self.name = bucket, bucket.name
        self.platform = replace(api.platform(), s3=bucket.place)

    def put(self, *keys, text=None):
        for key in keys:
            self.bucket.put_bytes(key, (key if text is None else text).encode())


def test_a_file_s_path_is_its_key_below_the_folder_of_the_prefix(jobs, data):
    data.put("in/train/a.csv", "in/train/deep/er/b.csv", "in/train-2.csv", "in/other.csv")
    finds = Finds("folder", "part", "one")
    jobs.run(
        finds,
        platform=data.platform,
        channels={
            "folder": f"s3://{data.name}/in/train/",
            "part": f"s3://{data.name}/in/train",
            "one": f"s3://{data.name}/in/other.csv",
        },
    )
    folder = {"a.csv": "in/train/a.csv", "deep/er/b.csv": "in/train/deep/er/b.csv"}
    assert finds.trees["folder"]["algo-1"] == folder
    assert finds.trees["part"]["algo-1"] == {
        **folder,
        "train-2.csv": "in/train-2.csv",
    }
    assert finds.trees["one"]["algo-1"] == {"other.csv": "in/other.csv"}


def test_the_manifest_names_the_prefix_and_every_object(jobs, data):
    data.put("in/b", "in/a/z", "in/ü y")
    finds = Finds("train")
    jobs.run(finds, platform=data.platform, channels={"train": f"s3://{data.name}/in/"})
    assert finds.manifests["train"]["algo-1"] == "in/\n" + "".join(
        f"s3://{data.name}/in/{name}\n" for name in ("a/z", "b", "ü y")
    )


def test_nothing_is_left_of_the_data_in_the_run_folder(jobs, data):
    data.put("in/a")
    jobs.run(Finds("train"), platform=data.platform, channels={"train": f"s3://{data.name}/in/a"})
    assert sorted(path.name for path in jobs.folder().path.iterdir()) == [
        "events.ndjson",
        "logs",
        "opt-ml",
        "request.json",
        "result.json",
        "run.json",
    ]


def test_a_channel_may_be_written_to_and_s3_and_the_cache_stay_as_they_are(jobs, data):
    data.put("in/a")
    platform = replace(
        data.platform, settings=api.platform(settings={"channel-access": "read-write"}).settings
    )

    def program(box):
        box.path(f"{DATA}/train/a", write=True).write_text("changed")
        box.path(f"{DATA}/train/new", write=True).write_text("new")

    channels = {"train": f"s3://{data.name}/in/"}
    assert jobs.run(program, platform=platform, channels=channels).succeeded
    finds = Finds("train")
    jobs.run(finds, platform=platform, channels=channels, job_name="again")
    assert finds.trees["train"]["algo-1"] == {"a": "in/a"}


def test_a_manifest_file_s_objects_and_no_others(jobs, data):
    data.put("in/a/1", "in/a/2", "in/b")
    data.put("list.json", text=json.dumps([{"prefix": f"s3://{data.name}/in/"}, "b", "a/2"]))
    finds = Finds("train")
    jobs.run(
        finds,
        platform=data.platform,
        channels={"train": api.channel(f"s3://{data.name}/list.json", type="ManifestFile")},
    )
    assert finds.trees["train"]["algo-1"] == {"b": "in/b", "a/2": "in/a/2"}
    assert finds.manifests["train"]["algo-1"] == f"in/\ns3://{data.name}/in/b\ns3://{data.name}/in/a/2\n"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("no json", "no JSON"),
        ("{}", "has no prefix"),
        ("[]", "has no prefix"),
        ('["a"]', "has no prefix"),
        ('[{"prefix": "s3://PREFIX/in/"}, 1]', "no string"),
        ('[{"prefix": "s3://PREFIX/in/"}, "gone"]', "that the manifest names is not there"),
    ],
)
def test_a_manifest_that_is_none_is_refused_before_anything_starts(jobs, data, text, words):
    data.put("list.json", text=text.replace("PREFIX", data.name))
    with pytest.raises(RequestError, match=words):
        jobs.run(
            Finds(),
            platform=data.platform,
            channels={"train": api.channel(f"s3://{data.name}/list.json", type="ManifestFile")},
        )
    assert not jobs.folder().path.exists()


def test_local_manifests_work_too(jobs, tmp_path):
    (tmp_path / "in").mkdir()
    for name in ("a", "b"):
        (tmp_path / "in" / name).write_text(name)
    (tmp_path / "list.json").write_text(json.dumps([{"prefix": f"{tmp_path}/in/"}, "b"]))
    finds = Finds("train")
    jobs.run(finds, channels={"train": api.channel(tmp_path / "list.json", type="ManifestFile")})
    assert finds.trees["train"]["algo-1"] == {"b": "b"}


@pytest.mark.parametrize("mode", ["File", "FastFile"])
def test_hosts_share_the_objects_and_every_manifest_names_all(jobs, data, mode):
    data.put(*(f"in/{number}" for number in range(5)))
    finds = Finds("train", "all")
    channel = api.channel(f"s3://{data.name}/in/", distribution="ShardedByS3Key", mode=mode)
    jobs.run(
        finds,
        platform=data.platform,
        instance_count=2,
        channels={"train": channel, "all": f"s3://{data.name}/in/"},
    )
    assert sorted(finds.trees["train"]["algo-1"]) == ["0", "2", "4"]
    assert sorted(finds.trees["train"]["algo-2"]) == ["1", "3"]
    assert {len(text.splitlines()) for text in finds.manifests["train"].values()} == {6}
    assert finds.trees["all"]["algo-1"] == finds.trees["all"]["algo-2"]


def test_objects_may_be_shared_out_in_blocks(jobs, data):
    data.put(*(f"in/{number}" for number in range(5)))
    finds = Finds("train")
    settings = api.platform(settings={"s3-key-sharding": "blocks"}).settings
    jobs.run(
        finds,
        platform=replace(data.platform, settings=settings),
        instance_count=2,
        channels={"train": api.channel(f"s3://{data.name}/in/", distribution="ShardedByS3Key")},
    )
    assert sorted(finds.trees["train"]["algo-1"]) == ["0", "1"]
    assert sorted(finds.trees["train"]["algo-2"]) == ["2", "3", "4"]


def test_with_more_hosts_than_objects_a_channel_is_empty(jobs, tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "only").write_text("x")
    finds = Finds("train")
    jobs.run(
        finds,
        instance_count=2,
        channels={"train": api.channel(tmp_path / "in", distribution="ShardedByS3Key")},
    )
    assert finds.trees["train"] == {"algo-1": {"only": "x"}, "algo-2": {}}
    assert finds.manifests["train"]["algo-2"].splitlines()[1:] == [f"file://{tmp_path}/in/only"]


def test_only_the_named_groups_get_a_channel_and_share_it(jobs, tmp_path, data):
    data.put(*(f"in/{number}" for number in range(4)))
    finds = Finds("train")
    groups = [
        {"InstanceGroupName": name, "InstanceType": "ml.m5.large", "InstanceCount": count}
        for name, count in (("data", 2), ("other", 1))
    ]
    source = {
        "S3DataType": "S3Prefix",
        "S3Uri": f"s3://{data.name}/in/",
        "S3DataDistributionType": "ShardedByS3Key",
        "InstanceGroupNames": ["data"],
    }
    request = api.training_request_from_aws(
        {
            "TrainingJobName": "job",
            "RoleArn": "arn:aws:iam::123456789012:role/r",
            "AlgorithmSpecification": {"TrainingImage": "img:1", "TrainingInputMode": "File"},
            "InputDataConfig": [{"ChannelName": "train", "DataSource": {"S3DataSource": source}}],
            "OutputDataConfig": {"S3OutputPath": str(tmp_path / "out")},
            "ResourceConfig": {"InstanceGroups": groups, "VolumeSizeInGB": 30},
            "StoppingCondition": {"MaxRuntimeInSeconds": 3600},
        }
    )
    assert jobs.run(finds, request=request, platform=data.platform).succeeded
    shards = [sorted(found) for found in finds.trees["train"].values()]
    assert len(shards) == 2
    assert sorted(name for each in shards for name in each) == ["0", "1", "2", "3"]


def test_an_empty_prefix_is_refused_in_sagemaker_s_words(jobs, data):
    with pytest.raises(RequestError) as told:
        jobs.run(Finds(), platform=data.platform, channels={"train": f"s3://{data.name}/none"})
    assert told.value.what == (
        f'No S3 objects found under S3 URL "s3://{data.name}/none" given in input data source. Please ensure that the '
        "bucket exists in the selected region (us-east-1), that objects exist under that S3 prefix, and that the role "
        f'"{jobs_role()}" has "s3:ListBucket" permissions on bucket "{data.name}".'
    )
    assert not jobs.folder().path.exists()


def jobs_role():
    return api.training_request("img").role_arn


def test_buckets_that_are_not_there_are_refused_before_anything_starts(jobs, data):
    with pytest.raises(RequestError, match="there is no bucket nowhere"):
        jobs.run(Finds(), platform=data.platform, channels={"train": "s3://nowhere/in/"})
    assert not jobs.folder().path.exists()


def test_an_output_bucket_that_is_not_there_is_refused_before_anything_starts(jobs, bucket):
    with pytest.raises(RequestError, match="there is no bucket nowhere"):
        jobs.run(
            Finds(), platform=replace(api.platform(), s3=bucket.place), output_path="s3://nowhere/models/"
        )
    assert not jobs.folder().path.exists()


def test_keys_that_cannot_all_be_files_fail_the_job(jobs, bucket):
    bucket.put("in/a", "in/a/b")
    result = jobs.run(
        Finds(), platform=replace(api.platform(), s3=bucket.place), channels={"train": bucket.uri("in/")}
    )
    assert result.failure_reason.startswith(
        "ClientError: Data download failed:two objects need the same name"
    )
    assert jobs.heard.of(ContainerStarted) == []


def test_keys_that_lead_out_of_the_channel_fail_the_job(jobs, bucket):
    bucket.put("in/../../../../outside")
    result = jobs.run(
        Finds(), platform=replace(api.platform(), s3=bucket.place), channels={"train": bucket.uri("in/")}
    )
    assert result.failure_reason.startswith(
        "ClientError: Data download failed:the key of an object cannot be"
    )


def test_fast_file_takes_whole_folders_only(jobs, data):
    data.put("in/a", "in-2")
    finds = Finds("train")
    channel = api.channel(f"s3://{data.name}/in", mode="FastFile")
    jobs.run(finds, platform=data.platform, channels={"train": channel})
    assert finds.trees["train"]["algo-1"] == {"a": "in/a"}, "a folder's name without its slash is taken"
    part = api.channel(f"s3://{data.name}/in-", mode="FastFile")
    with pytest.raises(RequestError, match="FastFile mode takes whole folders only"):
        jobs.run(Finds(), platform=data.platform, channels={"train": part}, job_name="again")


def test_where_nothing_can_be_mounted_fast_file_is_downloaded_and_that_is_said(jobs, bucket, monkeypatch):
    bucket.put("in/a")
    monkeypatch.setattr("sm_emulate.storage.s3_mount.why_not", lambda: "this machine has no /dev/fuse")
    finds = Finds("train")
    jobs.run(
        finds,
        platform=replace(api.platform(), s3=bucket.place),
        channels={"train": api.channel(bucket.uri("in/"), mode="FastFile")},
    )
    assert finds.trees["train"]["algo-1"] == {"a": "in/a"}
    assert [event.message for event in jobs.heard.of(Noted)] == [
        "channel train is downloaded before the start, since this machine has no /dev/fuse"
    ]


def test_a_mount_that_fails_is_told_and_the_channel_downloaded(jobs, bucket, monkeypatch):
    bucket.put("in/a")
    monkeypatch.setattr("sm_emulate.storage.s3_mount.why_not", lambda: None)
    monkeypatch.setattr("sm_emulate.storage.rclone.found_rclone", lambda: "/bin/false")
    finds = Finds("train")
    jobs.run(
        finds,
        platform=replace(api.platform(), s3=bucket.place),
        channels={"train": api.channel(bucket.uri("in/"), mode="FastFile")},
    )
    assert finds.trees["train"]["algo-1"] == {"a": "in/a"}
    (note,) = jobs.heard.of(Noted)
    assert note.message == "channel train is downloaded before the start, since false could not be started"


def test_the_cache_may_be_removed_while_the_container_runs(jobs, bucket, cache, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache / "removed"))
    bucket.put("in/a")
    got = []

    def program(box):
        object_cache(os.environ).remove()
        got.append(box.path(f"{DATA}/train/a").read_text())

    jobs.run(
        program, platform=replace(api.platform(), s3=bucket.place), channels={"train": bucket.uri("in/")}
    )
    assert got == ["in/a"]


def test_what_was_fetched_once_is_not_fetched_again(jobs, bucket, wire, cache):
    content = os.urandom(3 << 20)
    bucket.put_bytes("in/a", content)
    platform = replace(api.platform(), s3=replace(bucket.place, endpoint_url=wire.url))
    sizes = []

    def program(box):
        sizes.append(box.path(f"{DATA}/train/a").stat().st_size)

    jobs.run(program, platform=platform, channels={"train": bucket.uri("in/")})
    assert wire.served > len(content)
    assert jobs.heard.of(Progress)[-1].done_bytes == len(content)
    before = wire.served
    jobs.run(program, platform=platform, channels={"train": bucket.uri("in/")}, job_name="again")
    assert wire.served - before < len(content) / 10
    bucket.put_bytes("in/a", content[:-1])
    jobs.run(program, platform=platform, channels={"train": bucket.uri("in/")}, job_name="changed")
    assert sizes == [len(content), len(content), len(content) - 1], "another ETag is another object"


def test_a_connection_that_breaks_goes_on_where_it_broke(jobs, bucket, wire):
    content = os.urandom(4 << 20)
    bucket.put_bytes("in/a", content)
    wire.broken_after = 2 << 20
    platform = replace(api.platform(), s3=replace(bucket.place, endpoint_url=wire.url))
    got = []
    result = jobs.run(
        lambda box: got.append(box.path(f"{DATA}/train/a").read_bytes()),
        platform=platform,
        channels={"train": bucket.uri("in/")},
    )
    assert result.succeeded, result.failure_reason
    assert got == [content]
    assert wire.served < len(content) * 1.75, "what had come was not fetched again"


def test_a_large_object_comes_in_parts_and_those_that_have_come_are_kept(bucket, wire, tmp_path, monkeypatch):
    monkeypatch.setattr("sm_emulate.storage.object_cache.LARGE", 1 << 20)
    monkeypatch.setattr("sm_emulate.storage.object_cache.PART", 1 << 20)
    from sm_emulate.storage.object_cache import FetchStopped
    from sm_emulate.storage.s3_store import S3Store

    content = os.urandom((8 << 20) + 5)
    bucket.put_bytes("large", content)
    store = S3Store(replace(bucket.place, endpoint_url=wire.url))
    cache = ObjectCache(tmp_path / "cache")
    cache.folder.mkdir()
    (found,) = store.objects(bucket.uri("large"))
    come = []
    with pytest.raises(FetchStopped):
        cache.fetch(store, [found], tell=come.append, stopping=lambda: sum(come) >= 4 << 20)
    first, before = sum(come), wire.served
    assert not cache.path(store, found).exists()
    cache.fetch(store, [found], tell=lambda _: None, stopping=lambda: False)
    assert cache.path(store, found).read_bytes() == content
    assert first >= 4 << 20
    assert wire.served - before < len(content) - (1 << 20), "whole parts were not fetched again"


def test_two_runs_that_want_the_same_large_object_fetch_it_once(bucket, wire, tmp_path, monkeypatch):
    monkeypatch.setattr("sm_emulate.storage.object_cache.LARGE", 1 << 20)
    monkeypatch.setattr("sm_emulate.storage.object_cache.PART", 1 << 20)
    from sm_emulate.storage.s3_store import S3Store

    content = os.urandom(8 << 20)
    bucket.put_bytes("large", content)
    place = replace(bucket.place, endpoint_url=wire.url)
    (found,) = S3Store(place).objects(bucket.uri("large"))
    (tmp_path / "cache").mkdir()

    def run():
        ObjectCache(tmp_path / "cache").fetch(
            S3Store(place), [found], tell=lambda _: None, stopping=lambda: False
        )

    runs = [threading.Thread(target=run) for _ in range(2)]
    for each in runs:
        each.start()
    for each in runs:
        each.join()
    assert ObjectCache(tmp_path / "cache").path(S3Store(place), found).read_bytes() == content
    assert wire.served < len(content) * 1.5


def test_a_stop_while_downloading_is_obeyed(jobs, bucket):
    bucket.put_bytes("in/a", os.urandom(1 << 20))
    jobs.heard.react(Progress, jobs.stop)
    result = jobs.run(
        Finds(), platform=replace(api.platform(), s3=bucket.place), channels={"train": bucket.uri("in/")}
    )
    assert result.status.value == "Stopped"
    assert jobs.heard.of(ContainerStarted) == []


def test_a_disk_that_is_too_small_fails_the_job_in_sagemaker_s_words(jobs, bucket, monkeypatch):
    import shutil

    bucket.put("in/a")
    full = shutil.disk_usage("/")._replace(free=1)
    monkeypatch.setattr("sm_emulate.lifecycle.training.channels.shutil.disk_usage", lambda _: full)
    result = jobs.run(
        Finds(), platform=replace(api.platform(), s3=bucket.place), channels={"train": bucket.uri("in/")}
    )
    assert result.failure_reason == "ClientError: Data download failed:Insufficient disk space"


def test_the_cache_is_not_removed_while_it_is_used(bucket, cache, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache / "of-its-own"))
    kept = object_cache(os.environ)
    with kept.held(), pytest.raises(MachineError, match="in use"):
        kept.remove()
    kept.remove()
    assert not kept.folder.exists()


def test_what_a_killed_process_left_in_the_cache_is_tidied_and_parts_are_kept(bucket, cache, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache / "tidied"))
    kept = object_cache(os.environ)
    with kept.held():
        (kept.folder / ".drafts" / "half").touch()
        (kept.folder / "large.part").touch()
        kept.tidy()
        assert (kept.folder / ".drafts" / "half").exists(), "another process may be writing it"
    kept.tidy()
    assert sorted(path.name for path in kept.folder.iterdir()) == [".lock", "large.part"]


def _file_system(tmp_path, access):
    return api.training_request_from_aws(
        {
            "TrainingJobName": "job",
            "RoleArn": "arn:aws:iam::123456789012:role/r",
            "AlgorithmSpecification": {"TrainingImage": "img:1", "TrainingInputMode": "File"},
            "InputDataConfig": [
                {
                    "ChannelName": "train",
                    "DataSource": {
                        "FileSystemDataSource": {
                            "FileSystemId": "fs-0123456789",
                            "FileSystemAccessMode": access,
                            "FileSystemType": "EFS",
                            "DirectoryPath": "/data/train",
                        }
                    },
                }
            ],
            "OutputDataConfig": {"S3OutputPath": str(tmp_path / "out")},
            "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 30},
            "StoppingCondition": {"MaxRuntimeInSeconds": 3600},
            "VpcConfig": {"SecurityGroupIds": ["sg-1"], "Subnets": ["subnet-1"]},
        }
    )


@pytest.mark.parametrize("access", ["ro", "rw"])
def test_a_local_folder_stands_for_a_file_system(jobs, tmp_path, access):
    folder = tmp_path / "efs" / "data" / "train"
    folder.mkdir(parents=True)
    (folder / "a").write_text("a")
    platform = api.platform(file_systems={"fs-0123456789": tmp_path / "efs"})
    seen = []

    def program(box):
        seen.append(tree(box, "train"))
        mount = next(each for each in box.spec.mounts if each.target == f"{DATA}/train")
        seen.append((mount.source, mount.read_only))

    assert jobs.run(program, request=_file_system(tmp_path, access), platform=platform).succeeded
    assert seen == [{"a": "a"}, (str(folder), access == "ro")]


def test_a_file_system_that_nothing_stands_for_is_refused(jobs, tmp_path):
    with pytest.raises(RequestError, match="which folder stands for the file system is not known") as told:
        jobs.run(Finds(), request=_file_system(tmp_path, "ro"))
    assert told.value.hint == "--file-system fs-0123456789=./FOLDER"
    platform = api.platform(file_systems={"fs-0123456789": tmp_path})
    with pytest.raises(RequestError, match="the directory is not in the folder"):
        jobs.run(Finds(), request=_file_system(tmp_path, "ro"), platform=platform)


def test_access_to_models_is_taken_and_has_no_effect(jobs, tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "weights").write_text("w")
    channel = api.channel(tmp_path / "model")
    channel["DataSource"]["S3DataSource"]["ModelAccessConfig"] = {"AcceptEula": True}
    finds = Finds("model")
    jobs.run(finds, channels={"model": channel})
    assert finds.trees["model"]["algo-1"] == {"weights": "w"}


def test_a_plan_says_what_would_be_downloaded_and_downloads_nothing(data, cache):
    data.put("in/a", "in/b")
    request = api.training_request("img", channels={"train": f"s3://{data.name}/in/"})
    (host,) = api.plan(request, platform=data.platform)
    (channel,) = host.channels
    assert (channel.channel, channel.objects, channel.size) == ("train", 2, 8)
    assert (channel.way, channel.missing) == (
        ("mounted", 0) if data.platform.s3.folder else ("downloaded", 8)
    )


def test_nobody_answers_and_nothing_is_started(jobs, monkeypatch):
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    place = S3Place(endpoint_url="http://127.0.0.1:9", access_key="a", secret_key="b")
    with pytest.raises(StorageError, match="cannot be connected to"):
        jobs.run(Finds(), platform=replace(api.platform(), s3=place), channels={"train": "s3://b-1/in/"})
    assert not jobs.folder().path.exists()
