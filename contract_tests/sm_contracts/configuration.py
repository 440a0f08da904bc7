"""`[tool.sm-emulate]` in pyproject.toml, or sm-emulate.toml: the flags of `validate`, kept with the project."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sm_contracts.reports import FORMATS
from sm_contracts.roles import Role
from sm_contracts.rule import Severity
from sm_contracts.schema import DIALECT, HOME
from sm_emulate.errors import RequestError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

OWN_FILE, SHARED_FILE = "sm-emulate.toml", "pyproject.toml"
_TABLE = ("tool", "sm-emulate")
_LINK = f"{HOME}/blob/main/docs/validate.md"


@dataclass(frozen=True, kw_only=True)
class Configuration:
    """What the file says, in the words that flags use.

    Paths in it start from the file's folder, so that it means the same wherever the command is run.
    """

    file: Path | None = None
    values: Mapping[str, Any] = field(default_factory=dict)
    """By flag, without the two hyphens: a string, a number, true, a tuple of strings, or a mapping of strings."""


@dataclass(frozen=True, kw_only=True)
class Key:
    """One key of the file."""

    schema: Mapping[str, Any]
    read: Callable[[str, Any, Path], Any]
    """Given the key, the value and the file's folder; raises `_Wrong` with what was expected."""


class _Wrong(Exception):  # noqa: N818  # never leaves this module
    def __init__(self, expected: str, value: Any = None) -> None:
        super().__init__(expected)
        self.expected, self.value = expected, value


def find(start: Path) -> Path | None:
    """Give the nearest file with our settings, from `start` upwards; sm-emulate.toml before pyproject.toml."""
    for folder in (start.absolute(), *start.absolute().parents):
        own = folder / OWN_FILE
        if own.is_file():
            return own
        shared = folder / SHARED_FILE
        if shared.is_file() and _TABLE[1] in _table(shared, _load(shared).get("tool", {})):
            return shared
    return None


def read(file: Path | None) -> Configuration:
    """Read a file and check every key and value.

    Raises:
        RequestError: it cannot be read, or holds a key or a value that is not known.
    """
    if file is None:
        return Configuration()
    document = _load(file)
    if file.name == SHARED_FILE:
        document = _table(file, _table(file, document.get("tool", {})).get(_TABLE[1], {}))
    folder = file.absolute().parent
    values: dict[str, Any] = {}
    for key, value in document.items():
        if key not in KEYS:
            near = _nearest(key, list(KEYS))
            raise RequestError(
                f"{file} has a key that is not known",
                value=key,
                expected=f"one of {', '.join(KEYS)}",
                hint=f"did you mean {near}?" if near else None,
                link=_LINK,
            )
        try:
            values[key] = KEYS[key].read(key, value, folder)
        except _Wrong as wrong:
            raise RequestError(
                f"{file}: {key} has a wrong value",
                value=repr(value if wrong.value is None else wrong.value),
                expected=wrong.expected,
                link=_LINK,
            ) from None
    return Configuration(file=file, values=values)


def configuration_schema() -> dict[str, Any]:
    """Give the JSON schema of the file, published as docs/sm-emulate.schema.json."""
    return {
        "$schema": DIALECT,
        "$id": f"{HOME}/raw/main/docs/sm-emulate.schema.json",
        "title": "sm-emulate.toml, and [tool.sm-emulate] in pyproject.toml",
        "type": "object",
        "properties": {name: dict(key.schema) for name, key in KEYS.items()},
        "additionalProperties": False,
    }


def _load(file: Path) -> dict[str, Any]:
    try:
        with file.open("rb") as opened:
            return tomllib.load(opened)
    except OSError as error:
        raise RequestError(
            f"the configuration cannot be read: {error.strerror}", value=file, expected="a TOML file"
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RequestError(
            f"the configuration is no TOML: {error}", value=file, expected="a TOML file"
        ) from error


def _table(file: Path, value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise RequestError(f"{file}: [{'.'.join(_TABLE)}] is no table", value=repr(value), expected="a table")
    return value


def _nearest(word: str, known: list[str]) -> str | None:
    from difflib import get_close_matches

    near = get_close_matches(word.lower().replace("_", "-"), known, n=1)
    return near[0] if near else None


# How each kind of value is read.


def _string(_key: str, value: Any, _folder: Path) -> str:
    if not isinstance(value, str):
        raise _Wrong("a string")
    return value


def _word(key: str, value: Any, folder: Path) -> str:
    """Read a string that may be written as a number."""
    return str(value) if type(value) is int else _string(key, value, folder)


def _path(key: str, value: Any, folder: Path) -> str:
    return _from(folder, _string(key, value, folder))


def _data(key: str, value: Any, folder: Path) -> str:
    text = _string(key, value, folder)
    return f"@{_from(folder, text[1:])}" if text.startswith("@") and text != "@-" else text


def _yes(_key: str, value: Any, _folder: Path) -> bool:
    if not isinstance(value, bool):
        raise _Wrong("true or false")
    return value


def _seconds(_key: str, value: Any, _folder: Path) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
        raise _Wrong("a number of seconds")
    return float(value)


def _one_of(*choices: str) -> Callable[[str, Any, Path], str]:
    def choose(_key: str, value: Any, _folder: Path) -> str:
        if value not in choices:
            raise _Wrong(f"one of {', '.join(choices)}")
        return str(value)

    return choose


def _strings(*choices: str) -> Callable[[str, Any, Path], tuple[str, ...]]:
    """Read a string or a list of strings, each one of `choices` if there are any."""

    def several(_key: str, value: Any, _folder: Path) -> tuple[str, ...]:
        items = [value] if isinstance(value, str) else value
        if not isinstance(items, list) or not all(isinstance(each, str) for each in items):
            raise _Wrong("a string or a list of strings")
        for each in items:
            if choices and each not in choices:
                raise _Wrong(f"one of {', '.join(choices)}", each)
        return tuple(items)

    return several


def _pairs(_key: str, value: Any, _folder: Path) -> tuple[str, ...]:
    """Read a table, or a list of NAME=VALUE as the flags take them."""
    if isinstance(value, dict):
        if not all(isinstance(each, str | int | float) for each in value.values()):
            raise _Wrong("a table of strings")
        return tuple(f"{name}={_scalar(each)}" for name, each in value.items())
    if isinstance(value, list) and all(isinstance(each, str) and "=" in each for each in value):
        return tuple(value)
    raise _Wrong("a table of strings, or a list of NAME=VALUE")


def _scalar(value: str | float | bool) -> str:
    return value if isinstance(value, str) else str(value).lower() if isinstance(value, bool) else str(value)


def _channels(key: str, value: Any, folder: Path) -> tuple[str, ...]:
    found = []
    for pair in _pairs(key, value, folder):
        name, _, rest = pair.partition("=")
        path, *options = re.split(r"(?<!\\),", rest)
        found.append(",".join((f"{name}={_from(folder, path)}", *options)))
    return tuple(found)


def _reasons(_key: str, value: Any, _folder: Path) -> dict[str, str]:
    if not isinstance(value, dict):
        raise _Wrong('a table that says why, as {SM112 = "our base is large on purpose"}')
    for name, reason in value.items():
        if not isinstance(reason, str) or not reason.strip():
            raise _Wrong(f'a reason, as {{{name} = "our base is large on purpose"}}')
    return dict(value)


def _reports(_key: str, value: Any, folder: Path) -> tuple[str, ...]:
    if not isinstance(value, dict) or not all(isinstance(each, str) for each in value.values()):
        raise _Wrong('a table of files by format, as {html = "report.html"}')
    for name in value:
        if name not in FORMATS:
            raise _Wrong(f"formats among {', '.join(FORMATS)}", name)
    return tuple(f"{name}={_from(folder, file)}" for name, file in value.items())


def _from(folder: Path, path: str) -> str:
    """Give a path of the file as seen from anywhere; s3:// and the like stay."""
    if re.match(r"[a-z][a-z0-9+.-]*://", path):
        return path
    return str(folder / Path(path).expanduser())


_TEXT = {"type": "string"}
_TEXTS = {"type": "array", "items": _TEXT}
_PAIRS = {
    "anyOf": [
        {"type": "object", "additionalProperties": {"type": ["string", "number", "boolean"]}},
        {"type": "array", "items": {"type": "string", "pattern": "="}},
    ]
}
_ROLES = [role.value for role in Role]
_SEVERITIES = [severity.value for severity in Severity]


def _key(read_value: Callable[[str, Any, Path], Any], description: str, schema: Mapping[str, Any]) -> Key:
    return Key(read=read_value, schema={"description": description, **schema})


KEYS: Mapping[str, Key] = {
    "role": _key(
        _strings(*_ROLES),
        "What the image is meant for; found from the image if not given.",
        {"anyOf": [{"enum": _ROLES}, {"type": "array", "items": {"enum": _ROLES}}]},
    ),
    "channel": _key(_channels, 'Sample training data: {train = "data"}; options behind commas.', _PAIRS),
    "input": _key(
        _channels, 'Sample data of processing runs: {data = "data"}; options behind commas.', _PAIRS
    ),
    "processing-output": _key(
        _strings(),
        "Outputs of processing runs: a name, then from=LOCAL_PATH behind a comma.",
        {"anyOf": [_TEXT, _TEXTS]},
    ),
    "hyperparameter": _key(_pairs, "Hyperparameters of the training runs.", _PAIRS),
    "environment": _key(_pairs, "Variables of every container.", _PAIRS),
    "metric": _key(_pairs, "Metric definitions: a regex whose group 1 is the number.", _PAIRS),
    "model": _key(_path, "Folder or .tar.gz for /opt/ml/model.", _TEXT),
    "data": _key(_data, "A request body that the image understands: text, or @FILE.", _TEXT),
    "content-type": _key(_string, "MIME type of the data.", _TEXT),
    "accept": _key(_string, "MIME type that is wanted back.", _TEXT),
    "instance-type": _key(_string, "Decides architecture, and GPUs with gpus = auto.", _TEXT),
    "gpus": _key(_word, "auto, none, all, a number, or device=ID[,ID...].", {"type": ["string", "integer"]}),
    "enable-network-isolation": _key(
        _yes, "It will run isolated: needing a network is an error.", {"type": "boolean"}
    ),
    "select": _key(
        _strings(), "Rules to judge: ids, names, or the beginning of ids.", {"anyOf": [_TEXT, _TEXTS]}
    ),
    "ignore": _key(
        _reasons,
        "Rules to leave out, each with the reason.",
        {"type": "object", "additionalProperties": {"type": "string", "pattern": "\\S"}},
    ),
    "fail-on": _key(
        _one_of(*_SEVERITIES), "From which severity on a broken rule fails the check.", {"enum": _SEVERITIES}
    ),
    "startup-timeout": _key(
        _seconds, "Until when GET /ping must answer 200, in seconds.", {"type": "number", "minimum": 0}
    ),
    "stop-grace": _key(
        _seconds, "Between SIGTERM and SIGKILL, in seconds.", {"type": "number", "minimum": 0}
    ),
    "output": _key(_one_of(*FORMATS), "Form of the report on stdout.", {"enum": list(FORMATS)}),
    "report": _key(
        _reports,
        'Files to write reports to, by format: {html = "report.html"}.',
        {"type": "object", "properties": dict.fromkeys(FORMATS, _TEXT), "additionalProperties": False},
    ),
}
"""Every key, named like its flag."""
