"""Write docs/level-of-support.md from the facts.

python -m sm_emulate.spec.page            write it
python -m sm_emulate.spec.page --check    exit 1 when it is stale
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from sm_emulate.spec.fact import Area, Certainty, Fact, Level
from sm_emulate.spec.facts import all_areas
from sm_emulate.spec.profiles import DEFAULT_PROFILE, PROFILES
from sm_emulate.spec.settings import SETTINGS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sm_emulate.spec.setting import Setting

DEFAULT_PATH = Path("docs/level-of-support.md")

_THREAD = re.compile(r"https://github\.com/([^/]+/[^/]+)/issues/([0-9]+)")
_PAGE = re.compile(r"https://.*/([^/]+)\.html")
_REPOSITORY = re.compile(r"([\w-]+/[\w.-]+)( .*)?")
_TEST = re.compile(r"(.+)::test_(\w+)")

_INTRODUCTION = """\
# Level of support

What SageMaker is known to do to a container, how well it is known, and whether sm-emulate does it.
This page is made from `emulator/sm_emulate/spec` by `python -m sm_emulate.spec.page`; do not edit it.

## How to read it

Each row is one fact about the platform, with the public page, file or thread that says so. Every fact that is
emulated names the tests that show it; a test's name says in words what it holds, and leads to its file.

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

Where the platform is not known for certain, a named setting decides: `--setting NAME=VALUE`. Where nothing but one
reading makes sense there is no setting, and the note says which it is.
Where the platform changed over time, `--platform-profile` decides.

## Overview
"""


def page(areas: tuple[Area, ...]) -> str:
    """Give the whole page as Markdown."""
    parts = [_INTRODUCTION, *_overview(areas), "", *_counts(areas), *_profiles(), *_settings()]
    for area in areas:
        parts.extend(_area(area))
    parts.extend(_planned(areas))
    parts.extend(_not_emulated(areas))
    return "\n".join(parts) + "\n"


def _overview(areas: tuple[Area, ...]) -> Iterator[str]:
    yield _row("area", *(level.value for level in Level))
    yield "|---|" + "---|" * len(Level)
    for area in areas:
        counts = [sum(fact.level is level for fact in area.facts) for level in Level]
        yield _row(f"[{area.title}](#{_anchor(area.title)})", *(str(count or "") for count in counts))


def _anchor(heading: str) -> str:
    """Give the anchor that GitHub makes of a heading."""
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


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
        yield _row(f"`{setting.name}`", setting.expected, _default(setting), _prose(setting.about))


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
            f"{_prose(fact.statement)}<br>`{fact.id}`",
            fact.certainty.value,
            _emulated(fact),
            "<br>".join(map(_test, fact.tests)),
            "<br>".join(map(_source, fact.source)),
        )


def _emulated(fact: Fact) -> str:
    parts = [f"planned: {fact.planned}" if fact.level is Level.PLANNED else fact.level.value]
    if fact.setting:
        parts.append(f"setting `{fact.setting}`")
    if fact.note:
        parts.append(_prose(fact.note))
    return "<br>".join(parts)


def _test(node_id: str) -> str:
    found = _TEST.fullmatch(node_id)
    if found is None:
        return f"`{node_id}`"
    return f"[{found[2].replace('_', ' ')}](../{found[1]})"


def _source(source: str) -> str:
    if thread := _THREAD.fullmatch(source):
        return f"[{thread[1]}#{thread[2]}]({source})"
    if document := _PAGE.fullmatch(source):
        return f"[{document[1]}]({source})"
    if repository := _REPOSITORY.fullmatch(source):
        return f"[{repository[1]}](https://github.com/{repository[1]}){_prose(repository[2] or '')}"
    return _prose(source)


def _planned(areas: tuple[Area, ...]) -> Iterator[str]:
    yield "\n## Planned\n"
    works: dict[str, list[Fact]] = {}
    for area in areas:
        for fact in area.facts:
            if fact.level is Level.PLANNED:
                works.setdefault(fact.planned, []).append(fact)
    for work in sorted(works, key=str.lower):
        count = len(works[work])
        yield f"- {work}: {count} fact{'s' if count > 1 else ''}"


def _not_emulated(areas: tuple[Area, ...]) -> Iterator[str]:
    yield "\n## Not emulated\n"
    for area in areas:
        for fact in area.facts:
            if fact.level is Level.NOT_EMULATED:
                note = f" ({fact.note})" if fact.note else ""
                yield f"- {area.title.split(':')[0]}: {_prose(fact.statement + note)}"


def _prose(text: str) -> str:
    """Keep Markdown from reading stars, underscores and angle brackets that stand outside backticks."""
    pieces = text.split("`")
    pieces[::2] = [re.sub(r"[*<]|(?<!\w)_|_(?!\w)", r"\\\g<0>", piece) for piece in pieces[::2]]
    return "`".join(pieces)


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
