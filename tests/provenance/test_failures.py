"""What a failed job failed with, read without its class."""

from __future__ import annotations

import pytest

from redun.objects.kinds import Kind
from redun.objects.value_records import ValueRecord
from redun.provenance.failures import view_error
from redun.value.tags import DICT, LIST, OBJECT


def put(shelf, payload):
    """Store a value of a payload; return its oid."""
    oid, data = ValueRecord("redun.ErrorValue", "data", payload, []).encode()
    shelf.store.put(oid, data, int(Kind.VALUE))
    return oid


def error_of(*state):
    """Return the payload of an error value with a state."""
    return [OBJECT, "redun.ErrorValue", [DICT, *state], None]


def test_an_error_reads_as_the_exception_and_its_trace(shelf):
    """A line for each job, then two for each frame."""
    frames = [LIST, [LIST, "/p/f.py", 4, "bad", "    raise ValueError"]]
    payload = error_of(
        "repr", "ValueError('no')", "jobs", [LIST, 'Job 1: File "f.py", line 2, in main'], "frames", frames
    )
    error = view_error(shelf.store, put(shelf, payload))
    assert error.text == "ValueError('no')"
    assert error.trace == (
        'Job 1: File "f.py", line 2, in main',
        '  File "/p/f.py", line 4, in bad',
        "    raise ValueError",
    )


@pytest.mark.parametrize(
    "payload",
    ["text", error_of(), error_of("repr", 1), [OBJECT, "redun.ErrorValue", "state", None], [OBJECT], [LIST, 1]],
)
def test_a_payload_of_another_form_is_shown_as_a_value(shelf, payload):
    """There is a text, and no trace."""
    error = view_error(shelf.store, put(shelf, payload))
    assert error.text
    assert error.trace == ()


def test_parts_of_another_form_are_left_out(shelf):
    """A later version may write frames in another way."""
    payload = error_of("repr", "E()", "jobs", [LIST, 1, "job"], "frames", [LIST, [LIST, 1, 2], 3], "more", [DICT])
    assert view_error(shelf.store, put(shelf, payload)).trace == ("job",)


def test_damage_is_told(shelf):
    """A damaged error value does not hide the job."""
    oid = put(shelf, "x")
    shelf.store.damaged.add(oid)
    assert "is damaged" in view_error(shelf.store, oid).text
