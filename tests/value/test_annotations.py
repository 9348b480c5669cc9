"""What an annotation means once its wrappers are off."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, NamedTuple, NewType, Optional, TypedDict, TypeVar, Union

import pytest

from redun.value.annotations import (
    collection_of,
    fields_of,
    fixed_items_of,
    hints_of,
    members_of,
    unwrap,
)

Count = NewType("Count", int)


@dataclass
class Box:
    size: int
    tags: list[str] = field(default_factory=list)
    area: int = field(init=False, default=0)


class Pair(NamedTuple):
    a: int
    b: str


class Options(TypedDict):
    depth: int


@pytest.mark.parametrize(
    ("annotation", "wanted"),
    [
        (Optional[int], int),
        (Annotated[Optional[Count], "x"], int),
        (TypeVar("Any"), Any),
        ("Undefined", Any),
        (Union[int, str], Union[int, str]),
    ],
)
def test_wrappers_are_taken_off(annotation, wanted):
    """Whatever stands around the type, and nothing of the type itself."""
    assert unwrap(annotation) == wanted


@pytest.mark.skipif(sys.version_info < (3, 12), reason="Python 3.12 brings type aliases")
def test_a_type_alias_is_what_it_stands_for():
    """Also one that leads back to itself, which means nothing."""
    space = {}
    exec("type Ids = list[int]\ntype Loop = Loop", space)
    assert unwrap(space["Ids"]) == list[int]
    assert unwrap(space["Loop"]) is Any


def test_text_is_the_last_member_of_a_union():
    """It fits everything, so the others are asked first; None cannot be typed."""
    assert members_of(Union[str, None, int, bool]) == [int, bool, str]


@pytest.mark.parametrize(
    ("annotation", "kind"),
    [
        (list, list),
        (list[int], list),
        (Sequence[int], list),
        (Iterable[int], list),
        (set[int], set),
        (frozenset, frozenset),
        (tuple[int, ...], tuple),
        (Mapping[str, int], dict),
        (str, None),
        (Pair, None),
    ],
)
def test_collections_are_known_by_what_they_are_made_as(annotation, kind):
    """An abstract one is made as the built-in that fits."""
    assert collection_of(annotation) is kind


def test_only_tuples_have_fixed_items():
    """One with an ellipsis has any number."""
    assert fixed_items_of(tuple[int, str]) == (int, str)
    assert fixed_items_of(tuple[int, ...]) is None
    assert fixed_items_of(tuple) is None
    assert fixed_items_of(list[int]) is None


def test_records_tell_their_fields():
    """Those that a constructor takes."""
    assert fields_of(Box) == {"size": int, "tags": list[str]}
    assert fields_of(Pair) == {"a": int, "b": str}
    assert fields_of(Options) == {"depth": int}
    assert fields_of(int) is None


def test_an_annotation_that_cannot_be_evaluated_does_not_hide_the_others():
    """It is left out."""

    def func(a: int, b: Nowhere, c: list[Box]): ...  # noqa: F821

    assert hints_of(func) == {"a": int, "c": list[Box]}
