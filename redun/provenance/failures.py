"""What a failed job failed with.

The invariant: an error value is read as plain data; the class of the exception is never looked for.  Its payload is the
state of a user's Value (docs/format/value.md, tag 21): a dict with the texts that the scheduler wrote down.  A payload
of another form is shown as any value is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from redun.errors import ObjectError
from redun.hashing import Oid
from redun.objects.kinds import ValueRecord
from redun.provenance.values import view_value
from redun.store.base import ObjectStore
from redun.value.tags import DICT, LIST, OBJECT


@dataclass(frozen=True, slots=True)
class ErrorView:
    """An error, by its hash and as text."""

    oid: Oid
    text: str  # as Python would write the exception
    trace: tuple[str, ...]  # where it happened: a line for each job, the root first, then for each frame


def view_error(store: ObjectStore, oid: Oid) -> ErrorView:
    """Return the error of a failed job; one that cannot be read gets a text that says so."""
    try:
        state = _read_state(ValueRecord.decode(store.get_node(oid)).payload)
    except ObjectError:
        state = {}
    text = state.get("repr")
    if type(text) is not str:
        return ErrorView(oid, view_value(store, oid).text, ())
    jobs = tuple(job for job in _items(state.get("jobs")) if type(job) is str)
    frames = tuple(line for frame in _items(state.get("frames")) for line in _format_frame(_items(frame)))
    return ErrorView(oid, text, jobs + frames)


def _read_state(payload: Any) -> dict[Any, Any]:
    """Return the state dict of a Value's payload, its items still payloads; empty when it has another form."""
    if type(payload) is not list or len(payload) < 3 or payload[0] != OBJECT:
        return {}
    state = payload[2]
    if type(state) is not list or not state or state[0] != DICT:
        return {}
    return {key: value for key, value in zip(state[1::2], state[2::2]) if type(key) is str}


def _items(payload: Any) -> list[Any]:
    """Return the items of a list's payload; none when it is no list."""
    return payload[1:] if type(payload) is list and payload and payload[0] == LIST else []


def _format_frame(frame: list[Any]) -> list[str]:
    """Return a frame (path, line, function, text) as Python's tracebacks write it."""
    if [type(part) for part in frame] != [str, int, str, str]:
        return []
    path, line, function, text = frame
    return [f'  File "{path}", line {line}, in {function}', f"    {text.strip()}"]
