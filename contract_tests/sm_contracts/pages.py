"""Write docs/rules and the published schemas from the code.

python -m sm_contracts.pages            write them
python -m sm_contracts.pages --check    exit 1 when they are stale
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sm_contracts.registry import all_rules
from sm_contracts.roles import Role
from sm_contracts.rule import HEADINGS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sm_contracts.rule import Rule

DOCS = Path("docs")
BANDS = {
    "0": "The check itself",
    "1": "Image: looked at, not run",
    "2": "Training",
    "3": "Serving",
    "4": "Multi-model endpoints",
    "5": "Batch transform and asynchronous inference",
    "6": "Capabilities",
    "7": "Processing",
    "8": "Studio images",
    "9": "Push",
}
_INTRODUCTION = """\
# Rules

What SageMaker asks of an image, one rule a page. These pages are made from the rules themselves by
`python -m sm_contracts.pages`; do not edit them. `sm-emulate rule SM304` prints one, `sm-emulate rules` lists all.

Ids are permanent. An **error** is refused or broken by SageMaker, or the documentation says must; a **warning** works
until something ordinary happens. [validate.md](../validate.md) says how a check is run and what its results mean.
"""


def page(rule: Rule) -> str:
    """Give a rule's page as Markdown."""
    roles = "all" if rule.roles == set(Role) else ", ".join(sorted(f"`{role.value}`" for role in rule.roles))
    parts = [
        f"# {rule.id} {rule.name}",
        rule.summary,
        f"Severity **{rule.severity.value}**. Roles: {roles}.",
        *(f"## {heading}\n\n{rule.sections[heading]}" for heading in HEADINGS),
        f"## Source\n\n<{rule.source}>",
    ]
    return "\n\n".join(parts) + "\n"


def contents(rules: Iterable[Rule]) -> str:
    """Give the table of all rules as Markdown."""
    by_band: dict[str, list[Rule]] = {}
    for rule in rules:
        by_band.setdefault(rule.id[2], []).append(rule)
    parts = [_INTRODUCTION]
    for band, members in sorted(by_band.items()):
        parts.append(f"## {BANDS[band]}\n\n| rule | name | severity | what |\n|---|---|---|---|")
        parts[-1] += "".join(
            f"\n| [{rule.id}]({rule.id}.md) | {rule.name} | {rule.severity.value} | {rule.summary} |"
            for rule in members
        )
        parts[-1] += "\n"
    return "\n".join(parts)


def pages() -> dict[Path, str]:
    """Give everything that is generated, by its path under the docs folder."""
    from sm_contracts.configuration import configuration_schema
    from sm_contracts.schema import verdict_schema

    rules = all_rules()
    made = {Path("rules") / f"{rule.id}.md": page(rule) for rule in rules.values()}
    made[Path("rules/README.md")] = contents(rules.values())
    made[Path("verdict.schema.json")] = _json(verdict_schema())
    made[Path("sm-emulate.schema.json")] = _json(configuration_schema())
    return made


def _json(value: dict[str, Any]) -> str:
    return json.dumps(value, indent=2) + "\n"


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--check", action="store_true", help="write nothing, exit 1 when a page is stale")
    parser.add_argument("docs", nargs="?", type=Path, default=DOCS)
    given = parser.parse_args(arguments)
    wanted = {given.docs / path: text for path, text in pages().items()}
    stale = [
        path for path, text in wanted.items() if not path.exists() or path.read_text(encoding="utf-8") != text
    ]
    left_over = [path for path in sorted((given.docs / "rules").glob("*.md")) if path not in wanted]
    if given.check:
        for path in (*stale, *left_over):
            print(f"{path} is stale: run python -m sm_contracts.pages", file=sys.stderr)
        return 1 if stale or left_over else 0
    (given.docs / "rules").mkdir(parents=True, exist_ok=True)
    for path in stale:
        path.write_text(wanted[path], encoding="utf-8")
    for path in left_over:
        path.unlink()
    return 0


if __name__ == "__main__":
    sys.exit(main())
