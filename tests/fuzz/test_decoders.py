"""Any bytes at all are read, or refused with the one error that their format has for it.

``tests/fuzz/search.py`` looks for more, guided by coverage, for as long as it is given.
"""

from __future__ import annotations

import msgpack
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from redun.testing.decoders import list_formats

FORMATS = list_formats()
TREES = sorted(name for name, each in FORMATS.items() if each.is_msgpack)
SLOW = {"bundle", "code package"}
"""Formats that are read by way of a folder: 10 ms each time."""

EXTREMES = [byte * width for byte in (b"\0", b"\xff", b"\x7f") for width in (1, 2, 4, 8)]
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.integers(-2, 20)
    | st.floats()
    | st.text(max_size=8)
    | st.binary(max_size=8)
    | st.lists(st.integers(0, 5), max_size=3)
)


@st.composite
def changed(draw, samples):
    """Change a sample in one to three places: bytes set, put in, taken out, said twice, cut off."""
    data = draw(st.sampled_from(samples))
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(data)))
        end = min(len(data), start + draw(st.integers(0, 8)))
        what = draw(st.sampled_from(["set", "extreme", "put in", "take out", "twice", "cut off"]))
        if what == "set":
            data = data[:start] + draw(st.binary(min_size=end - start, max_size=end - start)) + data[end:]
        elif what == "extreme":
            piece = draw(st.sampled_from(EXTREMES))
            data = data[:start] + piece + data[start + len(piece) :]
        elif what == "put in":
            data = data[:start] + draw(st.binary(max_size=8)) + data[start:]
        elif what == "cut off":
            data = data[:start]
        else:
            data = data[:start] + (data[start:end] * 2 if what == "twice" else b"") + data[end:]
    return data


@st.composite
def exchanged(draw, samples):
    """Exchange one part of a sample's tree for something else, and encode it as it should be."""
    tree = msgpack.unpackb(draw(st.sampled_from(samples)))
    places = list(_iter_places(tree))
    holder, at = draw(st.sampled_from(places))
    holder[at] = draw(LEAVES | st.sampled_from([holder[at] for holder, at in places]).map(_copy))
    return msgpack.packb(tree)


def _iter_places(tree):
    if isinstance(tree, list):
        for at, part in enumerate(tree):
            yield tree, at
            yield from _iter_places(part)


def _copy(part):
    return msgpack.unpackb(msgpack.packb(part))


def check(name, data):
    """Check that bytes are read or refused, and the same with checksums that fit."""
    FORMATS[name].accepts(data)
    FORMATS[name].accepts(FORMATS[name].finish(data))


@pytest.mark.parametrize("name", FORMATS)
def test_samples_are_read(name):
    """What was written as it should be is read, and finishing it changes nothing."""
    for sample in FORMATS[name].samples:
        assert FORMATS[name].accepts(sample)
        assert FORMATS[name].finish(sample) == sample


@pytest.mark.parametrize("name", FORMATS)
def test_changed_bytes_are_read_or_refused(name):
    """Whatever is changed in a sample, nothing but the typed errors comes of it."""

    @settings(max_examples=20 if name in SLOW else 100, suppress_health_check=[HealthCheck.too_slow])
    @given(changed(FORMATS[name].samples))
    def check_changed(data):
        check(name, data)

    check_changed()


@pytest.mark.parametrize("name", FORMATS)
def test_noise_is_read_or_refused(name):
    """Bytes that nobody wrote are no different."""

    @settings(max_examples=10 if name in SLOW else 50)
    @given(st.binary(max_size=300))
    def check_noise(data):
        check(name, data)

    check_noise()


@pytest.mark.parametrize("name", TREES)
def test_exchanged_parts_are_read_or_refused(name):
    """Canonical bytes that say what no program wrote are read or refused too."""

    @settings(max_examples=200)
    @given(exchanged(FORMATS[name].samples))
    def check_exchanged(data):
        check(name, data)

    check_exchanged()
