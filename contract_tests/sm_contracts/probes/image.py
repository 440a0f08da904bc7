"""The image itself: configuration, history, manifest and files. Nothing of it is run."""

from __future__ import annotations

import posixpath
import re
from typing import TYPE_CHECKING, Any

from sm_contracts import archives, programs, references, secrets
from sm_contracts.evidence import Missing
from sm_contracts.evidence.image import (
    Configuration,
    DriverLibraries,
    HiddenFiles,
    History,
    ImageUser,
    JavaRuntime,
    KeyFiles,
    Launches,
    Manifest,
    Named,
    Purpose,
)
from sm_contracts.roles import Role
from sm_emulate.errors import MachineError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sm_contracts.evidence.image import Launch
    from sm_contracts.probes import Evidences, Workbench
    from sm_contracts.subject import Subject
    from sm_emulate.api import Engine, FileStat, Image, ImageFiles, RegistryManifest

_MOUNTED = ("/opt/ml/input", "/opt/ml/output", "/opt/ml/model")
_ENOUGH = 5
"""Hidden files that are named; the rest is not looked for."""
_REGISTRY_PATIENCE = 15.0
"""Seconds that a registry has to tell its manifest."""
_READ = 1 << 18
"""Bytes of a file that is looked into: keys and settings are small."""
_DRIVER = re.compile(r"/(?:libcuda|libnvidia-ml)\.so\.[0-9][0-9.]*$")
_NO_DRIVER = re.compile(r"/(?:stubs|[^/]*compat[^/]*)/")
_SETTINGS = re.compile(
    r"(?:\.(?:properties|options|vmoptions|jvmopts|sh|env)"
    r"|/(?:jvm\.config|model_server\.py|serve|serve\.py|[^/]*entrypoint[^/]*))$"
)
_NO_SETTINGS = re.compile(r"^/(?:proc|sys|etc/(?:init\.d|profile\.d|java-)|usr/(?:share|lib/jvm)|var/lib)")
_CONTAINER_SUPPORT = "-XX:-UseContainerSupport"
_MOST_SETTINGS = 300

_OF_FILES = {Launches, ImageUser, HiddenFiles, DriverLibraries, KeyFiles, JavaRuntime}
_OF_TREE = {DriverLibraries, KeyFiles, JavaRuntime}


class ImageProbe:
    """Looks at an image; nothing of it is run."""

    name = "image"
    gives = (
        Purpose, Named, Configuration, History, Manifest,
        Launches, ImageUser, HiddenFiles, DriverLibraries, KeyFiles, JavaRuntime,
    )  # fmt: skip
    lives = 0
    alone = False

    def run(self, bench: Workbench, wanted: frozenset[type]) -> Evidences:
        subject, engine = bench.subject, bench.engine
        image = engine.image(subject.image)
        found: dict[type, Any] = {
            Purpose: Purpose(
                roles=subject.roles,
                instance_type=subject.instance_type,
                model_given=subject.model is not None,
            ),
            Named: _named(subject),
            Configuration: Configuration(
                os=image.os,
                architecture=image.architecture,
                entrypoint=image.entrypoint,
                command=image.command,
                environment=image.environment,
                labels=image.labels,
                volumes=image.volumes,
                size_bytes=image.size_bytes,
            ),
        }
        if History in wanted:
            found[History] = History(steps=tuple(step.created_by for step in engine.history(subject.image)))
        if Manifest in wanted:
            bench.say("image: its manifest")
            found[Manifest] = _manifest(engine, subject, image)
        if wanted & _OF_FILES:
            bench.say("image: its files")
            found.update(_look_inside(bench, image, wanted))
        return {kind: found[kind] for kind in wanted}


PROBES = (ImageProbe(),)


def _look_inside(bench: Workbench, image: Image, wanted: frozenset[type]) -> dict[type, Any]:
    from sm_emulate.api import open_image

    found: dict[type, Any] = {}
    subject = bench.subject
    with open_image(bench.engine, subject.image) as files:
        launches: tuple[Launch, ...] = ()
        if wanted & {Launches, JavaRuntime}:
            launches = tuple(programs.launch(files, image, word) for word in subject_words(subject))
            found[Launches] = Launches(each=launches)
        if ImageUser in wanted:
            found[ImageUser] = _user(files, image.user)
        if HiddenFiles in wanted:
            found[HiddenFiles] = _hidden(files)
        if wanted & _OF_TREE:
            found.update(_look_at_tree(bench, files, image, launches, wanted))
    return found


def subject_words(subject: Subject) -> Iterator[Any]:
    """Give the words that the platform will put on the image's command line."""
    if subject.trains:
        yield "train"
    if subject.serves or Role.MULTI_MODEL in subject.roles:
        yield "serve"


def _named(subject: Subject) -> Named:
    if subject.archive is not None:
        return Named(text=str(subject.archive), kind="archive")
    text = subject.image
    bare_id = re.fullmatch(r"[0-9a-f]{12,64}", text) is not None
    return Named(text=text, kind="id" if references.is_id(text) or bare_id else "reference")


def _manifest(engine: Engine, subject: Subject, image: Image) -> Manifest | Missing:
    if subject.archive is not None:
        return archives.manifest_of(subject.archive)
    repository = references.repository(subject.image)
    known = any(digest.partition("@")[0] == repository for digest in image.digests)
    if not references.names_registry(subject.image) or not known:
        stored = engine.stored_manifest(subject.image)
        if stored is not None:
            return _as_evidence("the engine's image store, which is what a push sends,", stored)
        return Missing(
            "the image is on this engine only: its manifest is made when it is pushed",
            "check the pushed reference, or the archive that is pushed",
            applies=False,
        )
    try:
        told = engine.registry_manifest(subject.image, _REGISTRY_PATIENCE)
    except MachineError as error:
        words = error.evidence[0] if error.evidence else error.what
        return Missing(f"the registry does not tell its manifest: {words}", "`docker login` there first")
    return _as_evidence("the registry", told)


def _as_evidence(where: str, told: RegistryManifest) -> Manifest:
    # the platform of a single manifest is listed, too
    index = "index" in told.media_type or "list" in told.media_type
    return Manifest(where=where, media_types=(told.media_type,), platforms=told.platforms if index else ())


def _user(files: ImageFiles, configured: str) -> ImageUser:
    name = configured.partition(":")[0]
    if not name:
        return ImageUser(name="", uid=0)
    if name.isdigit():
        return ImageUser(name=name, uid=int(name))
    for line in (files.read("/etc/passwd", _READ) or b"").decode("utf-8", "replace").splitlines():
        fields = line.split(":")
        if fields[0] == name and len(fields) > 2 and fields[2].isdigit():
            return ImageUser(name=name, uid=int(fields[2]))
    return ImageUser(name=name, uid=0 if name == "root" else None)


def _hidden(files: ImageFiles) -> HiddenFiles:
    hidden: dict[str, tuple[str, ...]] = {}
    for folder in _MOUNTED:
        seen = []
        for entry in files.walk(folder):
            if entry.kind != "directory":
                seen.append(entry.path)
            if len(seen) == _ENOUGH:
                break
        if seen:
            hidden[folder] = tuple(sorted(seen))
    return HiddenFiles(in_folder=hidden)


def _look_at_tree(
    bench: Workbench, files: ImageFiles, image: Image, launches: Iterable[Launch], wanted: frozenset[type]
) -> dict[type, Any]:
    """Go through all files once; only a few of them are opened afterwards."""
    drivers: dict[str, int] = {}
    keys: list[str] = []
    java: list[str] = []
    settings: list[str] = []
    for entry in files.walk():
        path = entry.path
        if entry.kind == "directory" and bench.stopping():
            return dict.fromkeys(_OF_TREE, Missing("the check was interrupted"))
        if entry.kind != "file":
            continue
        if _DRIVER.search(path):
            if not _NO_DRIVER.search(path):
                drivers[path] = entry.size
        elif entry.size and secrets.may_be_key_file(path):
            keys.append(path)
        elif _is_java(entry):
            java.append(path)
        elif entry.size <= _READ and _SETTINGS.search(path) and not _NO_SETTINGS.search(path):
            settings.append(path)
    found: dict[type, Any] = {DriverLibraries: DriverLibraries(files=drivers)}
    if KeyFiles in wanted:
        shown = {path: secrets.in_key_file(path, files.read(path, _READ) or b"") for path in sorted(keys)}
        found[KeyFiles] = KeyFiles(files={path: what for path, what in shown.items() if what})
    if JavaRuntime in wanted:
        own = [launch.program.real_path for launch in launches if launch.program.kind == "script"]
        own += [word for word in (*image.entrypoint, *image.command) if word.startswith("/")]
        found[JavaRuntime] = _java(files, image, sorted(java), [*own, *settings[:_MOST_SETTINGS]])
    return found


def _is_java(entry: FileStat) -> bool:
    return entry.path.endswith("/libjvm.so") or (
        entry.path.endswith("/bin/java") and bool(entry.mode & 0o111)
    )


def _java(files: ImageFiles, image: Image, java: list[str], candidates: list[str]) -> JavaRuntime:
    if not java:
        return JavaRuntime(path="")
    path = next((each for each in java if each.endswith("/java")), java[0])
    for name, value in image.environment.items():
        if _CONTAINER_SUPPORT in value:
            return JavaRuntime(path=path, sign=f"the variable {name}")
    if any(_CONTAINER_SUPPORT in word for word in (*image.entrypoint, *image.command)):
        return JavaRuntime(path=path, sign="the image's command line")
    looked_at = list(dict.fromkeys(candidates))
    for each in looked_at:
        if _CONTAINER_SUPPORT.encode() in (files.read(posixpath.normpath(each), _READ) or b""):
            return JavaRuntime(path=path, sign=each)
    return JavaRuntime(path=path, looked_at=len(looked_at))
