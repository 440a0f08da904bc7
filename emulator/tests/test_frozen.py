"""Values made by `frozen` behave as frozen dataclasses do."""

from __future__ import annotations

import copy
import pickle
from dataclasses import FrozenInstanceError, asdict, field, fields

import pytest

from sm_emulate.frozen import frozen, replace


@frozen
class Port:
    number: int
    address: str = "127.0.0.1"
    labels: dict = field(default_factory=dict)
    password: str = field(default="", repr=False)


@frozen
class NamedPort(Port):
    name: str

    def __post_init__(self):
        if not self.name:
            raise ValueError("a named port has a name")


def test_fields_have_their_defaults():
    assert asdict(Port(number=80)) == {
        "number": 80,
        "address": "127.0.0.1",
        "labels": {},
        "password": "",
    }


def test_each_value_has_a_default_container_of_its_own():
    assert Port(number=1).labels is not Port(number=1).labels


def test_fields_of_the_base_come_first():
    assert [one.name for one in fields(NamedPort)] == ["number", "address", "labels", "password", "name"]


@pytest.mark.parametrize(
    ("given", "words"),
    [({}, "missing number"), ({"number": 1, "size": 2}, "unexpected size")],
)
def test_a_wrong_call_names_the_field(given, words):
    with pytest.raises(TypeError, match=words):
        Port(**given)


def test_positional_arguments_are_refused():
    with pytest.raises(TypeError):
        Port(80)


def test_equal_by_value_and_class():
    assert Port(number=1) == Port(number=1)
    assert Port(number=1) != Port(number=2)
    assert Port(number=1) != NamedPort(number=1, name="x")


def test_hashed_by_value():
    assert hash(Port(number=1, labels=())) == hash(Port(number=1, labels=()))
    with pytest.raises(TypeError):
        hash(Port(number=1))


def test_nothing_can_be_set_or_deleted():
    port = Port(number=1)
    with pytest.raises(FrozenInstanceError):
        port.number = 2
    with pytest.raises(FrozenInstanceError):
        del port.number


def test_secrets_stay_out_of_repr():
    assert repr(Port(number=1, password="x")) == "Port(number=1, address='127.0.0.1', labels={})"


def test_replace_changes_some_and_checks_again():
    named = NamedPort(number=1, name="http")
    assert replace(named, number=2) == NamedPort(number=2, name="http")
    with pytest.raises(ValueError, match="has a name"):
        replace(named, name="")


def test_copied_and_pickled():
    port = Port(number=1, labels={"a": "b"})
    assert copy.deepcopy(port) == port
    assert pickle.loads(pickle.dumps(port)) == port
