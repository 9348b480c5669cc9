"""Previews look as Python would write the value, import nothing and unpickle nothing."""

from __future__ import annotations

import sys
from decimal import Decimal
from pathlib import PurePosixPath
from typing import Any

import pytest

from redun.objects.kinds import Kind
from redun.objects.task_records import TaskRecord
from redun.objects.value_records import FileRecord
from redun.value import Value, encode_value, preview_value, register_codec, tags
from redun.value.encoding import Codec

OIDS_OF_FILES = {name: FileRecord(name, "blake3", b"c" * 32, 7).encode() for name in ("prog.c", "lib.c")}


class FakeFile(Value):
    def __init__(self, path: str) -> None:
        self.path = path

    def encode_node(self):
        return Kind.FILE, *OIDS_OF_FILES[self.path]


class Trap:
    """Unpickling one of these would be noticed."""

    sprung = False

    def __reduce__(self):
        return spring, ("arguments",)


def spring(*_arguments: Any) -> Trap:
    Trap.sprung = True
    return Trap()


class Account(Value):
    type_name = "bank.Account"

    def __init__(self, owner: str, balance: Any) -> None:
        self.owner = owner
        self.balance = balance


def text_of(shelf, value, **options):
    return preview_value(shelf.put(value), shelf.__getitem__, **options).text


PLAIN: list[Any] = [
    None,
    True,
    -5,
    2**70,
    1.5,
    "it's",
    b"\x00",
    [],
    [1, [2, "x"]],
    (1,),
    (1, 2),
    {"a": [1], 2: None},
    set(),
    {5},
    frozenset({5}),
    frozenset(),
    bytearray(b"a"),
    complex(1, 2),
    ...,
    range(5),
    range(0, 5, 2),
    slice(1, None, None),
    Decimal("1.5"),
    PurePosixPath("a/b"),
]


@pytest.mark.parametrize("value", PLAIN, ids=repr)
def test_plain_values_look_as_their_repr(value, shelf):
    """What Python has a literal or a call for is shown so."""
    assert text_of(shelf, value) == repr(value)


def test_golden_values_look_like_python(golden, shelf):
    """Dates, enums, dataclasses, named tuples and Values are shown by class name and fields."""
    shown = {name: text_of(shelf, value) for name, value in golden.SAMPLES.items()}
    for name in (
        "date",
        "datetime",
        "datetime utc",
        "timedelta",
        "fraction",
        "uuid",
        "dataclass",
        "namedtuple",
        "deque",
    ):
        assert shown[name] == repr(golden.SAMPLES[name])
    assert shown["datetime zone"] == "datetime.datetime(2024, 10, 27, 2, 30, fold=1, tzinfo=ZoneInfo('Europe/Berlin'))"
    assert shown["enum"] == "Color.GREEN"
    assert shown["flag"] == "Access.READ | Access.EXECUTE"
    assert shown["flag zero"] == "Access(0)"
    assert shown["dataclass with a gap"] == "Nested(point=Point(x=2, y=0.5, tags=[]))"
    assert shown["value"] == "Box(content=[1, Box(content='inner')])"
    assert shown["class"] == "golden_values.Point"
    assert shown["builtin function"] == "len"
    assert shown["default dict"] == "defaultdict(list, {'a': [1]})"
    assert shown["large bytes"] == "<bytes of 65536 bytes>"
    assert shown["surrogate"] == r"'a\udcff'"


def test_files_are_shown_by_path_and_hash(shelf):
    """A nested file is File(path=..., hash=...), the hash being the start of its node's oid."""
    text = text_of(shelf, {"prog": [FakeFile("prog.c"), FakeFile("lib.c")]})
    hashes = {name: oid.hex()[:8] for name, (oid, _) in OIDS_OF_FILES.items()}
    assert text == f"{{'prog': [File(path=prog.c, hash={hashes['prog.c']}), File(path=lib.c, hash={hashes['lib.c']})]}}"


def test_nodes_of_other_kinds_are_shown(shelf):
    """A file or task node by itself has a preview, and so has one of a kind that nobody speaks for."""
    file = preview_value(shelf.put(FakeFile("lib.c")), shelf.__getitem__)
    assert (file.type_name, file.codec) == ("redun.File", "file")
    task_oid, task = TaskRecord("ns.main", "1", None, [], []).encode()
    shown = preview_value(task_oid, {task_oid: task}.__getitem__)
    assert shown.text == f"Task(fullname=ns.main, hash={task_oid.hex()[:8]})"
    assert shown.size_bytes == len(task)


def test_long_values_are_cut(shelf):
    """The text stops at the length asked for, and says so by dots."""
    assert text_of(shelf, list(range(10**5)), max_chars=20) == "[0, 1, 2, 3, 4, 5..."
    assert text_of(shelf, "x" * 1000, max_chars=10) == "'xxxxxx..."
    deep: list[Any] = []
    for _ in range(100):
        deep = [deep]
    assert text_of(shelf, deep, max_chars=1000).count("[") == 21


def test_sizes_count_what_belongs_to_the_value(shelf):
    """The size is that of the node and its large contents."""
    assert preview_value(shelf.put(5), shelf.__getitem__).size_bytes == len(encode_value(5).data)
    assert preview_value(shelf.put([b"x" * 10**5]), shelf.__getitem__).size_bytes > 10**5


def test_what_is_missing_is_named(shelf):
    """A nested node that is not here does not hide the rest."""
    oid = shelf.put([1, FakeFile("lib.c")])
    missing = OIDS_OF_FILES["lib.c"][0]
    del shelf[missing]
    assert preview_value(oid, shelf.__getitem__).text == f"[1, <missing {missing.hex()[:8]}>]"


def test_pickles_are_named_and_not_loaded(shelf):
    """A pickle's classes are told without running any of it."""
    Trap.sprung = False
    preview = preview_value(shelf.put([1, Trap()]), shelf.__getitem__)
    assert preview.codec == "pickle"
    assert preview.text.startswith("[1, <Trap, pickle of ")
    assert preview.text.endswith(f" bytes with {__name__}.spring>]")
    assert not Trap.sprung


def test_nothing_is_imported(shelf):
    """A dataclass, an enum and a Value of a module that would have to be imported are shown without it."""
    payload = [
        tags.LIST,
        [tags.DATACLASS, "this.module:Outer.Point", [tags.TUPLE, "x"], 5],
        [tags.ENUM, "antigravity:Color", "RED"],
        [tags.OBJECT, "wave.Account", [tags.DICT, "owner", "me"], None],
    ]
    from redun.objects.value_records import ValueRecord

    oid, data = ValueRecord("list", "data", payload, []).encode()
    before = set(sys.modules)
    assert preview_value(oid, {oid: data}.__getitem__).text == "[Point(x=5), Color.RED, Account(owner='me')]"
    assert set(sys.modules) == before


def test_values_with_codecs_are_shown_by_their_data(shelf):
    """A foreign type is shown as its codec's name and data."""

    class Meter:
        pass

    register_codec(Meter, Codec("test.meter", lambda _value: (1, "m"), lambda _state: Meter()))
    assert text_of(shelf, Meter()) == "test.meter((1, 'm'))"
