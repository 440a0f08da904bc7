"""Write instance_types.json anew: `python -m sm_emulate.spec.instance_update [MOTO-WHEEL]`.

Which types there are is what the installed botocore enumerates; how large they are is what moto keeps of EC2's
DescribeInstanceTypes. EC2 no longer lists types that it has retired, and SageMaker's API still does: such a type keeps
the row that an older moto gave. To begin anew, give an old wheel first and a new one after it.
"""

from __future__ import annotations

import argparse
import gzip
import json
import sys
import zipfile
from datetime import date
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from sm_emulate.spec.instance_types import CATALOGUE

SHAPES = (
    "TrainingInstanceType",
    "ProcessingInstanceType",
    "TransformInstanceType",
    "ProductionVariantInstanceType",
)
_INSIDE = "moto/ec2/resources/instance_types.json"


def known_types() -> list[str]:
    """Name the types that jobs and endpoints may ask for, by the installed botocore."""
    (found,) = sorted(_package("botocore").glob("data/sagemaker/*/service-2.json*"))[-1:]
    shapes = json.loads(_text(found.read_bytes()))["shapes"]
    return sorted({name for shape in SHAPES for name in shapes[shape]["enum"]})


def told_by_moto(wheel: Path | None) -> tuple[str, dict[str, Any]]:
    """Give moto's version and what EC2 told it of each of its types; without a wheel the installed moto."""
    if wheel is not None:
        with zipfile.ZipFile(wheel) as opened:
            inside = next(name for name in opened.namelist() if name.startswith(_INSIDE))
            return wheel.name.split("-")[1], json.loads(_text(opened.read(inside)))
    from importlib.metadata import version

    (found,) = _package("moto").parent.glob(f"{_INSIDE}*")
    return version("moto"), json.loads(_text(found.read_bytes()))


def row(told: dict[str, Any]) -> dict[str, Any]:
    """Give the row of one type, from DescribeInstanceTypes."""
    made: dict[str, Any] = {
        "vcpus": told["VCpuInfo"]["DefaultVCpus"],
        "memory_mib": told["MemoryInfo"]["SizeInMiB"],
    }
    for gpu in told.get("GpuInfo", {}).get("Gpus", ()):
        if gpu["Manufacturer"].upper() == "NVIDIA":
            made |= {
                # a part of a GPU is one device to the container
                "gpus": int(gpu.get("LogicalGpuCount") or gpu["Count"]),
                "gpu": gpu["Name"],
                "gpu_memory_mib": gpu["MemoryInfo"]["SizeInMiB"],
            }
    if "InstanceStorageInfo" in told:
        made["local_gb"] = told["InstanceStorageInfo"]["TotalSizeInGB"]
    return made


def updated(before: dict[str, Any], source: str, told: dict[str, Any], names: list[str]) -> dict[str, Any]:
    """Give the catalogue with what this source tells; a type that it does not know keeps its row."""
    types = {}
    for name in names:
        if (ec2 := name.removeprefix("ml.")) in told:
            types[name] = row(told[ec2]) | {"from": source}
        elif name in before.get("types", {}):
            types[name] = before["types"][name]
    return {
        "about": "Sizes of EC2 instance types, from moto (Apache-2.0), which keeps DescribeInstanceTypes. Generated.",
        "updated": date.today().isoformat(),  # noqa: DTZ011  # a day for a reader
        "unknown": [name for name in names if name not in types],
        "types": types,
    }


def rendered(catalogue: dict[str, Any]) -> str:
    """Give the file's text: one type a line, so that a change can be read."""
    rows = ",\n".join(
        f"{json.dumps(name)}: {json.dumps(each, separators=(', ', ': '))}"
        for name, each in catalogue["types"].items()
    )
    head = "".join(
        f"{json.dumps(key)}: {json.dumps(catalogue[key])},\n" for key in ("about", "updated", "unknown")
    )
    return f'{{\n{head}"types": {{\n{rows}\n}}\n}}\n'


def main(arguments: list[str] | None = None) -> int:
    """Write the file, or tell whether it is stale."""
    parser = argparse.ArgumentParser(
        prog="python -m sm_emulate.spec.instance_update", description="Write the sizes of instance types."
    )
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 when the file is stale")
    parser.add_argument(
        "wheels", nargs="*", type=Path, help="moto's, the newest last; else the installed moto"
    )
    given = parser.parse_args(arguments)
    before = json.loads(CATALOGUE.read_text(encoding="utf-8")) if CATALOGUE.exists() else {}
    made, names = before, known_types()
    for wheel in given.wheels or [None]:
        version, told = told_by_moto(wheel)
        made = updated(made, f"moto {version}", told, names)
    if given.check:
        if {**made, "updated": ""} == {**before, "updated": ""}:
            return 0
        print(f"{CATALOGUE.name} is stale: run python -m sm_emulate.spec.instance_update", file=sys.stderr)
        return 1
    CATALOGUE.write_text(rendered(made), encoding="utf-8")
    return 0


def _package(name: str) -> Path:
    found = find_spec(name)
    if found is None or not found.submodule_search_locations:
        raise SystemExit(f"{name} is not installed: pip install {name}")
    return Path(found.submodule_search_locations[0])


def _text(data: bytes) -> bytes:
    return gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data


if __name__ == "__main__":
    sys.exit(main())
