"""The sizes of instance types, where they are from, and what of them a container gets."""

from __future__ import annotations

import json
import zipfile
from dataclasses import replace

import pytest

from sm_emulate import api
from sm_emulate.engine.gpus import gpu_request
from sm_emulate.engine.memory import MemoryEngine
from sm_emulate.engine.protocol import GpuRequest
from sm_emulate.events import Noted
from sm_emulate.lifecycle.instance_limits import Limits, limits_of
from sm_emulate.spec import instance_update
from sm_emulate.spec.instance_types import InstanceSize, catalogue, instance_size

GIB = 1 << 30


def test_every_type_that_a_job_may_ask_for_has_a_size_or_is_known_to_have_none():
    assert sorted([*catalogue()["types"], *catalogue()["unknown"]]) == instance_update.known_types()
    assert len(catalogue()["unknown"]) <= 5
    assert all(instance_size(name).vcpus and instance_size(name).memory_mib for name in catalogue()["types"])


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("ml.m5.large", InstanceSize(vcpus=2, memory_mib=8 << 10)),
        (
            "ml.p4d.24xlarge",
            InstanceSize(
                vcpus=96, memory_mib=1152 << 10, gpus=8, gpu="A100", gpu_memory_mib=40 << 10, local_gb=8000
            ),
        ),
        # EC2 has retired it, SageMaker's API still has it
        (
            "ml.p3.2xlarge",
            InstanceSize(vcpus=8, memory_mib=61 << 10, gpus=1, gpu="V100", gpu_memory_mib=16 << 10),
        ),
        # its accelerators are no GPUs that a container could be given
        ("ml.trn1.2xlarge", InstanceSize(vcpus=8, memory_mib=32 << 10, local_gb=474)),
        ("ml.none.such", None),
    ],
)
def test_sizes_are_those_of_ec2(name, size):
    assert instance_size(name) == size


def told(name, **more):
    return {"InstanceType": name, "VCpuInfo": {"DefaultVCpus": 4}, "MemoryInfo": {"SizeInMiB": 16384}, **more}


def wheel(folder, version, types):
    path = folder / f"moto-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as made:
        made.writestr(
            "moto/ec2/resources/instance_types.json", json.dumps({t["InstanceType"]: t for t in types})
        )
    return path


def test_a_retired_type_keeps_what_an_older_source_told(tmp_path, monkeypatch):
    file = tmp_path / "instance_types.json"
    monkeypatch.setattr(instance_update, "CATALOGUE", file)
    monkeypatch.setattr(
        instance_update, "known_types", lambda: ["ml.m5.large", "ml.new.type", "ml.p2.xlarge"]
    )
    gpu = {"Manufacturer": "NVIDIA", "Count": 1, "Name": "K80", "MemoryInfo": {"SizeInMiB": 12288}}
    old = wheel(tmp_path, "1.0", [told("p2.xlarge", GpuInfo={"Gpus": [gpu]}), told("m5.large")])
    new = wheel(tmp_path, "2.0", [told("m5.large", InstanceStorageInfo={"TotalSizeInGB": 75})])
    assert instance_update.main([str(old), str(new)]) == 0
    written = json.loads(file.read_text())
    assert written["types"] == {
        "ml.m5.large": {"vcpus": 4, "memory_mib": 16384, "local_gb": 75, "from": "moto 2.0"},
        "ml.p2.xlarge": {
            "vcpus": 4, "memory_mib": 16384, "gpus": 1, "gpu": "K80", "gpu_memory_mib": 12288, "from": "moto 1.0",
        },
    }  # fmt: skip
    assert written["unknown"] == ["ml.new.type"]
    assert instance_update.main(["--check", str(new)]) == 0
    changed = wheel(tmp_path, "3.0", [told("m5.large")])
    assert instance_update.main(["--check", str(changed)]) == 1
    assert json.loads(file.read_text()) == written


@pytest.fixture
def machine():
    """An engine with 2 CPUs and 8 GiB."""
    engine = MemoryEngine()
    yield engine
    engine.close()


def limits(engine, *types, chosen=True, **settings):
    notes = []
    found = limits_of(
        types,
        chosen=chosen,
        engine=engine,
        settings=api.platform(settings={k.replace("_", "-"): v for k, v in settings.items()}).settings,
        publish=notes.append,
    )
    assert all(isinstance(note, Noted) for note in notes)
    return found, [note.message for note in notes]


def test_a_type_that_was_named_limits_memory_and_one_that_was_not_does_not(machine):
    assert limits(machine, "ml.t3.medium") == ({"ml.t3.medium": Limits(memory_bytes=4 * GIB)}, [])
    assert limits(machine, "ml.t3.medium", chosen=False) == ({"ml.t3.medium": Limits()}, [])
    assert limits(machine, "ml.t3.medium", instance_limits="none") == ({"ml.t3.medium": Limits()}, [])


def test_more_than_this_machine_has_cannot_be_given_and_is_told(machine):
    found, notes = limits(machine, "ml.p4d.24xlarge", "ml.m5.large")
    assert found == {"ml.p4d.24xlarge": Limits(), "ml.m5.large": Limits()}
    assert notes == ["ml.p4d.24xlarge has 96 vCPUs and 1152 GiB of memory; this machine has 2 and 8 GiB"]


def test_vcpus_are_limited_where_there_are_more(machine, monkeypatch):
    large = replace(machine.info(), cpus=64, memory_bytes=512 * GIB)
    monkeypatch.setattr(machine, "info", lambda: large)
    found, notes = limits(machine, "ml.c5.xlarge")
    assert found == {"ml.c5.xlarge": Limits(cpus=4, memory_bytes=8 * GIB)}
    assert notes == []


def test_a_limit_of_ones_own_wins_over_the_type(machine):
    own = Limits(memory_bytes=256 << 20)
    assert limits(machine, "ml.p4d.24xlarge", memory_limit="256m")[0] == {"ml.p4d.24xlarge": own}
    assert limits(machine, "ml.m5.large", chosen=False, memory_limit="256m")[0] == {"ml.m5.large": own}


def test_a_type_of_unknown_size_limits_nothing_and_says_so(machine):
    found, notes = limits(machine, "ml.p6e-gb200.36xlarge")
    assert found == {"ml.p6e-gb200.36xlarge": Limits()}
    assert notes == [
        "how large ml.p6e-gb200.36xlarge is is not known: its containers have all of this machine"
    ]


def test_each_host_has_the_limits_of_its_own_type(jobs):
    seen = {}

    def program(box):
        said = json.loads(box.path("/opt/ml/input/config/resourceconfig.json").read_text())
        seen[said["current_instance_type"]] = box.spec.memory_bytes

    jobs.run(program, instance_type="ml.t3.medium", instance_count=2)
    jobs.run(program, job_name="unsized")
    assert seen == {"ml.t3.medium": 4 * GIB, "ml.m5.large": None}


def gpus(instance_type, *devices):
    engine = MemoryEngine(gpus=1)
    info = replace(engine.info(), cdi_devices=tuple(f"nvidia.com/gpu={each}" for each in devices))
    engine.info = lambda: info
    try:
        return gpu_request("auto", instance_type=instance_type, engine=engine)
    finally:
        engine.close()


def test_a_type_has_its_own_number_of_gpus_as_far_as_they_are_there():
    assert gpus("ml.g5.xlarge", 0, 1, 2, 3) == GpuRequest(count=1)
    assert gpus("ml.g5.12xlarge", 0, 1, 2, 3) == GpuRequest(count=4)
    assert gpus("ml.p4d.24xlarge", 0, 1) == GpuRequest()
    assert gpus("ml.c5.xlarge", 0) is None
