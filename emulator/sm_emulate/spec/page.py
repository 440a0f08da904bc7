"""Write docs/level-of-support.md from the facts.

python -m sm_emulate.spec.page            write it
python -m sm_emulate.spec.page --check    exit 1 when it is stale
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from sm_emulate.spec.fact import Area, Certainty, Fact, Level
from sm_emulate.spec.facts import all_areas
from sm_emulate.spec.profiles import DEFAULT_PROFILE, PROFILES
from sm_emulate.spec.setting import Setting
from sm_emulate.spec.settings import SETTINGS

DEFAULT_PATH = Path("docs/level-of-support.md")

_THREAD = re.compile(r"https://github\.com/([^/]+/[^/]+)/issues/([0-9]+)")
_PAGE = re.compile(r"https://.*/([^/]+)\.html")

_INTRODUCTION = """\
# Level of support

What SageMaker is known to do to a container, how well it is known, and whether sm-emulate does it.
This page is made from `emulator/sm_emulate/spec` by `python -m sm_emulate.spec.page`; do not edit it.

## How to read it

Each row is one fact about the platform, with the public page, file or thread that says so.

| how sure | meaning |
|---|---|
| confirmed | read in the named source |
| unsure | inferred, from one weak source, or written nowhere |
| disputed | sources disagree, or the documentation with what was seen |

| emulated | meaning |
|---|---|
| yes | sm-emulate does it |
| partly | the note says how far |
| planned | not yet; the piece of work that brings it is named |
| no | not emulated |
| outside | images, toolkits or the SDK do it and not the platform: nothing to emulate |

Where the platform is not known for certain, a named setting decides: `--setting NAME=VALUE`.
Where it changed over time, `--platform-profile` decides.
"""


def page(areas: tuple[Area, ...]) -> str:
    """Give the whole page as Markdown."""
    parts = [_INTRODUCTION, *_counts(areas), *_profiles(), *_settings()]
    for area in areas:
        parts.extend(_area(area))
    parts.extend(_planned(areas))
    parts.extend(_not_emulated(areas))
    return "\n".join(parts) + "\n"


def _counts(areas: tuple[Area, ...]) -> Iterator[str]:
    facts = [fact for area in areas for fact in area.facts]
    yield "| emulated | confirmed | unsure | disputed | all |"
    yield "|---|---|---|---|---|"
    for level in Level:
        row = [sum(fact.level is level and fact.certainty is sure for fact in facts) for sure in Certainty]
        yield _row(level.value, *map(str, row), str(sum(row)))
    column = [sum(fact.certainty is sure for fact in facts) for sure in Certainty]
    yield _row("all", *map(str, column), str(len(facts)))


def _profiles() -> Iterator[str]:
    yield "\n## Platform profiles\n"
    yield f"`--platform-profile`, {DEFAULT_PROFILE.name} when not given.\n"
    for profile in PROFILES:
        yield f"**{profile.name}**\n"
        yield from (f"- {sentence}" for sentence in profile.evidence)
        yield ""


def _settings() -> Iterator[str]:
    yield "## Settings\n"
    yield "| setting | values | default | what it decides |"
    yield "|---|---|---|---|"
    for setting in sorted(SETTINGS, key=lambda one: one.name):
        yield _row(f"`{setting.name}`", setting.expected, _default(setting), setting.about)


def _default(setting: Setting) -> str:
    by_profile = {profile.name: setting.default(profile) for profile in PROFILES}
    if len(set(by_profile.values())) == 1:
        return f"`{by_profile[DEFAULT_PROFILE.name]}`"
    return ", ".join(f"`{value}` in {name}" for name, value in by_profile.items())


def _area(area: Area) -> Iterator[str]:
    yield f"\n## {area.title}\n"
    yield "| fact | how sure | emulated | shown by | source |"
    yield "|---|---|---|---|---|"
    for fact in area.facts:
        yield _row(
            f"{fact.statement}<br>`{fact.id}`",
            fact.certainty.value,
            _emulated(fact),
            "<br>".join(f"`{test}`" for test in fact.tests),
            "<br>".join(map(_source, fact.source)),
        )


def _emulated(fact: Fact) -> str:
    parts = [f"planned: {fact.planned}" if fact.level is Level.PLANNED else fact.level.value]
    if fact.setting:
        parts.append(f"setting `{fact.setting}`")
    if fact.note:
        parts.append(fact.note)
    return "; ".join(parts)


def _source(source: str) -> str:
    if thread := _THREAD.fullmatch(source):
        return f"[{thread[1]}#{thread[2]}]({source})"
    if document := _PAGE.fullmatch(source):
        return f"[{document[1]}]({source})"
    return source


def _planned(areas: tuple[Area, ...]) -> Iterator[str]:
    yield "\n## Planned\n"
    works: dict[str, list[Fact]] = {}
    for area in areas:
        for fact in area.facts:
            if fact.level is Level.PLANNED:
                works.setdefault(fact.planned, []).append(fact)
    for work in sorted(works):
        yield f"- {work}: {len(works[work])} facts"


def _not_emulated(areas: tuple[Area, ...]) -> Iterator[str]:
    yield "\n## Not emulated\n"
    for area in areas:
        for fact in area.facts:
            if fact.level is Level.NOT_EMULATED:
                note = f" ({fact.note})" if fact.note else ""
                yield f"- {area.title.split(':')[0]}: {fact.statement}{note}"


def _row(*cells: str) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def main(arguments: list[str] | None = None) -> int:
    """Write the page, or tell whether it is stale."""
    parser = argparse.ArgumentParser(
        prog="python -m sm_emulate.spec.page", description="Write the page of facts."
    )
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 when the page is stale")
    parser.add_argument("path", nargs="?", type=Path, default=DEFAULT_PATH)
    given = parser.parse_args(arguments)
    path: Path = given.path
    text = page(all_areas())
    if given.check:
        if path.exists() and path.read_text(encoding="utf-8") == text:
            return 0
        print(f"{path} is stale: run python -m sm_emulate.spec.page", file=sys.stderr)
        return 1
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
