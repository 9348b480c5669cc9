"""Of a large node only the beginning is decoded, and what is shown of it is a beginning of the whole."""

from __future__ import annotations

from collections import Counter, OrderedDict, defaultdict, deque
from dataclasses import make_dataclass
from typing import Any

import pytest

from redun.objects.codec import NotCanonical, decode_node, encode_node
from redun.objects.kinds import Kind
from redun.value import Value, ValueUndecodable, encode_value, glance, preview_value
from redun.value.glance import LARGE_NODE_SIZE, REST, glance_node

NUMBERS = list(range(LARGE_NODE_SIZE // 4))


class Box(Value):
    type_name = "glance.Box"

    def __init__(self, **attributes: Any) -> None:
        self.__dict__.update(attributes)

    def __hash__(self) -> int:
        return id(self)


class Plain:
    def __init__(self, content: Any) -> None:
        self.content = content


def spoiled(data: bytes) -> bytes:
    """Return a node whose last twentieth is no msgpack at all."""
    kept = len(data) * 19 // 20
    return data[:kept] + b"\xc1" * (len(data) - kept)


LARGE: dict[str, tuple[Any, str]] = {
    "list": (NUMBERS, "[0, 1, 2, 3"),
    "nested list": ([[[NUMBERS]]], "[[[[0, 1, 2, 3"),
    "tuple": (tuple(NUMBERS), "(0, 1, 2, 3"),
    "dict": (dict.fromkeys(NUMBERS, "x"), "{0: 'x', 1: 'x'"),
    "ordered dict": (OrderedDict.fromkeys(NUMBERS, "x"), "OrderedDict({0: 'x'"),
    "default dict": (defaultdict(list, dict.fromkeys(NUMBERS, "x")), "defaultdict(list, {0: 'x'"),
    "counter": (Counter(NUMBERS), "Counter({0: 1, 1: 1"),
    "deque": (deque(NUMBERS), "deque([0, 1"),
    "set": (set(NUMBERS), "{0, 1, 2"),
    "frozenset": (frozenset(NUMBERS), "frozenset({0, 1"),
    "value": (Box(a=1, b=NUMBERS), "Box(a=1, b=[0, 1"),
    "value of many attributes": (Box(**{f"a{i:06}": 0 for i in range(200_000)}), "Box(a000000=0, a000001=0"),
    "texts": (["x" * 60_000] * 100, "['xxxxxxxx"),
    "pickle": (Plain([f"{i} words" for i in range(200_000)]), "<Plain, pickle of "),
    "pickles": ([Plain(f"{i}" * 9) for i in range(20_000)], "[<Plain, pickle of "),
    "values in a list": ([Box(i=i) for i in range(40_000)], "[Box(i=0), Box(i=1)"),
}


@pytest.mark.parametrize("name", LARGE)
def test_a_large_value_is_shown_by_its_beginning(name, shelf):
    """The text is that of the whole, and the end of the node is not looked at."""
    value, beginning = LARGE[name]
    oid = shelf.put(value)
    assert len(shelf[oid]) > LARGE_NODE_SIZE
    shelf[oid] = spoiled(shelf[oid])
    preview = preview_value(oid, shelf.__getitem__)
    assert preview.text.startswith(beginning)
    assert len(preview.text) == 200 or name == "pickle"
    assert preview.codec == ("pickle" if name.startswith("pickle") else "data")
    assert preview.size_bytes >= len(shelf[oid])


def test_a_large_value_within_another_is_glanced_at(shelf):
    """A nested node is cut as the outer one is."""
    oid = shelf.put([Box(content=NUMBERS)])
    inner = encode_value(Box(content=NUMBERS)).oid
    shelf[inner] = spoiled(shelf[inner])
    assert preview_value(oid, shelf.__getitem__).text.startswith("[Box(content=[0, 1, 2")


def test_more_is_read_when_more_is_asked_for(shelf):
    """The length of the text decides how many items are read, within the bytes that are looked at."""
    text = preview_value(shelf.put(NUMBERS), shelf.__getitem__, max_chars=20_000).text
    assert len(text) == 20_000
    assert text == f"{str(NUMBERS)[:19_997]}..."


def test_a_small_node_is_decoded_whole(shelf):
    """Below the limit a damaged end is noticed."""
    oid = shelf.put(NUMBERS[: LARGE_NODE_SIZE // 10])
    shelf[oid] = spoiled(shelf[oid])
    with pytest.raises(ValueUndecodable):
        preview_value(oid, shelf.__getitem__)


def test_a_large_node_that_is_none_is_refused():
    """Bytes that do not begin as a node raise NotCanonical."""
    for head in (b"\xc1", b"\x92\5\x90", b"\x93\5\x81", b"\x93\5\x90\xc1", b"\x93\5\x90\x93\xc1"):
        with pytest.raises(NotCanonical):
            glance_node(head + b"\xc1" * LARGE_NODE_SIZE)


def test_other_kinds_are_decoded_whole():
    """A large node of another kind is as its decoder expects it."""
    _, data = encode_node(Kind.SOURCE, [], ["x" * LARGE_NODE_SIZE])
    assert glance_node(data) == decode_node(data)


def test_links_are_read_where_they_lie():
    """The links of a large node are those of the whole, by index and slice."""
    links = [bytes([i]) * 32 for i in range(20)]
    _, data = encode_node(Kind.VALUE, links, ["list", "data", [1, *NUMBERS]])
    found = glance_node(data).links
    assert (len(found), list(found), found[3:5]) == (20, links, links[3:5])
    with pytest.raises(IndexError):
        found[20]


SAMPLES = [
    *(
        [1, [2.5, "three"], {"a": (1, 2), "b": {1, 2}}],
        OrderedDict(a=1, b=[2]),
        defaultdict(list, {1: [2]}),
        Counter("ab"),
    ),
    *(
        deque([1, 2], 3),
        Box(a=1, b=[2, {"c": 3}]),
        make_dataclass("P", "xyz")(1, [2], "3"),
        2**70,
        range(3),
        b"bytes",
        "text",
    ),
]


@pytest.mark.parametrize("value", SAMPLES, ids=lambda value: type(value).__name__)
def test_any_cut_shows_a_beginning(value, shelf, monkeypatch, golden):
    """Wherever the bytes or the items end, the text up to the dots is a beginning of the whole text."""
    module = golden
    if type(value).__name__ == "P":
        value = module.Point(1, 2.5, ["a", "b"])
    oid = shelf.put(value)
    whole = preview_value(oid, shelf.__getitem__).text
    monkeypatch.setattr(glance, "LARGE_NODE_SIZE", 0)
    body = len(encode_value(value).data)
    for head, items in [*((head, 10**6) for head in range(20, body)), *((body, items) for items in range(20))]:
        monkeypatch.setattr(glance, "_HEAD_SIZE", head)
        monkeypatch.setattr(glance, "ITEMS", items)
        monkeypatch.setattr("redun.value.preview.ITEMS", items - 200)
        try:
            text = preview_value(oid, shelf.__getitem__).text
        except ValueUndecodable:
            continue  # the bytes end within the type name
        assert whole.startswith(text.split(repr(REST))[0]), (head, items, text)
