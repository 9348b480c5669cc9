"""Ids of executions and jobs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redun.objects.ids import format_id, job_id, parse_id

EXECUTION = bytes(range(16))


@given(st.binary(min_size=16, max_size=16))
def test_ids_are_written_as_uuids(raw):
    """The text of 16 bytes reads back to them."""
    assert parse_id(format_id(raw)) == raw


def test_a_job_id_follows_from_execution_and_number():
    """It is the keyed hash of both, cut to 16 bytes: docs/format/hashing.md."""
    assert job_id(EXECUTION, 1).hex() == "d3a4cdaf4eac093cd4cdadcb3b244126"
    ids = {job_id(EXECUTION, number) for number in range(1_000)} | {job_id(bytes(16), 1)}
    assert len(ids) == 1_001


def test_other_texts_are_no_ids():
    """What is no UUID is a ValueError."""
    with pytest.raises(ValueError, match="badly formed"):
        parse_id("6c1d")
