"""Frozen, keyword-only values: dataclasses without generated code.

`@dataclass(frozen=True)` compiles six functions for each class when it is imported. For the sixty values on the way
to a training job that was a third of the whole start-up. Here all classes share the same few functions;
`dataclasses.fields` and `asdict` work on them, and type checkers see dataclasses.
"""

from __future__ import annotations

from dataclasses import MISSING, FrozenInstanceError, dataclass, field, fields
from typing import TYPE_CHECKING, Any, TypeVar

T = TypeVar("T")

if TYPE_CHECKING:
    from collections.abc import Callable

    from typing_extensions import dataclass_transform  # in `typing` from Python 3.11 on
else:

    def dataclass_transform(**_: object) -> Callable[[T], T]:
        return lambda decorator: decorator


__all__ = ["frozen", "replace"]


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(field,))
def frozen(kind: type[T]) -> type[T]:
    """Make a class a frozen, keyword-only dataclass, equal and hashed by its fields."""
    kind.__doc__ = kind.__doc__ or kind.__name__  # else dataclass() writes one from a signature, slowly
    made = dataclass(init=False, repr=False, eq=False, kw_only=True)(kind)
    for name, method in _METHODS.items():
        if name not in kind.__dict__:
            setattr(made, name, method)
    made.__frozen_fields__ = fields(made)  # type: ignore[attr-defined, arg-type]  # it is a dataclass by now
    return made


def replace(value: T, **changes: Any) -> T:
    """Give a copy with some fields changed."""
    return type(value)(**{**{one.name: getattr(value, one.name) for one in _fields(value)}, **changes})


def _fields(value: object) -> tuple[Any, ...]:
    made: tuple[Any, ...] = type(value).__frozen_fields__  # type: ignore[attr-defined]  # set by `frozen`
    return made


def _init(self: Any, **given: Any) -> None:
    values = self.__dict__
    missing = []
    for one in _fields(self):
        if one.name in given:
            values[one.name] = given.pop(one.name)
        elif one.default is not MISSING:
            values[one.name] = one.default
        elif one.default_factory is not MISSING:
            values[one.name] = one.default_factory()
        else:
            missing.append(one.name)
    if missing or given:
        wrong = [f"missing {name}" for name in missing] + [f"unexpected {name}" for name in given]
        raise TypeError(f"{type(self).__name__}(): {', '.join(wrong)}")
    if (check := getattr(self, "__post_init__", None)) is not None:
        check()


def _repr(self: Any) -> str:
    shown = ", ".join(f"{one.name}={getattr(self, one.name)!r}" for one in _fields(self) if one.repr)
    return f"{type(self).__qualname__}({shown})"


def _compared(value: Any) -> tuple[Any, ...]:
    return tuple(getattr(value, one.name) for one in _fields(value) if one.compare)


def _eq(self: Any, other: object) -> Any:
    if other.__class__ is not self.__class__:
        return NotImplemented
    return _compared(self) == _compared(other)


def _hash(self: Any) -> int:
    return hash(_compared(self))


def _set(_self: Any, name: str, _value: object) -> None:
    raise FrozenInstanceError(f"cannot assign to field {name!r}")


def _delete(_self: Any, name: str) -> None:
    raise FrozenInstanceError(f"cannot delete field {name!r}")


_METHODS = {
    "__init__": _init,
    "__repr__": _repr,
    "__eq__": _eq,
    "__hash__": _hash,
    "__setattr__": _set,
    "__delattr__": _delete,
}
