"""`rules` and `rule`: what is checked, and why."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from sm_emulate.cli.options import output_option
from sm_emulate.errors import RequestError

if TYPE_CHECKING:
    from sm_contracts.rule import Rule


@click.command(epilog="\b\nExamples:\n  sm-emulate rules\n  sm-emulate rules --output json | jq '.[].id'")
@output_option
def rules(output: str) -> None:
    """List the rules that `sm-emulate validate` checks."""
    from sm_contracts.registry import all_rules

    every = list(all_rules().values())
    if output == "json":
        click.echo(json.dumps([_as_json(each) for each in every], indent=2))
        return
    width = max(len(each.name) for each in every)
    for each in every:
        click.echo(f"{each.id}  {each.severity.value:<7}  {each.name:<{width}}  {each.summary}")


@click.command(epilog="\b\nExamples:\n  sm-emulate rule SM304\n  sm-emulate rule ping-slow")
@click.argument("rule", metavar="ID|NAME")
@output_option
def rule(rule: str, output: str) -> None:
    """Print the page of one rule: what it asks, why, and how to keep it."""
    from sm_contracts.pages import page
    from sm_contracts.registry import UnknownRuleError, all_rules, named

    every = all_rules()
    try:
        found = [every[rule_id] for rule_id in sorted(named(every.values(), rule))]
    except UnknownRuleError as unknown:
        raise RequestError(
            "there is no such rule",
            value=rule,
            expected="an id (SM304) or a name (ping-slow)",
            hint=f"did you mean {unknown.near}?" if unknown.near else "`sm-emulate rules` lists them",
        ) from unknown
    if output == "json":
        pages = [_as_json(each) for each in found]
        click.echo(json.dumps(pages[0] if len(pages) == 1 else pages, indent=2))
        return
    click.echo("\n".join(page(each) for each in found), nl=False)


def _as_json(each: Rule) -> dict[str, Any]:
    return {
        "id": each.id,
        "name": each.name,
        "severity": each.severity.value,
        "roles": sorted(role.value for role in each.roles),
        "summary": each.summary,
        **{heading.lower(): text for heading, text in each.sections.items()},
        "source": each.source,
    }
