"""Where data lies: the API's S3 URIs, and the local paths that the emulator takes in their place.

A local path is written as a plain path or as `file://`; inside a request it is always the absolute `file:///...`,
so that the request means the same from every folder.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from copy import deepcopy
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sm_emulate.errors import RequestError
from sm_emulate.request import pattern
from sm_emulate.request.validate import Problem
from sm_emulate.request.wording import shown

if TYPE_CHECKING:
    from sm_emulate.request.service_model import Limit, OperationModel

_SCHEME = re.compile(r"(s3):|([A-Za-z][A-Za-z0-9+.-]*):/", re.IGNORECASE)


def is_local(uri: str) -> bool:
    """Tell whether this is a plain path or a `file://` URI."""
    scheme = _SCHEME.match(uri)
    return scheme is None or scheme[0].lower() == "file:/"


def as_stored(uri: str) -> str:
    """Give a URI as stores take it: in one of this machine nothing is percent-encoded."""
    path = local_path(uri)
    return uri if path is None else f"file://{path}"


def local_path(uri: str, *, base_dir: Path | None = None) -> Path | None:
    """Give the path that a plain path or `file://` URI names, None for what lies elsewhere.

    `file://data/x` and `file://./data` are read as relative paths, as SageMaker's own local mode reads them.
    """
    if not is_local(uri):
        return None
    text = uri
    if uri[:5].lower() == "file:":
        from urllib.parse import unquote

        # a file's name need not be UTF-8: what Path.as_uri wrote is read back as it was
        text = unquote(uri[5:].removeprefix("//"), errors="surrogateescape")
        if text.startswith("localhost/"):
            text = text.removeprefix("localhost")
    path = Path(text)
    if text == "~" or text.startswith("~/"):
        path = path.expanduser()
    if base_dir is not None:
        path = base_dir / path
    return path


def absolute(
    document: Mapping[str, Any], members: Collection[str], *, base_dir: Path | None
) -> dict[str, Any]:
    """Copy a document with each local path in `members` written as an absolute `file:///...`."""
    copied: dict[str, Any] = deepcopy(dict(document))
    for place in members:
        for holder, name, _ in _found(copied, place):
            path = local_path(holder[name], base_dir=base_dir)
            if path is not None:
                # the folder of the user, not of a link's target: what is shown is what was typed
                holder[name] = _tidy(path).as_uri()
    return copied


def problems(
    document: Mapping[str, Any], members: Collection[str], operation: OperationModel
) -> list[Problem]:
    """List the locations in `members` that are neither a local path nor what the API takes."""
    wrong = []
    for place in members:
        limit = operation.limit(place)
        for holder, name, path in _found(document, place):
            problem = _problem(holder[name], path, limit)
            if problem is not None:
                wrong.append(problem)
    return wrong


def _problem(uri: str, path: str, limit: Limit) -> Problem | None:
    form = limit.pattern is None or pattern.matches(limit.pattern, uri)
    if not uri.strip() or "\0" in uri or not (is_local(uri) or form):
        return Problem(
            path=path,
            what=f"{path} is no place that the emulator can read or write",
            value=shown(uri),
            expected="s3://BUCKET/KEY, file:///FOLDER or a path",
        )
    if not is_local(uri) and limit.maximum is not None and len(uri) > limit.maximum:
        return Problem(
            path=path,
            what=f"{path} is too long: {len(uri)} characters",
            value=shown(uri),
            expected=f"Member must have length less than or equal to {limit.maximum}",
        )
    return None


def check_readable(path: Path, *, what: str) -> None:
    """Raise RequestError for a file or folder that is not there, or that the current user may not read."""
    import os

    if os.path.lexists(path) and path.is_symlink() and not os.path.exists(path):  # noqa: PTH110  # no errors
        raise RequestError(
            f"{what}: it is a link to nowhere", value=path, expected=f"that {path.readlink()} exists"
        )
    if not os.path.exists(path) and not _hidden(path):  # noqa: PTH110  # likewise
        raise missing(f"{what}: no such file or folder", path)
    needed = os.R_OK | (os.X_OK if os.path.isdir(path) else 0)  # noqa: PTH112  # likewise
    if not os.access(path, needed, effective_ids=os.access in os.supports_effective_ids):
        raise RequestError(
            f"{what}: it cannot be read by the current user", value=path, hint="check its owner and mode"
        )


def _hidden(path: Path) -> bool:
    """Whether it cannot be told if it is there."""
    try:
        path.lstat()
    except PermissionError:
        return True
    except OSError:
        return False
    return False


def missing(what: str, path: Path) -> RequestError:
    """Give the error for a file or folder that is not there, with the name that was probably meant."""
    from sm_emulate.request.wording import nearest

    there, wanted = path.parent, path.name
    while not there.exists() and there != there.parent:
        there, wanted = there.parent, there.name
    hint = None
    try:
        near = nearest(wanted, [entry.name for entry in there.iterdir()])
    except OSError:
        near = None
    if near is not None:
        hint = f"did you mean {there / near}?"
    elif there != path.parent:
        hint = f"the path exists up to {there}"
    return RequestError(what, value=path, expected="a file or folder that exists", hint=hint)


def _tidy(path: Path) -> Path:
    import os.path

    return Path(os.path.abspath(path))  # noqa: PTH100  # Path.resolve would follow links


def _found(node: Any, place: str, at: str = "") -> Iterator[tuple[Any, str, str]]:
    """Walk to a member such as `InputDataConfig[].DataSource.S3DataSource.S3Uri`, wherever it occurs."""
    step, _, rest = place.partition(".")
    name = step.removesuffix("[]")
    if not isinstance(node, Mapping) or name not in node:
        return
    path = f"{at}.{name}" if at else name
    if not rest:
        yield node, name, path
    elif step.endswith("[]"):
        for number, item in enumerate(node[name]):
            yield from _found(item, rest, f"{path}[{number}]")
    else:
        yield from _found(node[name], rest, path)
