r"""`NAME=PATH[,OPTION=VALUE...]`, the form of channels, inputs and outputs on the command line.

A comma inside the path is written `\,`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sm_emulate.errors import RequestError
from sm_emulate.request.wording import nearest, shown

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

FORM = "NAME=PATH[,OPTION=VALUE...]"


@dataclass(frozen=True, kw_only=True)
class NamedPath:
    """What one such word says."""

    name: str
    path: str
    """Empty where none was given and none is needed."""
    options: Mapping[str, str]
    """In the order in which they stand there."""


@dataclass(frozen=True, kw_only=True)
class Form:
    """How one kind of thing is written.

    Args:
        noun: what it is called, as `channel`.
        flag: the flag that takes it, as `--channel`.
        options: the options that there are.
        example: a name, for hints.
        path_needed: whether NAME alone is too little.
    """

    noun: str
    flag: str
    options: Collection[str]
    example: str
    path_needed: bool = True

    def read(self, text: str) -> NamedPath:
        """Read one word.

        Raises:
            RequestError: it has another form, or an option that is not known.
        """
        article = "an" if self.noun[0] in "aeiou" else "a"
        name, equals, rest = text.partition("=")
        if "," in name and not self.path_needed:
            name, rest = text.split(",", 1)
            equals, rest = "=", f",{rest}"
        looks_like_path = "/" in name or text.startswith(".")
        if not equals and (self.path_needed or looks_like_path):
            raise RequestError(
                f"{article} {self.noun} has no {'name' if looks_like_path else 'path'}",
                value=text,
                expected=FORM,
                hint=f"{self.flag} {self.example}={text}"
                if looks_like_path
                else f"{self.flag} {text}=./data",
            )
        path, *given = [part.replace("\\,", ",") for part in re.split(r"(?<!\\),", rest)]
        if not name.strip():
            raise RequestError(
                f"{article} {self.noun} has no name",
                value=text,
                expected=FORM,
                hint=f"{self.flag} {self.example}={path}",
            )
        if self.path_needed and not path.strip():
            raise RequestError(f"{self.noun} {name} has no path", value=text, expected=FORM)
        return NamedPath(name=name, path=path, options=self._options(name, given, text))

    def _options(self, name: str, given: list[str], text: str) -> dict[str, str]:
        found: dict[str, str] = {}
        for part in given:
            option, equals, value = part.partition("=")
            option = option.strip()
            if option not in self.options:
                near = nearest(option, self.options) if equals else None
                raise RequestError(
                    f"{self.noun} {name} has an option that is not known",
                    value=shown(option),
                    expected=f"one of {', '.join(self.options)}",
                    hint=f"did you mean {near}?" if near else "a comma inside the path is written \\,",
                )
            if not value:
                raise RequestError(
                    f"{self.noun} {name}: option {option} has no value", expected=f"{option}=VALUE"
                )
            if option in found:
                raise RequestError(f"{self.noun} {name}: option {option} stands there twice", value=text)
            found[option] = value
        return found
