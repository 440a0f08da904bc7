"""Sample images that break rules, built once and described by their expect.toml."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib  # pytest itself needs it there

ROOT = Path(__file__).parents[2]
BROKEN = ROOT / "sample_images/broken"


def read_expectation(folder: Path) -> dict[str, Any]:
    return tomllib.loads((folder / "expect.toml").read_text())


@pytest.fixture(scope="session")
def expectation() -> Callable[[str], dict[str, Any]]:
    """Read what a folder below sample_images says of itself: `expectation("broken/SM104-program-not-found")`."""
    return lambda name: read_expectation(ROOT / "sample_images" / name)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test with `broken_in_band` is run for each broken image of the band that its module names."""
    if "broken_in_band" in metafunc.fixturenames:
        band = metafunc.module.BAND
        names = sorted(each.name for each in BROKEN.glob(f"{band}[0-9][0-9]-*"))
        assert names, f"no image in {BROKEN} breaks a rule of {band}"
        metafunc.parametrize("broken_in_band", names)


@pytest.fixture(scope="session")
def rewriting() -> ModuleType:
    """The module that makes archives of images into others."""
    spec = importlib.util.spec_from_file_location(
        "image_rewriting", Path(__file__).parent / "image_rewriting.py"
    )
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def broken_image(
    docker: Callable[..., Any],
    base_image: str,
    sample_image: Callable[[str], str],
    rewriting: ModuleType,
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[[str], str]:
    """Build a folder of sample_images/broken by its name; give what is to be checked: a tag or an archive."""

    def build(name: str) -> str:
        folder = BROKEN / name
        how = read_expectation(folder).get("build", {})
        tag = how.get("tag", f"sm-emulate/broken-{name.lower()}")
        if "STATIC_C" in (folder / "Dockerfile").read_text():
            sample_image("static_c")
        docker("build", "--quiet", "--build-arg", f"BASE_IMAGE={base_image}", "--tag", tag, str(folder))
        if not how.keys() & {"archive", "architecture"}:
            return str(tag)
        archive = tmp_path_factory.mktemp("archives") / f"{name}.tar"
        docker("save", "--output", str(archive), tag)
        if "architecture" in how:
            changed = rewriting.with_architecture(archive, how["architecture"])
            docker("load", "--input", str(changed))
            return str(tag)
        return str(rewriting.as_oci(archive, tag, attested=how["archive"] == "oci-with-attestation"))

    return build
