"""Many texts become one content and come back."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redun.value.texts import pack_texts, unpack_texts

TEXTS = st.text() | st.text(st.characters(categories=["Cs", "Lu"]))


@given(st.lists(TEXTS | st.none() | st.just(float("nan"))))
def test_texts_with_gaps_come_back(elements):
    """Texts, None and NaN are read back as they were, whether they are packed or not."""
    again = unpack_texts(pack_texts(elements))
    assert list(map(repr, again)) == list(map(repr, elements))


def test_a_list_with_a_text_is_packed():
    """One text is enough; lengths are bytes, and absent elements have none."""
    assert pack_texts(["a", None, "\u00e9\u00e9", float("nan")]) == (
        "texts",
        b"\1\0\0\0\xff\xff\xff\xff\4\0\0\0\xfe\xff\xff\xff",
        "a\u00e9\u00e9".encode(),
    )


@pytest.mark.parametrize("elements", [[], [None], [float("nan")], ["a", 1], ["a", 1.5], ["a", -math.nan], ["a", True]])
def test_other_lists_stay_lists(elements):
    """A list without a text, or with anything that packing would lose, is left as it is."""
    assert pack_texts(elements) is elements


def test_a_subclass_of_text_is_not_packed():
    """Only str itself is a text."""

    class Word(str):
        __slots__ = ()

    elements = ["a", Word("b")]
    assert pack_texts(elements) is elements


@pytest.mark.parametrize(
    "form",
    [
        ("texts", b"\2\0\0\0", b"a"),
        ("texts", b"\0\0\0\0", b"a"),
        ("texts", b"\xfd\xff\xff\xff", b""),
        ("texts", b"\1\0\0", b"a"),
        ("words", b"\1\0\0\0", b"a"),
        ("texts", b"\1\0\0\0", b"\xff"),
        ("texts",),
    ],
)
def test_a_form_that_does_not_fit_is_refused(form):
    """Lengths that do not add up, another tag and bytes that are no text raise ValueError."""
    with pytest.raises(ValueError):
        unpack_texts(form)
