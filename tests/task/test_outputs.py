"""The number of outputs, read off annotations."""

from __future__ import annotations

import typing
from typing import NamedTuple

import pytest

from redun.task.outputs import infer_nout


class Pair(NamedTuple):
    left: int
    right: int


@pytest.mark.parametrize(
    ("annotation", "nout"),
    [
        (tuple[int, str], 2),
        (tuple[int, int, int], 3),
        (tuple[()], 0),
        ("typing.Tuple[()]", 0),
        (tuple[int, ...], None),
        (tuple, None),
        (Pair, 2),
        (list[int], None),
        (None, None),
        ("tuple[int, str]", 2),
        ("typing.Tuple[int, str]", 2),
        ("Pair", 2),
        ("Unheard", None),
        ("tuple[", None),
    ],
)
def test_fixed_tuples_have_a_length(annotation, nout):
    """Tuples of a fixed length and named tuples are counted, in quotes or not; anything else has no number."""

    def func():
        return typing

    func.__annotations__["return"] = annotation
    assert infer_nout(func) == nout
