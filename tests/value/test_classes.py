"""Dataclasses, named tuples, enums, classes and functions as values."""

from __future__ import annotations

import dataclasses
import sys
import types
from dataclasses import dataclass, field
from enum import Enum, Flag, IntEnum, IntFlag
from functools import cached_property
from typing import Any, ClassVar, Generic, NamedTuple, TypeVar

import pytest

from redun.value import InvalidValueError, ValueNotEncodable, ValueUndecodable, encode_value, find_pickled_types
from redun.value.classes import set_code_digest

T = TypeVar("T")


@dataclass
class Account:
    owner: str
    balance: float = 0.0
    history: list[float] = field(default_factory=list, repr=False)
    number: int = field(init=False, default=7)
    shared: ClassVar[int] = 5

    def __post_init__(self) -> None:
        self.opened = "today"

    @cached_property
    def summary(self) -> str:
        return f"{self.owner}: {self.balance}"


@dataclass(frozen=True, slots=True)
class Frozen:
    x: int
    y: Any = None


@dataclass
class Savings(Account):
    rate: float = 0.01


class Special(Frozen):
    """No dataclass of its own, and with attributes beyond the fields."""

    __slots__ = ("note",)


@dataclass
class Wrapper(Generic[T]):
    content: T


@dataclass
class Empty:
    pass


@dataclass
class Exploding:
    x: int

    def __post_init__(self) -> None:
        if self.x < 0:
            raise ValueError("negative")


@dataclass
class WithReduce:
    x: int

    def __reduce__(self):
        return WithReduce, (self.x,)


class Row(NamedTuple):
    left: int
    right: Any = None


class Wide(Row):
    """A subclass of a named tuple that can take attributes."""


class NewerRow(NamedTuple):
    right: int
    left: int


class Color(Enum):
    RED = 1
    ROUGE = RED
    GREEN = (1, 2)


class Level(IntEnum):
    LOW = 1


class Access(Flag):
    READ = 1
    WRITE = 2
    BOTH = 3


class Bits(IntFlag):
    A = 1
    B = 2


def plain_function() -> None:
    pass


def is_data(value):
    return find_pickled_types(encode_value(value)) == ()


@pytest.mark.parametrize(
    "value",
    [
        Account("me", 1.5, [1.0]),
        Frozen(1, [2]),
        Savings("me", rate=0.5),
        Wrapper([1]),
        Wrapper[int](1),
        Empty(),
        Exploding(1),
        Row(1, [2]),
        Wide(1),
        Color.RED,
        Color.ROUGE,
        Color.GREEN,
        Level.LOW,
        Access.READ,
        Access.BOTH,
        Access(0),
        Bits.A | Bits.B,
        Bits(9),
    ],
    ids=repr,
)
def test_instances_come_back_as_data(value, round_trip):
    """Equal, of the exact class, with no pickle."""
    again = round_trip(value)
    assert type(again) is type(value)
    assert again == value
    assert is_data(value)


def test_attributes_beyond_the_fields_are_kept(round_trip):
    """What __post_init__ or a subclass adds is part of the instance; a cached property is made again."""
    account = Account("me")
    account.opened = "yesterday"
    before = encode_value(account).oid
    assert account.summary == "me: 0.0"
    assert encode_value(account).oid == before
    again = round_trip(account)
    assert vars(again) == {"owner": "me", "balance": 0.0, "history": [], "number": 7, "opened": "yesterday"}
    special = Special(1)
    object.__setattr__(special, "note", "n")
    assert round_trip(special).note == "n"


def test_a_field_that_was_never_set_stays_so(round_trip):
    """A missing attribute is not made up."""
    account = Account("me")
    del account.history
    assert not hasattr(round_trip(account), "history")


def test_neither_init_nor_post_init_runs(round_trip):
    """Decoding does not judge again what was fine when it was made."""
    value = Exploding(1)
    value.x = -1
    assert round_trip(value).x == -1


def test_other_fields_are_refused(shelf):
    """An instance of an older version of the class is undecodable, not misread."""
    oids = [shelf.put(Frozen(1)), shelf.put(Row(1))]
    module = sys.modules[__name__]
    newer_frozen = dataclasses.make_dataclass("Frozen", [("x", int)], frozen=True)
    kept = Frozen, Row
    newer_frozen.__module__ = __name__
    NewerRow.__qualname__ = "Row"
    module.Frozen, module.Row = newer_frozen, NewerRow
    try:
        for oid in oids:
            with pytest.raises(ValueUndecodable, match="had the fields"):
                shelf.get_value(oid)
    finally:
        module.Frozen, module.Row = kept


def test_a_class_that_moved_is_refused(shelf):
    """A class that is found by its old name, and calls itself something else, is not the class that was stored."""
    oid = shelf.put(Empty())
    Empty.__qualname__ = "Moved"
    try:
        with pytest.raises(ValueUndecodable, match="another name"):
            shelf.get_value(oid)
    finally:
        Empty.__qualname__ = "Empty"


def test_a_module_that_is_gone_is_undecodable(shelf, monkeypatch):
    """A class of a module that cannot be imported is undecodable, with the reason."""
    module = types.ModuleType("fleeting_module")
    monkeypatch.setitem(sys.modules, "fleeting_module", module)
    exec("from dataclasses import dataclass\n@dataclass\nclass P:\n    x: int\n", module.__dict__)
    oid = shelf.put([module.P(1)])
    monkeypatch.delitem(sys.modules, "fleeting_module")
    with pytest.raises(ValueUndecodable, match="fleeting_module cannot be imported"):
        shelf.get_value(oid)


def test_an_enum_member_that_is_gone_is_undecodable(shelf):
    """Members go by name."""
    oid = shelf.put(Level.LOW)
    kept = Level
    sys.modules[__name__].Level = IntEnum("Level", {"HIGH": 1}, module=__name__)
    try:
        with pytest.raises(ValueUndecodable, match="has no member LOW"):
            shelf.get_value(oid)
    finally:
        sys.modules[__name__].Level = kept


def test_classes_that_say_how_to_copy_them_are_pickled():
    """A class with its own __reduce__ means more than its fields; a named tuple with attributes is more than one."""
    assert not is_data(WithReduce(1))
    wide = Wide(1)
    wide.note = "x"
    assert not is_data(wide)


def test_local_classes_and_functions_are_refused():
    """What cannot be found again by name cannot be stored."""

    @dataclass
    class Local:
        x: int

    for value in (Local(1), Local, lambda: 0, [test_local_classes_and_functions_are_refused, Local]):
        with pytest.raises(ValueNotEncodable):
            encode_value(value)


def test_a_function_that_is_gone_is_undecodable(shelf, monkeypatch):
    """A function is reattached by its name; when there is none, or a class, the value is a miss that names it."""
    oid = shelf.put([plain_function])
    kept = plain_function
    monkeypatch.delattr(sys.modules[__name__], "plain_function")
    with pytest.raises(ValueUndecodable, match="has no plain_function"):
        shelf.get_value(oid)
    monkeypatch.setattr(sys.modules[__name__], "plain_function", Empty, raising=False)
    with pytest.raises(ValueUndecodable, match="plain_function"):
        shelf.get_value(oid)
    monkeypatch.setattr(sys.modules[__name__], "plain_function", kept)
    assert shelf.get_value(oid) == [kept]


def test_functions_within_functions_are_invalid_values():
    """A lambda and a function of a function cannot be found again: InvalidValueError names them."""

    def local():
        pass

    with pytest.raises(InvalidValueError, match=r"\[0\].*local is not at the top of a module"):
        encode_value([local])
    with pytest.raises(InvalidValueError, match="<lambda> is not at the top of a module"):
        encode_value(lambda: 0)


@pytest.mark.parametrize("value", [plain_function, len, Account, int, Color, type(None), type, [1].append])
def test_classes_and_functions_come_back_by_name(value, round_trip):
    """A class or function of a module is itself again; a bound one works again."""
    again = round_trip(value)
    assert again is value or again.__name__ == "append"


def test_code_is_part_of_a_function_when_its_digest_is_known(shelf):
    """With a digest, a function whose code has changed is another value, and the stored one is not read back."""
    without = encode_value(plain_function).oid
    set_code_digest(lambda thing: b"one" if thing is plain_function else None)
    oid = shelf.put(plain_function)
    assert oid != without
    assert shelf.get_value(oid) is plain_function
    assert encode_value(len).oid == shelf.put(len)
    set_code_digest(lambda _thing: b"two")
    with pytest.raises(ValueUndecodable, match=r"the code of .*plain_function has changed"):
        shelf.get_value(oid)
    set_code_digest(lambda _thing: None)
    assert encode_value(plain_function).oid == without
