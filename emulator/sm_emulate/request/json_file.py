"""A JSON file that a person wrote, read with an error of its own for each way in which it can be wrong."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from sm_emulate.errors import RequestError
from sm_emulate.request.location import missing

STDIN = Path("-")
"""The name under which a file is read from standard input."""


def read_object(path: Path, *, what: str) -> dict[str, Any]:
    """Give the object that a JSON file holds.

    Args:
        path: the file, or `-` for standard input.
        what: what the person calls it, as `the hyperparameters file`.
    """
    try:
        text = (sys.stdin.buffer.read() if path == STDIN else path.read_bytes()).decode("utf-8-sig")
    except FileNotFoundError:
        raise missing(f"{what} is not there", path.absolute()) from None
    except IsADirectoryError:
        raise RequestError(f"{what} is a folder", value=path, expected="a JSON file") from None
    except UnicodeDecodeError as error:
        raise RequestError(
            f"{what} is not text in UTF-8", value=path, expected="a JSON file", evidence=(str(error),)
        ) from error
    except OSError as error:
        raise RequestError(
            f"{what} cannot be read: {error.strerror}", value=path, expected="a JSON file"
        ) from error
    try:
        found = json.loads(text, object_pairs_hook=_once_each, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        raise RequestError(
            f"{what} is not JSON: {error.msg} at line {error.lineno}, column {error.colno}",
            value=path,
            expected="a JSON object",
            hint=_hint(path, text),
            evidence=tuple(text.splitlines()[error.lineno - 1 : error.lineno]),
        ) from error
    except (_NotPlainError, RecursionError) as error:
        raise RequestError(
            f"{what} is not plain JSON: {error}", value=path, expected="a JSON object"
        ) from error
    if not isinstance(found, dict):
        raise RequestError(
            f"{what} does not hold an object",
            value=path,
            expected='an object, as {"name": "value"}',
            evidence=(f"it holds {_JSON_WORDS[type(found)]}",),
        )
    return found


class _NotPlainError(Exception):
    """Something that Python's reader takes and the API would not."""


_JSON_WORDS = {
    list: "a list",
    str: "a string",
    int: "a number",
    float: "a number",
    bool: "true or false",
    type(None): "null",
}


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise _NotPlainError(f"{json.dumps(twice)} stands there twice")
    return found


def _refuse_constant(name: str) -> None:
    raise _NotPlainError(f"{name} is no JSON number")


def _hint(path: Path, text: str) -> str | None:
    if path == STDIN and not text.strip():
        return "nothing came over standard input, which `-` stands for"
    return "YAML is not read, only JSON" if path.suffix.lower() in (".yaml", ".yml") else None
