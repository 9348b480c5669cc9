"""The type registry: one door to the hooks of all types."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from redun.value import InvalidValueError, ProxyValue, TypeRegistry, Value, encode_value, get_type_registry


class Ticket(Value):
    type_name = "test.Ticket"

    def __init__(self, good: bool = True, parts: tuple[Any, ...] = ()) -> None:
        self.good = good
        self.parts = parts

    def is_valid(self) -> bool:
        return self.good

    def iter_subvalues(self):
        yield from self.parts

    def preprocess(self, preprocess_args: dict[str, Any]) -> Any:
        return ("pre", preprocess_args["call_order"])

    def postprocess(self, postprocess_args: dict[str, Any]) -> Any:
        return ("post", postprocess_args)


class Table:
    def __init__(self, rows: int) -> None:
        self.rows = rows


class TableProxy(ProxyValue):
    type = Table
    type_name = "test.Table"

    def is_valid(self) -> bool:
        return self.instance.rows > 0

    def preprocess(self, preprocess_args: dict[str, Any]) -> Any:
        return TableProxy(Table(self.instance.rows + 1))

    def serialize(self) -> bytes:
        return bytes([self.instance.rows])

    @classmethod
    def deserialize(cls, raw_type: Any, data: bytes) -> Any:
        return cls(raw_type(data[0]))

    @classmethod
    def get_serialization_format(cls) -> str:
        return "application/x-rows"


@dataclass
class Holder:
    content: Any


@pytest.fixture
def registry():
    return get_type_registry()


def test_there_is_one_registry(registry):
    """Each call gives the same one."""
    assert registry is get_type_registry()
    assert isinstance(registry, TypeRegistry)


def test_values_are_wrapped_when_they_have_no_hooks(registry):
    """A Value is itself; anything else comes in its proxy."""
    ticket, table = Ticket(), Table(1)
    assert registry.get_value(ticket) is ticket
    assert registry.get_value(table).instance is table
    assert type(registry.get_value(table)) is TableProxy
    assert type(registry.get_value(5)) is ProxyValue
    assert registry.get_type(Ticket) is Ticket
    assert registry.get_type(Table) is TableProxy
    assert registry.get_type(float) is None


@pytest.mark.parametrize("cls", [int, type(None), dict, Ticket, Table, Holder, InvalidValueError])
def test_type_names_are_read_back(cls, registry):
    """parse_type_name is the inverse of get_type_name."""
    assert registry.parse_type_name(registry.get_type_name(cls)) is cls


def test_names_of_types(registry):
    """Names are short for built-in types, and found without having met the type."""
    assert registry.get_type_name(int) == "int"
    assert registry.get_type_name(Ticket) == "test.Ticket"
    assert registry.get_type_name(Holder) == f"{__name__}.Holder"
    assert registry.parse_type_name("builtins.frozenset") is frozenset
    assert registry.parse_type_name("textwrap.TextWrapper").__name__ == "TextWrapper"
    for unknown in ("no.such.Type", "nothing", "os.path"):
        with pytest.raises(InvalidValueError, match="there is no type"):
            registry.parse_type_name(unknown)


def test_hashes_are_oids(registry):
    """A value's hash is its oid in hex, unless its class says otherwise."""
    assert registry.get_hash([1, "a"]) == encode_value([1, "a"]).oid.hex()
    assert registry.get_hash(Ticket()) == encode_value(Ticket()).oid.hex()


def test_bytes_are_read_back(registry):
    """What serialize wrote, deserialize reads, through the class's own hooks where there are any."""
    for value in ([1, {"a": (2,)}], 5, "x" * 100_000):
        name = registry.get_type_name(type(value))
        assert registry.deserialize(name, registry.serialize(value)) == value
    assert registry.serialize(Table(3)) == b"\x03"
    assert registry.deserialize(registry.get_type_name(Table), b"\x03").rows == 3
    assert registry.get_serialization_format(Table(3)) == "application/x-rows"
    assert registry.get_serialization_format(3) == "application/x-redun-value"


def test_bytes_that_do_not_fit_are_invalid(registry):
    """Whatever a deserializer raises is InvalidValueError."""
    with pytest.raises(InvalidValueError):
        registry.deserialize(registry.get_type_name(Table), b"")
    with pytest.raises(InvalidValueError):
        registry.deserialize("int", b"garbage")


def test_validity_is_asked_of_everything_within(registry):
    """One invalid value anywhere, in containers or among subvalues, makes the whole invalid."""
    bad = Ticket(good=False)
    assert registry.is_valid_nested([1, {"a": Ticket()}, Holder(Table(1))])
    for invalid in (bad, [{"a": (bad,)}], {bad: 1}, Holder([Table(0)]), Ticket(parts=([Ticket(parts=(bad,))],))):
        assert not registry.is_valid_nested(invalid)
    assert registry.is_valid(Ticket(parts=(bad,)))
    assert not registry.is_valid(Table(0))
    assert registry.is_valid(5)


def test_processing_goes_through_the_hooks(registry):
    """Both preprocess and postprocess give what the hooks give, and the object rather than its proxy."""
    assert registry.preprocess(Ticket(), {"call_order": 3}) == ("pre", 3)
    assert registry.postprocess(Ticket(), {"k": 1}) == ("post", {"k": 1})
    assert registry.preprocess(Table(1), {}).rows == 2
    same = [1]
    assert registry.preprocess(same, {}) is same
    assert registry.postprocess(same, {}) is same


def test_a_class_may_be_registered_again(registry):
    """A second register takes a changed type name into account."""
    Ticket.type_name = "test.Renamed"
    try:
        registry.register(Ticket)
        assert registry.get_type_name(Ticket) == "test.Renamed"
        assert registry.parse_type_name("test.Renamed") is Ticket
        registry.register(TableProxy)
        assert registry.get_type(Table) is TableProxy
    finally:
        Ticket.type_name = "test.Ticket"
        registry.register(Ticket)


def test_arguments_are_parsed(registry):
    """parse_arg reads a command-line text by type."""
    assert registry.parse_arg(int, "5") == 5
