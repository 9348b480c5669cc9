"""Whatever cannot be stored is named by the path on which Python reaches it."""

from __future__ import annotations

import pickle
import threading
from collections import namedtuple
from dataclasses import dataclass
from typing import Any

import pytest

from redun.value import Value, ValueNotEncodable, encode_value
from redun.value.errors import MAX_PATH_CHARS

Pair = namedtuple("Pair", "left right")
LOCK = threading.Lock()


@dataclass
class Box:
    content: Any


@dataclass
class SlottedBox:
    __slots__ = ("content",)
    content: Any


class Plain:
    def __init__(self, content):
        self.content = content


class Shown(Value):
    def __init__(self, content):
        self.content = content


class Hidden(Value):
    def __init__(self, content):
        self.content = content

    def __getstate__(self):
        return [self.content]


class Refusing(Value):
    def __getstate__(self):
        raise RuntimeError("not now")


class NoRepr:
    __hash__ = object.__hash__

    def __repr__(self):
        raise RuntimeError("no")


@pytest.mark.parametrize(
    ("value", "path"),
    [
        (LOCK, ""),
        ([1, LOCK], "[1]"),
        ({"a": (0, LOCK)}, "['a'][1]"),
        ({"k" * 50: LOCK}, "['" + "k" * 36 + "...]"),
        ({1: 2, LOCK: 3}, ".keys()[1]"),
        ({LOCK}, ".pop()"),
        (Pair(1, [LOCK]), ".right[0]"),
        (Box(LOCK), ".content"),
        (SlottedBox([LOCK]), ".content[0]"),
        ([Plain(Box(LOCK))], "[0].content.content"),
        (Shown([LOCK]), ".content[0]"),
        (Hidden(LOCK), ""),
        ([Refusing()], "[0]"),
    ],
    ids=[
        "itself",
        "list",
        "nested",
        "long key",
        "key",
        "set",
        "named tuple",
        "dataclass",
        "slots",
        "attribute",
        "Value",
        "Value with another state",
        "Value without state",
    ],
)
def test_the_innermost_member_is_named_by_its_path(value, path):
    """From the outside in, through containers, fields, attributes and states; as far as a class shows itself."""
    with pytest.raises(ValueNotEncodable) as caught:
        encode_value(value)
    assert caught.value.path == path


def test_a_key_that_cannot_be_shown_is_named_by_its_type():
    """The error of the key's own code does not take the place of the one that matters."""
    with pytest.raises(ValueNotEncodable) as caught:
        encode_value({NoRepr(): LOCK})
    assert caught.value.path in {"[<NoRepr>]", ".keys()[0]"}


def test_the_error_can_name_the_value_as_its_caller_does():
    """``describe`` puts an argument's name in front; a pickled copy says the same."""
    with pytest.raises(ValueNotEncodable) as caught:
        encode_value([LOCK])
    error = caught.value
    assert error.describe("argument x").startswith("argument x[0]: cannot serialize a _thread.lock: ")
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


def test_a_long_path_is_shown_by_its_ends():
    """A value may nest thousands of levels deep; the whole path stands in the error's field."""
    value = LOCK
    for _ in range(90):
        value = [value]
    with pytest.raises(ValueNotEncodable) as caught:
        encode_value(value)
    assert caught.value.path == "[0]" * 90
    for message in (str(caught.value), caught.value.describe("argument x")):
        assert len(message) < MAX_PATH_CHARS + 100
        assert "..." in message
