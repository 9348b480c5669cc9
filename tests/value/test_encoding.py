"""encode_value and decode_value: identity, exact types, parts, externals, limits and what is refused."""

from __future__ import annotations

import math
import struct
import threading
from dataclasses import dataclass
from typing import Any

import pytest

from redun.objects.codec import decode_node, encode_node
from redun.objects.kinds import Kind
from redun.objects.value_records import FileRecord, ValueRecord
from redun.value import (
    Codec,
    Value,
    ValueNotEncodable,
    ValueUndecodable,
    decode_value,
    encode_value,
    encoding,
    find_pickled_types,
    register_codec,
    register_kind,
)
from redun.value.tags import LARGE_SIZE, LIST, PICKLE


class FakeFile(Value):
    """A Value that is a node of kind file, as File is."""

    def __init__(self, path: str) -> None:
        self.path = path

    def encode_node(self):
        oid, data = FileRecord(self.path, "blake3", b"c" * 32, 7).encode()
        return Kind.FILE, oid, data


class FakeHandle(Value):
    """A Value of its own kind whose node links to something that must be stored with it."""

    def encode_node(self):
        part = encode_value("what it needs")
        oid, data = encode_node(Kind.HANDLE, [part.oid], "handle")
        return Kind.HANDLE, oid, data

    def iter_node_parts(self):
        part = encode_value("what it needs")
        yield part.oid, part.data, part.kind


class Box(Value):
    def __init__(self, content: Any) -> None:
        self.content = content


class Connection:
    def __init__(self) -> None:
        self.settings = {"port": 1}
        self.lock = threading.Lock()


@dataclass
class Job:
    name: str
    connection: Any


def oid_of(value):
    return encode_value(value).oid


def test_one_true_float_and_text_are_four_values():
    """1, True, 1.0 and "1" are equal or look alike, and have four oids; so in containers and as keys."""
    four = [1, True, 1.0, "1"]
    assert len({oid_of(value) for value in four}) == 4
    assert len({oid_of([value]) for value in four}) == 4
    assert len({oid_of({value: 0}) for value in four}) == 4
    assert len({oid_of({value}) for value in four}) == 4


def test_containers_of_one_content_are_as_many_values():
    """A list, tuple, set, frozenset, bytearray and bytes of the same members are all different."""
    assert len({oid_of(cls([1, 2])) for cls in (list, tuple, set, frozenset, bytearray, bytes)}) == 6


def test_identity_of_members_is_no_part_of_identity():
    """[a, a] equals [a, b] when a == b."""
    first, second = [1, "x"], [1, "x"]
    assert oid_of([first, first]) == oid_of([first, second])


def test_order_of_a_dict_is_part_of_its_identity():
    """A task sees the order of a dict, so two orders are two values."""
    assert oid_of({"a": 1, "b": 2}) != oid_of({"b": 2, "a": 1})


def test_order_of_a_set_is_no_part_of_its_identity():
    """Sets built in different orders are one value."""
    words = [f"word{n}" for n in range(50)]
    assert oid_of(set(words)) == oid_of({word for n in range(49, -1, -1) for word in [words[n]]})


@pytest.mark.parametrize(
    "number", [2**63 - 1, 2**63, 2**64 - 1, 2**64, -(2**63), -(2**63) - 1, 2**200, -(2**71), 255 - 2**72]
)
def test_integers_at_the_edges_come_back(number, round_trip):
    """Integers beyond 64 bits have a form of their own, alone and among others."""
    assert round_trip(number) == number
    assert round_trip([0, number, "x"]) == [0, number, "x"]
    assert round_trip({number: {number}}) == {number: {number}}


def test_bits_of_floats_are_kept(round_trip):
    """Minus zero, infinities and the payload of a NaN survive."""
    assert math.copysign(1, round_trip(-0.0)) == -1
    assert oid_of(-0.0) != oid_of(0.0)
    assert round_trip([math.inf, -math.inf]) == [math.inf, -math.inf]
    odd = struct.unpack("<d", struct.pack("<Q", 0x7FF8_0000_0000_1234))[0]
    assert struct.pack("<d", round_trip(odd)) == struct.pack("<d", odd)


def test_lone_surrogates_come_back(round_trip):
    """A text that UTF-8 has no form for is kept, as a value, key, member of a set and large text."""
    text = "name\udcff"
    assert round_trip(text) == text
    assert round_trip({text: [text, {text}]}) == {text: [text, {text}]}
    assert round_trip(text * LARGE_SIZE) == text * LARGE_SIZE


def test_numbers_have_no_parts():
    """What is small and plain is one object."""
    for value in (5, "a", None, 2.5, [1, {"a": (2,)}]):
        encoded = encode_value(value)
        assert (encoded.kind, encoded.parts, encoded.externals) == (Kind.VALUE, (), ())


@pytest.mark.parametrize("content", [b"x" * LARGE_SIZE, "y" * LARGE_SIZE, "\u2603" * LARGE_SIZE, bytearray(LARGE_SIZE)])
def test_large_contents_are_blobs(content, round_trip):
    """Bytes and texts from 64 KiB on lie outside the node, which stays small."""
    for value in (content, [content, content]):
        encoded = encode_value(value)
        assert [kind for _, _, kind in encoded.parts] == [Kind.BLOB]
        assert len(encoded.data) < 200
        assert round_trip(value) == value


def test_contents_below_the_limit_are_inline():
    """One byte less than the limit, and there is one object."""
    assert encode_value(b"x" * (LARGE_SIZE - 1)).parts == ()
    assert encode_value(["x" * (LARGE_SIZE - 1)]).parts == ()


def test_parts_are_children_first_and_once(shelf):
    """What a node links to stands before it, and nothing stands twice."""
    inner = Box([b"x" * LARGE_SIZE])
    encoded = encode_value([Box([inner, inner]), inner, {"k": b"x" * LARGE_SIZE}])
    oids = [oid for oid, _, _ in encoded.parts]
    assert len(oids) == len(set(oids)) == 3
    assert encoded.oid not in oids
    shelf.put([Box([inner, inner]), inner, {"k": b"x" * LARGE_SIZE}])


def test_externals_are_listed_in_order_of_appearance():
    """Files and handles anywhere within are listed once each, in the order in which they are met."""
    files = {name: FakeFile(name) for name in "abc"}
    oids = {name: encode_value(file).oid for name, file in files.items()}
    value = [files["b"], {"k": Box((files["c"], files["b"]))}, files["a"]]
    assert encode_value(value).externals == (oids["b"], oids["c"], oids["a"])
    assert encode_value(files["a"]).externals == (oids["a"],)
    assert encode_value(files["a"]).kind == Kind.FILE


def test_files_in_a_set_are_seen(shelf):
    """A set of Values has one identity in any order, and lists them all."""
    encoded = encode_value({FakeFile(name) for name in "abcdef"} | {("x", FakeFile("g"))})
    again = encode_value({("x", FakeFile("g"))} | {FakeFile(name) for name in "fedcba"})
    assert encoded == again
    assert len(encoded.externals) == 7
    shelf.put({FakeFile(name) for name in "abcdef"})


def test_what_a_node_of_its_own_kind_needs_is_a_part(shelf):
    """A Value that is a node of its own kind brings what its node links to."""
    encoded = encode_value([FakeHandle()])
    assert [kind for _, _, kind in encoded.parts] == [Kind.VALUE, Kind.HANDLE]
    assert len(encoded.externals) == 1
    shelf.put([FakeHandle()])


def test_a_registered_kind_decodes(shelf, monkeypatch):
    """A nested node of another kind is read by what was registered for its kind."""
    monkeypatch.delitem(encoding._decode_kind, int(Kind.HANDLE), raising=False)
    register_kind(Kind.HANDLE, lambda node, oid, read: ("handle", node.body, oid, decode_value(node.links[0], read)))
    oid = shelf.put([FakeHandle()])
    (handle,) = shelf.get_value(oid)
    assert handle == ("handle", "handle", encode_value(FakeHandle()).oid, "what it needs")


@pytest.mark.parametrize("kind", [Kind.TASK, Kind.CALL])
def test_other_kinds_are_undecodable(kind):
    """A node that nothing reads, or that is no value at all, is undecodable."""
    oid, data = encode_node(kind, [], ["x"])
    with pytest.raises(ValueUndecodable):
        decode_value(oid, {oid: data}.__getitem__)


def test_errors_of_read_pass_through(shelf):
    """What the caller's read raises is no damaged value, for the value itself and for what is nested in it."""

    class Missing(Exception):
        pass

    def read(oid):
        if oid == root:
            return shelf[oid]
        raise Missing(oid)

    root = shelf.put([Box(1)])
    with pytest.raises(Missing):
        decode_value(encode_value(0).oid, read)
    with pytest.raises(Missing):
        decode_value(root, read)


def test_nesting_to_the_limit_is_plain_data(round_trip):
    """200 levels are data."""
    value: Any = 1
    for _ in range(200):
        value = [value]
    assert find_pickled_types(encode_value(value)) == ()
    assert round_trip(value) == value


def test_deeper_nesting_is_a_pickle(round_trip):
    """Beyond 200 levels the whole value is one pickle, and still comes back."""
    value: Any = [1]
    for _ in range(250):
        value = [value]
    assert find_pickled_types(encode_value(value)) == ("list",)
    assert round_trip(value) == value


def test_a_value_that_contains_itself_comes_back(round_trip):
    """A cycle is left to pickle, whole, so that it is the same cycle afterwards."""
    value: dict[str, Any] = {"name": "loop"}
    value["self"] = [value]
    again = round_trip(value)
    assert again["self"][0] is again


def test_nesting_beyond_pickle_is_refused():
    """What not even pickle can walk is refused by type, not by a crash."""
    value: Any = 1
    for _ in range(100_000):
        value = [value]
    with pytest.raises(ValueNotEncodable, match="too deep"):
        encode_value(value)


def test_a_value_object_within_itself_is_refused():
    """A node cannot link to itself."""
    box = Box(None)
    box.content = [box]
    for value in (box, [box]):
        with pytest.raises(ValueNotEncodable, match="contains itself"):
            encode_value(value)


@pytest.mark.parametrize(
    ("value", "path", "type_name"),
    [
        (threading.Lock(), "", "_thread.lock"),
        ([1, Connection()], "[1].lock", "_thread.lock"),
        ({"a": [Job("x", (Connection(),))]}, "['a'][0].connection[0].lock", "_thread.lock"),
        ([Box({"k": lambda: 0})], "[0].content['k']", "function"),
        ((1, iter([])), "[1]", "generator"),
    ],
)
def test_the_message_says_where_the_offender_is(value, path, type_name):
    """The error names the innermost member that has no form, as Python would reach it."""
    if type_name == "generator":
        value = (1, (n for n in []))
    with pytest.raises(ValueNotEncodable) as caught:
        encode_value(value)
    assert (caught.value.path, caught.value.type_name) == (path, type_name)
    assert str(caught.value).startswith(f"value{path}: cannot serialize a {type_name}: ")
    assert caught.value.describe("result").startswith(f"result{path}: ")


def test_pickled_types_are_named():
    """find_pickled_types names each class that needed pickle, wherever it stands; data names none."""
    value = [Box({"a": complex(1)}), {1: Odd(), 2: Odd()}, {(Odd2(), FakeFile("a"))}]
    assert sorted(find_pickled_types(encode_value(value))) == [f"{__name__}.Odd", f"{__name__}.Odd2"]
    assert find_pickled_types(encode_value(["pickle", b"\xa6pickle", [24, "a"]])) == ()


class Odd:
    pass


class Odd2:
    pass


class Celsius:
    def __init__(self, degrees: float, raw: bytes = b"") -> None:
        self.degrees = degrees
        self.raw = raw


def test_a_registered_codec_makes_data_of_a_foreign_type(shelf):
    """A codec takes the place of pickle for its type; what it returns is encoded in turn, large bytes as blobs."""
    assert find_pickled_types(encode_value(Celsius(1.5)))
    codec = Codec("test.celsius", lambda value: (value.degrees, value.raw), lambda state: Celsius(*state))
    register_codec(f"{__name__}:Celsius", codec)
    encoded = encode_value([Celsius(1.5, b"r" * LARGE_SIZE)])
    assert find_pickled_types(encoded) == ()
    assert [kind for _, _, kind in encoded.parts] == [Kind.BLOB]
    (again,) = shelf.get_value(shelf.put([Celsius(1.5, b"r" * LARGE_SIZE)]))
    assert (type(again), again.degrees, len(again.raw)) == (Celsius, 1.5, LARGE_SIZE)


def test_a_reader_may_refuse_pickles(shelf):
    """With allow_pickle=False a value with a pickle anywhere is undecodable, and data is as always."""
    plain, odd = shelf.put([1]), shelf.put([Box([Odd()])])
    assert shelf.get_value(plain, allow_pickle=False) == [1]
    with pytest.raises(ValueUndecodable, match="does not unpickle"):
        shelf.get_value(odd, allow_pickle=False)


def test_a_pickle_must_be_announced():
    """A pickle within a node whose codec says data is refused: the codec field can be trusted."""
    record = ValueRecord.decode(decode_node(encode_value([Odd()]).data))
    assert record.payload[0] == LIST
    assert record.payload[1][0] == PICKLE
    oid, data = record._replace(codec="data").encode()
    with pytest.raises(ValueUndecodable, match="says it holds none"):
        decode_value(oid, {oid: data}.__getitem__)


def test_the_type_name_must_fit():
    """A node that calls its value something else is refused: filters and previews go by that name."""
    oid, data = ValueRecord("str", "data", 5, []).encode()
    with pytest.raises(ValueUndecodable, match="called a str"):
        decode_value(oid, {oid: data}.__getitem__)


def test_an_unknown_codec_is_undecodable():
    """A codec of a later version is a reason, not a crash."""
    oid, data = ValueRecord("int", "quantum", 5, []).encode()
    with pytest.raises(ValueUndecodable, match="unknown codec 'quantum'") as caught:
        decode_value(oid, {oid: data}.__getitem__)
    assert caught.value.oid == oid


class Raising(Value):
    def __getstate__(self):
        raise OSError("no such device")


def test_errors_of_hooks_name_the_member():
    """A hook may raise anything; the caller learns which member it was and why."""
    with pytest.raises(ValueNotEncodable, match=r"value\[0\].*OSError: no such device") as caught:
        encode_value([Raising()])
    assert isinstance(caught.value.__cause__, OSError)
