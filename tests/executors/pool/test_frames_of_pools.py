"""Frames: whatever is written comes out whole and in order, however the bytes are cut."""

from __future__ import annotations

import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redun.executors.pool.frames import (
    Frame,
    FrameKind,
    FrameReader,
    WorkerSetup,
    decode_numbers,
    encode_frame,
    encode_numbers,
)

PATHS = st.none() | st.text()
NUMBERS = st.integers(0, 2**64 - 1)
FRAMES = st.lists(st.builds(Frame, st.sampled_from(list(FrameKind)), NUMBERS, st.binary(max_size=200)))


@given(FRAMES, st.integers(1, 64))
def test_frames_come_out_as_they_went_in(frames, n_bytes):
    """A piece of any length may hold a part of a frame, or many."""
    data = b"".join(encode_frame(*frame) for frame in frames)
    ours, its = socket.socketpair()
    with ours, its:
        reader, found = FrameReader(its), []
        for start in range(0, len(data), n_bytes):
            ours.sendall(data[start : start + n_bytes])
            found += reader.read()
        ours.shutdown(socket.SHUT_WR)
        assert reader.read() is None
    assert found == frames


@given(st.lists(NUMBERS))
def test_numbers_survive(numbers):
    """Those of work that is given back."""
    assert decode_numbers(encode_numbers(numbers)) == numbers


@given(st.builds(WorkerSetup, st.text(), PATHS, PATHS, st.lists(st.text()), st.lists(st.text())))
def test_a_setup_survives(setup):
    """Paths may hold any text."""
    assert WorkerSetup.decode(setup.encode()) == setup


def test_a_reader_that_shall_not_wait_does_not():
    """It says so, and keeps what has come."""
    ours, its = socket.socketpair()
    with ours, its:
        its.setblocking(False)
        reader = FrameReader(its)
        message = encode_frame(FrameKind.OUTCOME, 7, b"outcome")
        ours.sendall(message[:5])
        assert reader.read() == []
        with pytest.raises(BlockingIOError):
            reader.read()
        ours.sendall(message[5:])
        assert reader.read() == [Frame(FrameKind.OUTCOME, 7, b"outcome")]
