"""Arguments of several words, or of JSON, get the types that annotations name."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from enum import Enum
from pathlib import Path
from typing import Any, NamedTuple, Optional, TypedDict, Union

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redun.value import InvalidValueError
from redun.value.json_arguments import convert_json, parse_words, takes_words


class Color(Enum):
    RED = 1
    GREEN = 2


@dataclass
class Box:
    size: float
    color: Color = Color.RED
    paths: tuple[Path, ...] = ()


class Pair(NamedTuple):
    a: int
    b: Optional[str] = None


class Depth(TypedDict):
    depth: int


@pytest.mark.parametrize(
    ("annotation", "words", "value"),
    [
        (int, ["1"], 1),
        (list, ["a", "b"], ["a", "b"]),
        (list[int], ["1"], [1]),
        (list[int], ["[1, 2]"], [1, 2]),
        (list[str], ["[a]"], ["[a]"]),
        (list[str], ["[]"], []),
        (list[list[int]], ["[1, 2]", "[]"], [[1, 2], []]),
        (Sequence[Path], ["a", "b"], [Path("a"), Path("b")]),
        (Optional[list[Color]], ["RED", "Color.GREEN"], [Color.RED, Color.GREEN]),
        (tuple, ["a", "b"], ("a", "b")),
        (tuple[int, ...], ["1", "2", "3"], (1, 2, 3)),
        (tuple[int, str], ["1", "2"], (1, "2")),
        (tuple[int, str], ['[1, "2"]'], (1, "2")),
        pytest.param(set, ["a,b"], {"a", "b"}, id="set-of-one-word"),
        pytest.param(set, ["a", "b"], {"a", "b"}, id="set-of-words"),
        (set[int], ["1", "2"], {1, 2}),
        (frozenset[int], ["1"], frozenset({1})),
        (dict, ["a=1", "b=c=d"], {"a": "1", "b": "c=d"}),
        (dict, ['{"a": [1, null]}'], {"a": [1, None]}),
        (dict[str, int], ["a=1"], {"a": 1}),
        (dict[int, Path], ['{"1": "x"}'], {1: Path("x")}),
        (dict[str, list[int]], ["a=[1, 2]"], {"a": [1, 2]}),
        (Box, ['{"size": 1, "color": "GREEN", "paths": ["p"]}'], Box(1.0, Color.GREEN, (Path("p"),))),
        (list[Box], ['{"size": 2}'], [Box(2.0)]),
        (Pair, ["[1]"], Pair(1)),
        (Pair, ['{"a": 1, "b": null}'], Pair(1, None)),
        (Depth, ['{"depth": 1}'], {"depth": 1}),
        (Union[int, list[int]], ["1"], 1),
        (Union[int, list[int]], ["1", "2"], [1, 2]),
        (Union[list[str], str], ["a"], "a"),
    ],
    ids=str,
)
def test_words_are_read_by_annotation(annotation, words, value):
    """One word for each item, or one word of JSON; types hold all the way down."""
    found = parse_words(annotation, words)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("annotation", "words", "why"),
    [
        (int, [], "one value, found none"),
        (int, ["1", "2"], "one value, found 2"),
        (bool, [], "true or false, found none"),
        (list[int], [], "one or more values, found none"),
        (list[int], ["a"], "a value of type int, found 'a'"),
        (list[int], ['["a"]'], 'a whole number, found "a"'),
        (tuple[int, str], ["1"], "2 values, found '1'"),
        (tuple[int, str], ["[1]"], r"a list of 2, found \[1\]"),
        (dict, ["a"], "key=value, or an object as JSON, found 'a'"),
        (dict, ["{"], "an object as JSON"),
        (Box, ["small"], "an object of Box with size, color, paths as JSON, found 'small'"),
        (Box, ['{"size": true}'], "a value of type float, found true"),
        (Box, ['{"width": 1}'], "an object of Box with size, color, paths, found"),
        (Box, ["{}"], "missing 1 required"),
        (Union[int, list[int]], ["a"], "one of int, list, found 'a'"),
    ],
    ids=str,
)
def test_words_that_do_not_fit_are_refused(annotation, words, why):
    """The message says what was expected and what was found."""
    with pytest.raises(InvalidValueError, match=f"expected .*{why}"):
        parse_words(annotation, words)


@pytest.mark.parametrize(
    ("annotation", "data", "value"),
    [
        (Any, {"a": [1]}, {"a": [1]}),
        (Union[int, str], "5", "5"),
        (Optional[int], None, None),
        (date, "2024-02-29", date(2024, 2, 29)),
        (float, 1, 1.0),
    ],
)
def test_json_keeps_what_it_says_itself(annotation, data, value):
    """A text in quotes is a text even where a number would fit."""
    found = convert_json(annotation, data)
    assert found == value
    assert type(found) is type(value)


def test_what_takes_several_words_is_known_beforehand():
    """For the usage line."""
    assert takes_words(list[int])
    assert takes_words(Optional[dict])
    assert not takes_words(Box)


_ATOMS = st.sampled_from(
    [
        (int, st.integers()),
        (str, st.text()),
        (bool, st.booleans()),
        (float, st.floats(allow_nan=False)),
        (Any, st.none() | st.booleans() | st.integers() | st.text()),
    ]
)
_TYPED = st.recursive(
    _ATOMS,
    lambda inner: st.one_of(
        inner.map(lambda pair: (list[pair[0]], st.lists(pair[1], max_size=3))),
        inner.map(lambda pair: (tuple[pair[0], ...], st.lists(pair[1], max_size=3).map(tuple))),
        inner.map(lambda pair: (dict[str, pair[0]], st.dictionaries(st.text(), pair[1], max_size=3))),
        inner.map(lambda pair: (Optional[pair[0]], st.none() | pair[1])),
    ),
    max_leaves=4,
)


@given(st.data())
def test_whatever_json_holds_comes_out_with_the_types_of_the_annotation(data):
    """Of any nesting; one word of it gives the same on the command line."""
    annotation, values = data.draw(_TYPED)
    value = data.draw(values)
    text = json.dumps(value)
    assert convert_json(annotation, json.loads(text)) == value
    assert repr(convert_json(annotation, json.loads(text))) == repr(value)


@given(st.lists(st.integers(), min_size=1), st.lists(st.text(), min_size=1))
def test_words_are_items(numbers, texts):
    """Whatever a text holds, it is itself, but for the one word that stands for no items."""
    assert parse_words(list[int], [str(number) for number in numbers]) == numbers
    assert parse_words(list[str], texts) == ([] if [text.strip() for text in texts] == ["[]"] else texts)
