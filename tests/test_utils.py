"""The small functions that users import from ``redun.utils``."""

from __future__ import annotations

import io
import pickle
import subprocess
import sys

import pytest

from redun import context
from redun.utils import (
    MultiMap,
    PreviewClass,
    PreviewUnpicklable,
    add_import_path,
    format_table,
    iter_nested_value,
    map_nested_value,
    merge_dicts,
    pickle_dump,
    pickle_dumps,
    pickle_loads,
    pickle_preview,
    trim_string,
)
from redun.value import nested


class Known:
    """A class that can be found, unless its name is changed in a pickle."""

    def __init__(self, x):
        self.x = x


class Reduced:
    """A class whose pickle calls it with arguments."""

    def __init__(self, *args):
        self.args = args

    def __reduce__(self):
        return type(self), self.args


class Stateful:
    """A class whose pickle holds a state that is no dict."""

    def __reduce__(self):
        return type(self), (), "state"

    def __setstate__(self, state):
        """Take nothing."""


def test_walks_are_those_of_the_language():
    """One function under two names."""
    assert (iter_nested_value, map_nested_value) == (nested.iter_nested_value, nested.map_nested_value)


@pytest.mark.parametrize(
    ("dicts", "merged"),
    [
        ([], {}),
        ([{"a": {"b": 1}, "l": [1]}, {"a": {"c": 2, "b": 5}, "l": [2]}], {"a": {"b": 5, "c": 2}, "l": [2]}),
        ([{"a": {"b": 1}}, {"a": {"c": 2}}, {"a": 3}], {"a": 3}),
    ],
)
def test_dicts_are_merged_one_over_the_other(dicts, merged):
    """Dict by dict, as contexts are."""
    assert merge_dicts(dicts) == merged
    assert merge_dicts([{"a": 1}, {"b": 2}]) == context.merge_dicts({"a": 1}, {"b": 2})


def test_a_multimap_keeps_all_values_of_a_key():
    """In order, key by key; a missing key has none."""
    found = MultiMap([("a", 1), ("b", 2), ["a", 3]])
    found.add("c", 4)
    assert (found["a"], found.get("a"), found.get("zz"), found.get("zz", 5)) == ([1, 3], [1, 3], [], 5)
    assert list(found) == list(found.items()) == [("a", 1), ("a", 3), ("b", 2), ("c", 4)]
    assert (list(found.keys()), list(found.values()), len(found)) == (["a", "b", "c"], [1, 3, 2, 4], 4)
    assert ("a" in found, "zz" in found, found.has_item("a", 3), found.has_item("zz", 3)) == (True, False, True, False)
    assert found.as_dict() == {"a": [1, 3], "b": [2], "c": [4]}
    assert repr(MultiMap([("a", 1)])) == "MultiMap([('a', 1)])"
    assert MultiMap([("a", 1)]) == MultiMap([("a", 1)]) != MultiMap()
    with pytest.raises(KeyError, match="zz"):
        found["zz"]


def test_a_long_text_is_cut():
    """The dots count."""
    assert trim_string("short") == "short"
    assert trim_string("x" * 300) == "x" * 197 + "..."
    assert [trim_string("hello world", 8, " more"), trim_string("hello", 3)] == ["hel more", "..."]


def test_a_table_is_lines():
    """With an empty one below the head; columns are as wide as their widest cell."""
    table = [["a", "bcd"], [1, 2.5], [10, 3]]
    assert list(format_table(table, "rl")) == [" a bcd", "", " 1 2.5", "10 3  "]
    assert list(format_table([["a"], ["1"]], "l", min_width=4)) == ["a   ", "", "1   "]
    with pytest.raises(ValueError, match="'c'"):
        list(format_table([["a"]], "c"))


def test_a_folder_can_be_added_to_the_path_of_imports(monkeypatch):
    """In front, once."""
    monkeypatch.setattr(sys, "path", ["/b"])
    add_import_path("/a")
    add_import_path("/a")
    assert sys.path == ["/a", "/b"]


def test_pickles_are_written_and_read():
    """The same bytes by both ways of writing."""
    stream = io.BytesIO()
    pickle_dump({"a": 1}, stream)
    assert stream.getvalue() == pickle_dumps({"a": 1})
    assert pickle_loads(stream.getvalue()) == {"a": 1}


def test_an_object_of_an_unknown_class_is_previewed():
    """By its class's name and what it holds; known ones are themselves."""
    assert pickle_preview(pickle_dumps(Known(1))).x == 1
    unknown = pickle_preview(pickle_dumps(Known([Known(2)])).replace(b"Known", b"Xnown"))
    assert isinstance(unknown, PreviewClass)
    assert repr(unknown) == "Xnown(x=[Xnown(x=2)])"
    assert repr(pickle_preview(pickle_dumps(Reduced(1, "a")).replace(b"Reduced", b"Xeduced"))) == "Xeduced(1, 'a')"
    assert pickle_preview(pickle_dumps(Stateful()).replace(b"Stateful", b"Xtateful")).state == "state"


def test_what_is_no_pickle_is_previewed_by_its_error():
    """Or raises, where that is asked for."""
    found = pickle_preview(b"garbage")
    assert isinstance(found, PreviewUnpicklable)
    assert repr(found).startswith("Unpicklable('")
    with pytest.raises(pickle.UnpicklingError):
        pickle_preview(b"garbage", raise_error=True)


def test_redun_itself_does_without():
    """Nothing of redun imports it."""
    code = "import redun.cli.main, redun.session, redun.scheduler.scheduler, sys; print('redun.utils' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "False"
