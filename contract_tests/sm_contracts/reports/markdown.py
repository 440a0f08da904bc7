"""The little Markdown that rules' pages use, as HTML."""

from __future__ import annotations

import re
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_INLINE = (
    (re.compile(r"`([^`]+)`"), r"<code>\1</code>"),
    (re.compile(r"\*\*([^*]+)\*\*"), r"<strong>\1</strong>"),
    (re.compile(r"\[([^\]]+)\]\((https://[^)\s]+)\)"), r'<a href="\2">\1</a>'),
)


def to_html(text: str) -> str:
    """Give paragraphs, lists and code blocks (indented or fenced) as HTML; everything else is text."""
    return "".join(_block(block) for block in _blocks(text))


def inline(text: str) -> str:
    """Give one line's code, bold words and links as HTML."""
    # what is code is taken out first: nothing in it is a mark
    parts = re.split(r"(`[^`]+`)", escape(text, quote=False))
    return "".join(_marked(part) for part in parts)


def _marked(part: str) -> str:
    patterns = _INLINE[:1] if part.startswith("`") else _INLINE[1:]
    for pattern, put in patterns:
        part = pattern.sub(put, part)
    return part


def _blocks(text: str) -> Iterator[list[str]]:
    block: list[str] = []
    fenced = False
    for line in text.splitlines():
        if line.startswith("```"):
            if fenced:
                yield ["```", *block]
            elif block:
                yield block
            block, fenced = [], not fenced
        elif fenced or line.strip():
            block.append(line)
        elif block:
            yield block
            block = []
    if block:
        yield ["```", *block] if fenced else block


def _block(lines: list[str]) -> str:
    if lines[0] == "```":
        return f"<pre><code>{escape(chr(10).join(lines[1:]))}</code></pre>"
    if all(line.startswith("    ") for line in lines):
        return f"<pre><code>{escape(chr(10).join(line[4:] for line in lines))}</code></pre>"
    if lines[0].startswith(("- ", "* ")):
        items: list[str] = []
        for line in lines:
            if line.startswith(("- ", "* ")):
                items.append(line[2:])
            else:
                items[-1] += f" {line.strip()}"
        return f"<ul>{''.join(f'<li>{inline(item)}</li>' for item in items)}</ul>"
    return f"<p>{inline(' '.join(line.strip() for line in lines))}</p>"
