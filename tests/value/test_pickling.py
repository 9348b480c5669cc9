"""Pickle as the last resort: steady bytes, nested Values in sight, and only the part that needs it."""

from __future__ import annotations

from typing import Any

import pytest

from redun.objects.codec import decode_node
from redun.objects.kinds import Kind
from redun.objects.value_records import ValueRecord
from redun.value import Value, ValueUndecodable, encode_value, tags


class Plain:
    def __init__(self, **attributes: Any) -> None:
        self.__dict__.update(attributes)

    def __eq__(self, other: object) -> bool:
        return type(other) is Plain and vars(other) == vars(self)

    __hash__ = None


class Words(str):
    """A subclass of a built-in type: not the type itself."""

    __slots__ = ()


class Item(Value):
    def __init__(self, name: str) -> None:
        self.name = name

    def __eq__(self, other: object) -> bool:
        return type(other) is Item and other.name == self.name

    def __hash__(self) -> int:
        return hash(self.name)


def fresh(text):
    """Return an equal text that is another object."""
    return "".join(list(text))


def test_only_the_part_that_needs_it_is_pickled():
    """Around an object without a codec, everything stays data."""
    record = ValueRecord.decode(decode_node(encode_value({"a": [1, Plain(x=1)]}).data))
    assert record.codec == "pickle"
    assert record.payload[:3] == [tags.DICT, "a", [tags.LIST, 1, record.payload[2][2]]]
    assert record.payload[2][2][0] == tags.PICKLE


def test_identity_of_texts_does_not_show(round_trip):
    """Equal texts give one oid, whether they are one object or two: the value read back has the oid it had."""
    shared = fresh("same text")
    one = Plain(first=shared, second=shared)
    two = Plain(first=fresh("same text"), second=fresh("same text"))
    assert encode_value(one).oid == encode_value(two).oid
    assert round_trip(one) == one
    assert round_trip(Plain(name="name", label=b"b", other=b"b")) is not None


def test_nested_values_stay_visible(shelf):
    """A Value within a pickled object is a linked node of its own, and comes back."""
    value = Plain(items=[Item("a"), Item("b"), Item("a")])
    encoded = encode_value(value)
    assert [kind for _, _, kind in encoded.parts] == [Kind.VALUE, Kind.VALUE]
    assert decode_node(encoded.data).links == [encode_value(Item("a")).oid, encode_value(Item("b")).oid]
    assert shelf.get_value(shelf.put(value)) == value


def test_large_contents_of_a_pickle_are_blobs(round_trip):
    """Bytes within a pickled object lie outside the node when they are large."""
    value = Plain(data=b"x" * tags.LARGE_SIZE)
    assert len(encode_value(value).data) < 500
    assert round_trip(value) == value
    many = Plain(numbers=list(range(100_000)))
    assert len(encode_value(many).data) < 500
    assert round_trip(many) == many


def test_subclasses_of_built_in_types_keep_their_type(round_trip):
    """Words("a") is not "a", before and after."""
    assert type(round_trip(Words("a"))) is Words
    assert encode_value(Words("a")).oid != encode_value("a").oid
    assert [type(word) for word in round_trip([Words("a"), "a"])] == [Words, str]


def test_shared_objects_within_a_pickle_stay_shared(round_trip):
    """What pickle holds together stays together."""
    inner = [1]
    again = round_trip(Plain(first=inner, second=inner))
    assert again.first is again.second


def test_a_class_that_is_gone_is_undecodable(shelf):
    """Unpickling an object of a class that is not there any more is undecodable, with the reason."""
    oid = shelf.put(Plain(x=1))
    kept = globals().pop("Plain")
    try:
        with pytest.raises(ValueUndecodable, match="Plain"):
            shelf.get_value(oid)
    finally:
        globals()["Plain"] = kept


def test_exceptions_come_back(round_trip):
    """Errors are values, too: they are pickled."""
    again = round_trip(ValueError("bad", 5))
    assert type(again) is ValueError
    assert again.args == ("bad", 5)


def test_a_pickle_of_a_module_that_is_gone_names_its_class(shelf, tmp_path, monkeypatch):
    """The reason names the class and not only the module that cannot be imported."""
    import sys

    (tmp_path / "fleeting_pickles.py").write_text("class Thing:\n    pass\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    import fleeting_pickles

    oid = shelf.put(fleeting_pickles.Thing())
    monkeypatch.delitem(sys.modules, "fleeting_pickles")
    (tmp_path / "fleeting_pickles.py").unlink()
    with pytest.raises(ValueUndecodable, match=r"a pickle of fleeting_pickles\.Thing cannot be loaded"):
        shelf.get_value(oid)
