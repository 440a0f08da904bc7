"""Finding programs in an image as the engine would: PATH, links, execute bits, interpreter lines."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING

from sm_contracts.evidence.image import Interpreter, Launch, Program

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Literal

    from sm_emulate.api import Image, ImageFiles

USUAL_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""Docker's own, for images that set none."""
INITS = {
    "tini": {"-p", "-e"},
    "tini-static": {"-p", "-e"},
    "docker-init": {"-p", "-e"},
    "dumb-init": {"-r", "--rewrite"},
    "catatonit": set[str](),
}
"""Programs that only start another one, with those of their options that take a value."""
_HEAD = 4096
"""Bytes; the kernel itself reads 256 of an interpreter line."""


def launch(files: ImageFiles, image: Image, word: Literal["train", "serve"]) -> Launch:
    """Tell what `docker run IMAGE train` (or serve) would run."""
    argv = (*image.entrypoint, word) if any(image.entrypoint) else (word,)
    program = find(files, image, argv[0])
    init = posixpath.basename(argv[0])
    behind = None
    if init in INITS and image.entrypoint:
        behind_word = next(_behind_init(init, argv[1:]), "")
        behind = find(files, image, behind_word) if behind_word else Program(word="")
    return Launch(
        word=word,
        argv=argv,
        program=program,
        from_entrypoint=any(image.entrypoint),
        init=init if init in INITS else "",
        behind_init=behind,
    )


def find(files: ImageFiles, image: Image, word: str) -> Program:
    """Look a program up. One without an execute bit is found only if no other folder has a better one."""
    candidates, searched = _candidates(image, word)
    second: Program | None = None
    for path in candidates:
        found = files.follow(path)
        if found is None or found.kind != "file":
            continue
        if found.mode & 0o111:
            return _look(files, image, Program(word=word, path=path, real_path=found.path))
        second = second or Program(word=word, path=path, real_path=found.path, executable=False)
    if second is not None:
        return _look(files, image, second)
    return Program(word=word, searched=searched)


def _candidates(image: Image, word: str) -> tuple[list[str], tuple[str, ...]]:
    if not word:
        return [], ()
    if "/" in word:
        path = posixpath.normpath(posixpath.join("/", image.working_dir, word))
        return [path], (posixpath.dirname(path),)
    folders = [
        posixpath.join("/", image.working_dir, folder)
        for folder in (image.environment.get("PATH") or USUAL_PATH).split(":")
    ]
    return [posixpath.join(folder, word) for folder in folders], tuple(dict.fromkeys(folders))


def _look(files: ImageFiles, image: Image, program: Program) -> Program:
    """Add what kind of file it is."""
    from dataclasses import replace

    head = files.read(program.real_path, _HEAD) or b""
    if not head:
        return replace(program, kind="empty")
    if head.startswith(b"#!"):
        return replace(program, kind="script", interpreter=_interpreter(files, image, head))
    if b"\0" in head or head.startswith(b"\x7fELF"):
        return program
    return replace(program, kind="text")


def _interpreter(files: ImageFiles, image: Image, head: bytes) -> Interpreter:
    first = head.split(b"\n", 1)[0]
    line = first.rstrip(b"\r").decode("utf-8", "replace")
    words = line[2:].strip().split(None, 1)
    path = words[0] if words else ""
    if not path:
        return Interpreter(line=line, ends_in_cr=first.endswith(b"\r"), found=False)
    found = files.follow(posixpath.join("/", image.working_dir, path))
    behind = ""
    if posixpath.basename(path) == "env" and len(words) == 2:
        behind = _behind_env(words[1].strip())
    return Interpreter(
        line=line,
        ends_in_cr=first.endswith(b"\r"),
        path=path,
        found=found is not None and found.kind == "file",
        behind_env=behind,
        behind_env_found=not behind or find_only(files, image, behind),
    )


def find_only(files: ImageFiles, image: Image, word: str) -> bool:
    """Tell whether a program is there, without looking into it."""
    for path in _candidates(image, word)[0]:
        found = files.follow(path)
        if found is not None and found.kind == "file":
            return True
    return False


def _behind_env(argument: str) -> str:
    """Give the program that env runs. Without -S the kernel hands all that follows over as one word."""
    if not argument.startswith("-"):
        return argument
    for option in ("-S", "--split-string=", "-vS"):
        if argument.startswith(option):
            words = argument[len(option) :].split()
            return next((word for word in words if "=" not in word and not word.startswith("-")), "")
    return ""  # other options: what it runs is not for us to say


def _behind_init(init: str, words: tuple[str, ...]) -> Iterator[str]:
    """Give what follows an init's own options."""
    waiting = list(words)
    while waiting:
        word = waiting.pop(0)
        if word == "--":
            yield from waiting
            return
        if not word.startswith("-"):
            yield word
            yield from waiting
            return
        if word in INITS[init] and waiting:
            waiting.pop(0)
