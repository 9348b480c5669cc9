"""What a recorded job was asked."""

from __future__ import annotations

from pathlib import Path

import pytest

from redun.provenance.rerun import NotRepeatable, find_recorded
from redun.provenance.resolve import UnknownId
from redun.provenance.values import get_call, get_eval


def recorded(shelf, text):
    """Look a text up on the shelf."""
    return find_recorded(text, shelf.store, shelf.refs, Path("/nowhere"))


def test_an_execution_is_its_first_job(shelf):
    """By its id, and by how recent it is."""
    root = recorded(shelf, shelf.second.id)
    row = next(row for row in shelf.second.rows if row.parent == 0)
    assert root.fullname == row.task
    assert recorded(shelf, "-") == root


def test_a_job_and_its_call_are_asked_the_same(shelf):
    """Arguments stand by the names that the call was bound with."""
    row = next(row for row in shelf.first.rows if row.parent != 0)
    found = recorded(shelf, shelf.first.job_id(row.number))
    record = get_eval(shelf.store, row.eval)
    assert found.fullname == row.task
    assert list(found.named) == [pair for pair in zip(record.names, record.args) if isinstance(pair[0], str)]
    call = shelf.call_of(shelf.first, row.number)
    assert recorded(shelf, call.hex()) == found
    assert recorded(shelf, get_call(shelf.store, call).eval.hex()) == found


def test_what_is_no_job_is_refused(shelf):
    """A value was asked nothing; what is not there is told as everywhere."""
    row = next(row for row in shelf.first.rows if row.parent != 0)
    value = get_call(shelf.store, shelf.call_of(shelf.first, row.number)).result
    with pytest.raises(NotRepeatable, match="cannot be run again: it is a"):
        recorded(shelf, value.hex())
    with pytest.raises(UnknownId):
        recorded(shelf, "feedfeed")
