"""What a person says about one variant on a command line."""

from __future__ import annotations

from dataclasses import dataclass

from sm_emulate.errors import RequestError
from sm_emulate.request.wording import meant

EXPECTED = "NAME=IMAGE[,model=PATH][,weight=NUMBER][,count=NUMBER]"
_OPTIONS = {"model", "weight", "count"}


@dataclass(frozen=True, kw_only=True)
class VariantFlags:
    """One variant in the words of a command line; nothing is judged here."""

    name: str
    image: str
    model_data: str | None = None
    weight: float | None = None
    count: int = 1


def variant_flags(text: str) -> VariantFlags:
    """Read `NAME=IMAGE[,model=PATH][,weight=NUMBER][,count=NUMBER]`.

    Raises:
        RequestError: it is something else.
    """
    first, *options = text.split(",")
    name, _, image = first.partition("=")
    pairs = [option.partition("=")[::2] for option in options]
    named = dict(pairs)
    if not name or not image or len(named) < len(pairs) or set(named) - _OPTIONS:
        raise RequestError(
            "this is no variant", value=text, expected=EXPECTED, hint=meant(named, sorted(_OPTIONS))
        )
    try:
        return VariantFlags(
            name=name,
            image=image,
            model_data=named.get("model"),
            weight=float(named["weight"]) if "weight" in named else None,
            count=int(named.get("count", "1")),
        )
    except ValueError:
        raise RequestError(
            "weight and count of a variant are numbers", value=text, expected=EXPECTED
        ) from None
