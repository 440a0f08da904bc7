r"""The service's patterns, which are Java's, as Python reads them.

The service matches the whole value. Java and Python differ in what `.` and `\p{L}` mean; a pattern that has
no faithful translation is not checked: a refusal that SageMaker would not make is worse than a late one.
"""

from __future__ import annotations

import re
from functools import lru_cache

_LINE_ENDS = r"\n\r\x85\u2028\u2029"
"""What `.` does not match in Java; in Python it is the line feed alone."""
_POSIX = {
    "Alnum": "0-9A-Za-z",
    "Alpha": "A-Za-z",
    "ASCII": r"\x00-\x7f",
    "Digit": "0-9",
    "Lower": "a-z",
    "Punct": r"!-/:-@\[-`{-~",
    "Space": r" \t\n\x0b\f\r",
    "Upper": "A-Z",
    "XDigit": "0-9A-Fa-f",
}
_CATEGORY = re.compile(r"[LMNPSZC][a-z]?")
_PROPERTY = re.compile(r"([pP])(?:\{(\w+)\}|(\w))")
_SURROGATES = re.compile(r"u([dD][89abAB]\w\w)\\u([dD][c-fC-F]\w\w)")
_SAME_IN_BOTH = frozenset("dDwWsSbBtnrfau0123456789xA")
_NOTHING = r"(?!)"
_ANYTHING = r"[\x00-\U0010ffff]"


def matches(pattern: str, value: str) -> bool:
    """Tell whether the service would take `value` for this pattern; true where that cannot be said."""
    # a class such as \p{L} has 140,000 characters: its translation needs only those that occur in the value
    compiled = _compiled(
        pattern, "" if value.isascii() else "".join(sorted({c for c in value if c > "\x7f"}))
    )
    return compiled is None or compiled.fullmatch(value) is not None


def is_checked(pattern: str) -> bool:
    """Tell whether this pattern could be translated."""
    return _compiled(pattern, "") is not None


@lru_cache(maxsize=256)
def _compiled(pattern: str, beyond_ascii: str) -> re.Pattern[str] | None:
    translated = _translate(pattern, beyond_ascii)
    if translated is None:
        return None
    try:
        return re.compile(translated, re.ASCII)
    except (re.error, OverflowError):
        return None


def _translate(pattern: str, beyond_ascii: str) -> str | None:
    out: list[str] = []
    body: list[str] | None = None
    """The inside of the [class] that is being read."""
    negated = False
    at = 0
    while at < len(pattern):
        char = pattern[at]
        at += 1
        if char == "\\":
            read = _escape(pattern, at, beyond_ascii, in_class=body is not None)
            if read is None:
                return None
            text, at = read
            (out if body is None else body).append(text)
        elif body is not None:
            if char == "[" or pattern.startswith("&&", at - 1):
                return None
            if char == "]":
                out.append(_class("".join(body), negated=negated))
                body = None
            else:
                body.append("\\" + char if char in "&~|" else char)
        elif char == "[":
            negated = pattern.startswith("^", at)
            at += negated
            body = []
        elif char == ".":
            out.append(f"[^{_LINE_ENDS}]")
        elif char == "(" and re.match(r"\?<[A-Za-z]", pattern[at:]):
            out.append("(?P")
            at += 1
        else:
            out.append(char)
    return None if body is not None else "".join(out)


def _class(body: str, *, negated: bool) -> str:
    if body:
        return f"[{'^' if negated else ''}{body}]"
    return _ANYTHING if negated else _NOTHING


def _escape(pattern: str, at: int, beyond_ascii: str, *, in_class: bool) -> tuple[str, int] | None:
    """Translate what follows a backslash; give the text and where to read on."""
    if found := _PROPERTY.match(pattern, at):
        ranges = _property(found[2] or found[3], beyond_ascii, complement=found[1] == "P")
        if ranges is None:
            return None
        return (ranges if in_class else _class(ranges, negated=False)), found.end()
    if found := _SURROGATES.match(pattern, at):
        high, low = int(found[1], 16), int(found[2], 16)
        return f"\\U{0x10000 + (high - 0xD800) * 0x400 + (low - 0xDC00):08x}", found.end()
    char = pattern[at : at + 1]
    if not char or (char.isalnum() and char not in _SAME_IN_BOTH):
        return None
    return "\\" + char, at + 1


def _property(name: str, beyond_ascii: str, *, complement: bool) -> str | None:
    """Give the characters of a property for the inside of a class: those in ASCII, and those of the value."""
    if name in _POSIX:
        return None if complement else _POSIX[name]
    if not _CATEGORY.fullmatch(name):
        return None
    from unicodedata import category

    characters = [*map(chr, range(0x80)), *beyond_ascii]
    return "".join(
        f"\\U{ord(char):08x}" for char in characters if category(char).startswith(name) is not complement
    )
