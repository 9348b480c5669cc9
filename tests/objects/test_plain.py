"""Which nodes are plain data: all that redun's own codecs make of data, and nothing that is code to anybody."""

from __future__ import annotations

import functools
import os
from collections import Counter, OrderedDict, defaultdict, deque
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum, Flag
from fractions import Fraction
from pathlib import PurePosixPath
from typing import NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redun.expression import quote
from redun.file import File
from redun.file.file_cache import FileCache
from redun.objects.call_records import CallRecord, ReductionRecord, SubtreeSummary
from redun.objects.codec import Node, decode_node
from redun.objects.kinds import Kind
from redun.objects.plain import CODE_TAGS, DATA_TAGS, FOREIGN_TAG, find_produced, is_plain
from redun.task import task
from redun.value import encode_value, tags


class Color(Enum):
    RED = 1


class Access(Flag):
    READ = 1
    WRITE = 2


class Pair(NamedTuple):
    a: int
    b: list[int]


@dataclass
class Point:
    x: int
    tags: list[str]


def module_function(x):
    return x


DATA = [
    *(None, True, 1, 2**70, -1.5, 1j, "text", "a\udcff", b"bytes", bytearray(b"ab"), ..., range(3), slice(1)),
    *("x" * 70_000, b"x" * 70_000, [1, [2, (3,)]], {"a": {1: "b"}}, {1, "x", (2,)}, frozenset({1})),
    *(date(2024, 2, 29), time(12), datetime(2024, 1, 1, tzinfo=timezone.utc), timedelta(1), ZoneInfo("Europe/Berlin")),
    *(Decimal("1.5"), Fraction(1, 3), UUID(int=5), PurePosixPath("a"), OrderedDict(a=1), Counter("ab"), deque([1])),
    *(Color.RED, Access.READ | Access.WRITE, Access(0), Pair(1, [2]), Point(1, ["a"])),
]


class Trap:
    def __reduce__(self):
        return os.system, ("false",)


def _nodes(value):
    """Return all nodes of kind value that a value consists of."""
    encoded = encode_value(value)
    rows = ((encoded.data, encoded.kind), *((data, kind) for _, data, kind in encoded.parts))
    return [decode_node(data) for data, kind in rows if kind != Kind.BLOB]


def test_the_tags_are_those_of_the_format():
    """Each tag is on one side, so a new one has to be put on one."""
    by_name = {number for name, number in vars(tags).items() if name.isupper() and type(number) is int and number <= 40}
    assert by_name == DATA_TAGS | CODE_TAGS | {FOREIGN_TAG}
    assert {tags.CLASS, tags.FUNCTION, tags.OBJECT, tags.SERIALIZED, tags.PROXY, tags.PICKLE} == CODE_TAGS
    assert tags.FOREIGN == FOREIGN_TAG


@pytest.mark.parametrize("value", DATA, ids=lambda value: type(value).__name__)
def test_data_is_plain(value):
    """One of each type that has a form as data."""
    assert all(is_plain(node) for node in _nodes(value))


@pytest.mark.parametrize(
    "value",
    [
        Trap(),
        [1, {"deep": (Trap(),)}],
        functools.partial(print, 1),
        [os.system],
        {"f": module_function},
        Point,
        int,
        defaultdict(list),
        "text".upper,
        quote(task(name="f", namespace="n")(lambda: 1)()),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_runs_code_is_not_plain(value):
    """However deep it stands: a pickle, a function, a method, an expression."""
    assert not all(is_plain(node) for node in _nodes(value))


def test_arrays_and_tables_are_plain_and_what_pickles_within_is_not():
    """Numbers and texts are data; an object in an array is what it is alone."""
    np, pd = pytest.importorskip("numpy"), pytest.importorskip("pandas")
    for value in (np.arange(5), np.array(["a", None], object), pd.DataFrame({"a": [1, 2], "b": ["x", "y"]})):
        assert all(is_plain(node) for node in _nodes(value))
    assert not all(is_plain(node) for node in _nodes(np.array([Trap()], object)))


def test_proxies_are_not_plain():
    """A FileCache unpickles its content when it is read."""
    assert not all(is_plain(node) for node in _nodes(FileCache({"a": 1})))


def test_files_are_plain():
    """A file's node is a path and a digest; whether its content comes is another question."""
    node = decode_node(encode_value(File(__file__)).data)
    assert is_plain(node)


@given(st.recursive(st.integers() | st.text() | st.binary(), lambda inner: st.lists(inner, max_size=4)))
def test_any_payload_gets_an_answer(payload):
    """What has no tag that is known is not plain; nothing is raised, however it nests."""
    answer = is_plain(Node(Kind.VALUE, [], ["list", "data", payload]))
    assert answer or type(payload) is list


def test_nodes_that_do_not_fit_are_not_plain():
    """A value of another shape, and an expression of any."""
    assert not is_plain(Node(Kind.VALUE, [], ["int", "data"]))
    assert not is_plain(Node(Kind.VALUE, [], ["int", "pickle", 1]))
    assert not is_plain(Node(Kind.EXPRESSION, [], []))
    assert is_plain(Node(Kind.VALUE, [], ["int", "data", 1]))
    deep: list[object] = [1]
    for _ in range(100_000):
        deep = [1, deep]
    assert is_plain(Node(Kind.VALUE, [], ["list", "data", deep]))


def test_files_that_were_written_are_found():
    """Those of a call or below it, and those of a reduction; a node that does not fit has none."""
    oids = [bytes([number]) * 32 for number in range(6)]
    summary = SubtreeSummary(is_reusable=True, tasks=[], externals=oids[2:5], produced=[0, 3])
    call = decode_node(CallRecord(oids[0], oids[1], None, [], [], summary, [3]).encode()[1])
    assert set(find_produced(call)) == {oids[2], oids[3]}
    assert (
        find_produced(decode_node(ReductionRecord(oids[0], oids[1], oids[2:4], [True, False]).encode()[1])) == oids[2:4]
    )
    assert find_produced(Node(Kind.CALL, [], [])) == []
    assert find_produced(Node(Kind.VALUE, [], [])) == []
