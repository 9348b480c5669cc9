"""Command-line texts become values by the parameter's annotation."""

from __future__ import annotations

import os.path
import typing
from collections.abc import Callable
from datetime import date, datetime, timezone
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Literal, NewType, Optional, TypeVar, Union

import pytest

from redun.value import InvalidValueError, ProxyValue, Value
from redun.value.arguments import parse_argument


class Color(Enum):
    RED = 1
    GREEN = 2


class Name(Value):
    def __init__(self, text: str) -> None:
        self.text = text

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Name) and other.text == self.text

    __hash__ = None


class Size:
    def __init__(self, count: int) -> None:
        self.count = count


class SizeProxy(ProxyValue):
    type = Size

    @classmethod
    def parse_arg(cls, raw_type: Any, arg: str) -> Any:
        return raw_type(len(arg))


@pytest.mark.parametrize(
    ("annotation", "text", "value"),
    [
        (None, "5", "5"),
        (str, "5", "5"),
        (Any, "5", "5"),
        (int, "-5", -5),
        (float, "1e3", 1000.0),
        (bool, "TRUE", True),
        (bool, "false", False),
        (Color, "RED", Color.RED),
        (Color, "Color.GREEN", Color.GREEN),
        (Optional[int], "5", 5),
        (int | None, "5", 5),
        (Union[str, int], "5", 5),
        (Union[int, str], "five", "five"),
        (date, "2024-02-29", date(2024, 2, 29)),
        (datetime, "2024-02-29T12:00:00", datetime(2024, 2, 29, 12)),
        (datetime, "2024-02-29T12:00:00Z", datetime(2024, 2, 29, 12, tzinfo=timezone.utc)),
        (Annotated[int, "how many"], "5", 5),
        (Literal["fast", 2], "2", 2),
        (NewType("Count", int), "5", 5),
        (TypeVar("Bound", bound=int), "5", 5),
        (bytes, "ab", b"ab"),
        (set, "a, b", {"a", "b"}),
        (set[int], "[1, 2]", {1, 2}),
        (typing.Callable, "os.path.join", os.path.join),
        (Callable[[int], int], "os.path.join", os.path.join),
        (Path, "a/b", Path("a/b")),
        (Name, "me", Name("me")),
    ],
)
def test_texts_are_read_by_annotation(annotation, text, value):
    """Each kind of annotation reads its texts, with the exact type."""
    parsed = parse_argument(annotation, text)
    assert parsed == value
    assert type(parsed) is type(value)


def test_proxies_may_parse():
    """A user's proxy reads texts for its foreign type."""
    assert parse_argument(Size, "abc").count == 3


@pytest.mark.parametrize(
    ("annotation", "text", "expected"),
    [
        (int, "five", "a value of type int"),
        (bool, "yes", "true or false"),
        (Color, "BLUE", "one of RED, GREEN"),
        (Literal["fast", 2], "slow", "one of fast, 2"),
        (Union[int, bool], "x", "one of int, bool"),
        (datetime, "soon", "a date and time"),
        (date, "2023-02-29", "a day as YYYY-MM-DD"),
        (Callable, "join", "a function as module.function"),
        (Callable, "os.nothing", "a function as module.function"),
        (Callable, "no_such_module.f", "a function as module.function"),
        (Callable, "os.sep", "a function as module.function"),
    ],
)
def test_texts_that_do_not_fit_are_refused(annotation, text, expected):
    """The message says what was expected and what was found."""
    with pytest.raises(InvalidValueError, match=expected) as caught:
        parse_argument(annotation, text)
    assert repr(text) in str(caught.value)
