"""Ids of executions and jobs.

An execution's id is a random UUID.  A job's id is derived from it and from the job's number in it, so that 16 random
bytes a job need not be stored: they could not be compressed, and would be a tenth of what a job costs on disk.
"""

from __future__ import annotations

import uuid

from redun.hashing import hash_node


def job_id(execution_id: bytes, number: int) -> bytes:
    """Return the 16 bytes that name job ``number`` (from 1) of an execution."""
    return hash_node(execution_id + number.to_bytes(8, "little"))[:16]


def format_id(raw: bytes) -> str:
    """Write 16 bytes as a UUID is written."""
    return str(uuid.UUID(bytes=raw))


def parse_id(text: str) -> bytes:
    """Read a UUID's text; ValueError when it is none."""
    return uuid.UUID(text).bytes
