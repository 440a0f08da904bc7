"""The report as one HTML page that needs nothing else: no network, no other file, no framework."""

from __future__ import annotations

from html import escape
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from sm_contracts.reports.markdown import to_html
from sm_contracts.reports.timeline import MARKS, picture, summary
from sm_contracts.reports.wording import (
    again,
    conclusion,
    counted,
    counts,
    evidence_lines,
    failures,
    log_of,
    printable,
)
from sm_contracts.rule import Severity, Status

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sm_contracts.verdict import RuleResult, Verdict

_ORDER = [Status.FAIL, Status.INCONCLUSIVE, Status.PASS, Status.SKIP]
_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
    "base-uri 'none'; form-action 'none'"
)


def html_report(verdict: Verdict) -> str:
    """Give the page: verdict, rules with filters, the timeline of every probe, its phases and logs."""
    here = files("sm_contracts.reports")
    title = f"{verdict.image}: {conclusion(verdict)}"
    return "\n".join(
        (
            "<!doctype html>",
            '<html lang="en">',
            "<head>",
            '<meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{_text(title)}</title>",
            f"<style>\n{here.joinpath('page.css').read_text(encoding='utf-8')}</style>",
            "</head>",
            "<body>",
            *_header(verdict),
            "<main>",
            *_rules(verdict),
            *_timelines(verdict),
            *_phases(verdict),
            *_logs(verdict),
            "</main>",
            f"<script>\n{here.joinpath('page.js').read_text(encoding='utf-8')}</script>",
            "</body>",
            "</html>",
            "",
        )
    )


def _header(verdict: Verdict) -> Iterator[str]:
    yield "<header>"
    yield f"<h1><code>{_text(verdict.image)}</code></h1>"
    yield f'<p><span class="verdict {verdict.judgement}">{_text(verdict.judgement.replace("-", " "))}</span> '
    yield f"{_text(conclusion(verdict))}</p>"
    yield "<dl>"
    for name, value in {
        "Rules": counts(verdict),
        "Roles": f"{', '.join(verdict.roles) or 'none'} ({verdict.roles_found_by})",
        "Image id": verdict.image_id,
        "Platform": verdict.platform,
        "Took": f"{verdict.seconds:.1f} s",
    }.items():
        yield f"<dt>{name}</dt><dd>{_text(value)}</dd>"
    yield "</dl>"
    yield "</header>"


def _rules(verdict: Verdict) -> Iterator[str]:
    yield '<section aria-labelledby="rules"><h2 id="rules">Rules</h2>'
    # shown by the script: without one, everything is shown and nothing pretends to filter
    yield '<div class="filters" role="group" aria-label="Filter the rules" hidden>'
    for status in _ORDER:
        pressed = "false" if status is Status.SKIP else "true"
        number = verdict.summary[status.value]
        yield (
            f'<button type="button" data-filter-status="{status.value}" aria-pressed="{pressed}">'
            f"{status.value} {number}</button>"
        )
    yield '<label>Severity <select id="severity"><option value="">all</option>'
    yield "".join(f"<option>{severity.value}</option>" for severity in Severity)
    yield '</select></label><input id="search" type="search" aria-label="Search the rules" placeholder="Search">'
    yield "</div>"
    yield '<p id="count" class="soft" role="status"></p>'
    ordered = [
        *failures(verdict),
        *(each for status in _ORDER[1:] for each in verdict.rules if each.status is status),
    ]
    for result in ordered:
        yield from _rule(verdict, result)
    yield "</section>"


def _rule(verdict: Verdict, result: RuleResult) -> Iterator[str]:
    kind, severity = result.status.value, result.severity.value
    opened = " open" if verdict.counts(result) else ""
    mark = f"FAIL {severity}" if result.status is Status.FAIL else kind
    yield (
        f'<details class="rule {kind} {severity}" id="{result.id}" data-status="{kind}" '
        f'data-severity="{severity}"{opened}>'
    )
    yield f'<summary><span class="mark">{mark}</span> <code>{result.id}</code> {_text(result.name)}'
    if result.message:
        yield f'<span class="said">{_text(result.message)}</span>'
    yield "</summary><div>"
    if result.evidence:
        yield f"<h3>Evidence</h3><pre>{_text(chr(10).join(evidence_lines(result.evidence)))}</pre>"
    if result.status is Status.FAIL:
        probe, log = log_of(verdict, result)
        if log:
            yield f"<h3>Log of {_text(probe)}, last lines</h3><pre>{_text(chr(10).join(log))}</pre>"
        yield f"<h3>Fix</h3>{to_html(printable(result.fix))}"
    if result.status in {Status.FAIL, Status.INCONCLUSIVE}:
        yield f"<h3>Again</h3><pre>{_text(again(verdict, result.id))}</pre>"
    source = escape(result.source)
    yield f'<p class="soft">Severity {severity}. Source: <a href="{source}">{source}</a></p>'
    yield "</div></details>"


def _timelines(verdict: Verdict) -> Iterator[str]:
    by_probe = _by_probe(verdict)
    pictures = {probe: picture(probe, happenings) for probe, happenings in by_probe.items()}
    if not any(pictures.values()):
        return
    yield '<section aria-labelledby="timeline"><h2 id="timeline">Timeline</h2>'
    yield (
        '<p class="soft">Seconds since the check began. Bars are containers, upright strokes signals; below, circles '
        "are pings and squares invocations, the higher the longer they took. Hollow ones were not answered 200, "
        "red ones failed or were too slow.</p>"
    )
    for probe, drawn in pictures.items():
        if not drawn:
            continue
        said = _text(summary(probe, by_probe[probe]))
        yield f"<figure>{_scrolled(f'Timeline of {probe}', drawn)}"
        more = " Many of them: not every fast one is drawn." if _many(by_probe[probe]) else ""
        yield f"<figcaption>{said}.{more}</figcaption></figure>"
    yield "</section>"


def _many(happenings: list[Mapping[str, Any]]) -> bool:
    return sum(each["what"] in {"ping", "invocation"} for each in happenings) > MARKS


def _scrolled(name: str, content: str) -> str:
    """Give something wide a place of its own that scrolls, with the keyboard too."""
    return f'<div class="scroll" tabindex="0" role="region" aria-label="{_text(name)}">{content}</div>'


def _phases(verdict: Verdict) -> Iterator[str]:
    if not verdict.probes:
        return
    heads = ("Probe", "Began", "Took", "Containers", "They lived")
    rows = [
        (
            probe.name,
            f"{probe.started_at:.1f} s",
            f"{probe.seconds:.1f} s",
            str(probe.containers),
            f"{probe.container_seconds:.1f} s",
        )
        for probe in verdict.probes
    ]
    head = "".join(f'<th scope="col" class="number">{each}</th>' for each in heads[1:])
    body = "".join(
        f'<tr><th scope="row">{_text(name)}</th>'
        + "".join(f'<td class="number">{each}</td>' for each in numbers)
        + "</tr>"
        for name, *numbers in rows
    )
    table = (
        f'<table><thead><tr><th scope="col">{heads[0]}</th>{head}</tr></thead><tbody>{body}</tbody></table>'
    )
    yield '<section aria-labelledby="phases"><h2 id="phases">Phases</h2>'
    yield f"{_scrolled('Table of phases', table)}</section>"


def _logs(verdict: Verdict) -> Iterator[str]:
    logs: dict[tuple[str, str], list[str]] = {}
    for each in verdict.timeline:
        if each["what"] == "log":
            line = f"{float(each['at']):8.2f}  {each['line']}"
            logs.setdefault((str(each["probe"]), str(each["container"])), []).append(line)
    if not logs:
        return
    yield '<section aria-labelledby="logs"><h2 id="logs">Logs</h2>'
    for (probe, container), lines in logs.items():
        yield f"<details><summary>{_text(probe)}, container {_text(container)}: {counted(len(lines), 'line')}</summary>"
        name = f"Log of {_text(probe)}, container {_text(container)}"
        yield f'<pre class="log" tabindex="0" role="region" aria-label="{name}">{_text(chr(10).join(lines))}</pre>'
        yield "</details>"
    yield "</section>"


def _by_probe(verdict: Verdict) -> dict[str, list[Mapping[str, Any]]]:
    found: dict[str, list[Mapping[str, Any]]] = {}
    for each in verdict.timeline:
        found.setdefault(str(each["probe"]), []).append(each)
    return found


def _text(words: str) -> str:
    return escape(printable(words))
