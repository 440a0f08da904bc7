"""botocore's own description of an API operation, read without importing botocore.

Every limit that a request is checked against stands in botocore's `data/sagemaker/*/service-2.json.gz`.
Importing `botocore.model` or parsing the whole file on every start would be most of the start-up time, so the
shapes that one operation reaches are kept in a small file of their own.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sm_emulate.errors import BugError, MachineError

Shape = Mapping[str, Any]

_FORMAT = 1
"""Raised when what is kept in the cache changes."""
_SERVICE = "sagemaker"
_FILES = ("service-2.json.gz", "service-2.json")
_INSTALL_HINT = "install it again: pip install --upgrade botocore"


@dataclass(frozen=True, kw_only=True)
class Limit:
    """What the model says of one member, for messages and documentation."""

    path: str
    type: str
    required: bool = False
    minimum: int | None = None
    maximum: int | None = None
    pattern: str | None = None
    values: tuple[str, ...] = ()
    """The values of an enumeration, empty for a free value."""


@dataclass(frozen=True, kw_only=True)
class OperationModel:
    """The shapes that one API operation reaches, by name, without their documentation."""

    operation: str
    input_shape: str
    output_shape: str | None
    shapes: Mapping[str, Shape]

    @property
    def link(self) -> str:
        """The operation's page in AWS's API reference."""
        return f"https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_{self.operation}.html"

    def limit(self, path: str) -> Limit:
        """Look up a member such as `ResourceConfig.InstanceType` or `InputDataConfig.ChannelName`.

        Lists are stepped into by themselves; `[]` names the items of a list of plain values, `.key` and
        `.value` the two halves of a map.
        """
        name, required = self.input_shape, False
        for step in path.replace("[]", ".[]").split("."):
            shape = self.shapes[name]
            while shape["type"] == "list" and step != "[]":
                name = shape["member"]["shape"]
                shape = self.shapes[name]
            found = _step(shape, step)
            if found is None:
                raise BugError(f"{self.operation} has no member {path}", value=step, expected=_steps(shape))
            required = step in shape.get("required", ())
            name = found
        shape = self.shapes[name]
        return Limit(
            path=path,
            type=shape["type"],
            required=required,
            minimum=shape.get("min"),
            maximum=shape.get("max"),
            pattern=shape.get("pattern"),
            values=tuple(shape.get("enum", ())),
        )

    def enum_values(self, path: str) -> tuple[str, ...]:
        """The values that a member such as `ResourceConfig.InstanceType` may have."""
        return self.limit(path).values


def load(operation: str, *, cache_dir: Path | None = None) -> OperationModel:
    """Give the model of one operation, from `cache_dir` where it was read before.

    The cache is only ever a saving: one that cannot be read or written is passed over without a word.
    """
    source = _find_source()
    try:
        seen = source.stat()
        key = [_FORMAT, operation, str(source), seen.st_mtime_ns, seen.st_size]
        cache = None if cache_dir is None else cache_dir / _cache_name(operation, source)
        if cache is not None and (known := _read_cache(cache, key)) is not None:
            return known
        model = _closure(operation, _read_source(source))
    except (OSError, EOFError, ValueError, KeyError, TypeError) as error:
        raise MachineError(
            "botocore's description of the SageMaker API cannot be read",
            value=source,
            hint=_INSTALL_HINT,
            evidence=(f"{type(error).__name__}: {error}",),
        ) from error
    if cache is not None:
        _write_cache(cache, key, model)
    return model


def _step(shape: Shape, step: str) -> str | None:
    kind = shape["type"]
    if kind == "structure":
        member = shape["members"].get(step)
    elif kind == "list":
        member = shape["member"] if step == "[]" else None
    elif kind == "map":
        member = shape.get(step) if step in ("key", "value") else None
    else:
        member = None
    return None if member is None else str(member["shape"])


def _steps(shape: Shape) -> str:
    by_kind = {"list": "[]", "map": "key or value"}
    return by_kind.get(shape["type"]) or ", ".join(shape.get("members", ())) or "nothing below a plain value"


def _packages() -> list[str]:
    # the plain path finder saves the import of importlib.util, which few installations of botocore need
    from importlib.machinery import PathFinder

    spec = PathFinder.find_spec("botocore")
    if spec is None:
        from importlib.util import find_spec

        spec = find_spec("botocore")
    return list(spec.submodule_search_locations or ()) if spec else []


def _find_source() -> Path:
    for package in _packages():
        folder = Path(package, "data", _SERVICE)
        try:
            versions = sorted(folder.iterdir(), reverse=True)
        except OSError:
            continue
        for version in versions:
            for name in _FILES:
                if (found := version / name).is_file():
                    return found
    raise MachineError(
        "botocore's description of the SageMaker API is not installed",
        expected="the package botocore with its data/sagemaker folder",
        hint=_INSTALL_HINT,
    )


def _read_source(source: Path) -> Mapping[str, Any]:
    content = source.read_bytes()
    if source.suffix == ".gz":
        import zlib

        try:
            content = zlib.decompress(content, wbits=31)
        except zlib.error as error:
            raise ValueError(str(error)) from error
    whole: Mapping[str, Any] = json.loads(content)
    return whole


def _closure(operation: str, whole: Mapping[str, Any]) -> OperationModel:
    described = whole["operations"].get(operation)
    if described is None:
        from difflib import get_close_matches

        near = get_close_matches(operation, whole["operations"], n=3)
        raise MachineError(
            f"the installed botocore does not know the SageMaker operation {operation}",
            value=operation,
            expected=" or ".join(near) or None,
            hint="a newer botocore may know it: pip install --upgrade botocore",
        )
    roots = [described[side]["shape"] for side in ("input", "output") if side in described]
    shapes: dict[str, Shape] = {}
    waiting = list(roots)
    while waiting:
        name = waiting.pop()
        if name not in shapes:
            shapes[name] = _plain(whole["shapes"][name])
            waiting.extend(_reached(shapes[name]))
    return OperationModel(
        operation=operation,
        input_shape=described["input"]["shape"],
        output_shape=described["output"]["shape"] if "output" in described else None,
        shapes=shapes,
    )


def _plain(shape: Shape) -> Shape:
    kept = {key: value for key, value in shape.items() if key != "documentation"}
    for key in ("member", "key", "value"):
        if key in kept:
            kept[key] = {"shape": kept[key]["shape"]}
    if "members" in kept:
        kept["members"] = {name: {"shape": member["shape"]} for name, member in kept["members"].items()}
    return kept


def _reached(shape: Shape) -> Iterator[str]:
    for member in shape.get("members", {}).values():
        yield member["shape"]
    for key in ("member", "key", "value"):
        if key in shape:
            yield shape[key]["shape"]


def _cache_name(operation: str, source: Path) -> str:
    # one file for each botocore of this machine: environments that share a cache do not take turns at it
    from binascii import crc32

    return f"{_SERVICE}-{operation}-{crc32(os.fsencode(source)):08x}.json"


def _read_cache(cache: Path, key: list[Any]) -> OperationModel | None:
    try:
        kept = json.loads(cache.read_bytes())
        if kept["key"] != key:
            return None
        model = OperationModel(
            operation=kept["key"][1],
            input_shape=kept["input"],
            output_shape=kept["output"],
            shapes=kept["shapes"],
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return model if model.input_shape in model.shapes else None


def _write_cache(cache: Path, key: list[Any], model: OperationModel) -> None:
    kept = {"key": key, "input": model.input_shape, "output": model.output_shape, "shapes": model.shapes}
    half_written = cache.with_name(f".{cache.name}.{os.getpid()}")
    try:
        cache.parent.mkdir(parents=True, exist_ok=True)
        half_written.write_text(json.dumps(kept, separators=(",", ":")), encoding="utf-8")
        half_written.replace(cache)
    except OSError:
        try:
            half_written.unlink(missing_ok=True)
        except OSError:
            return
