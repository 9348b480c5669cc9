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
from redun.objects.value_records import ValueRecord
from redun.provenance.values import view_value
from redun.store.base import ObjectStore
from redun.value.tags import DICT, LIST, OBJECT


@dataclass(frozen=True, slots=True)
class ErrorView:
    """An error, by its hash and as text."""

    oid: Oid
    text: str  # as Python would write the exception
    trace: tuple[str, ...]  # where it happened: lines for each job, the root first, each frame, each error behind it


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
    causes = tuple(f"  {line}" for line in _items(state.get("causes")) if type(line) is str)
    return ErrorView(oid, text, jobs + frames + causes)


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
    """Return a frame (path, line, function, text, variables) as Python's tracebacks write it, and its variables."""
    if [type(part) for part in frame[:4]] != [str, int, str, str]:
        return []
    path, line, function, text, *rest = frame
    variables = [f"      {shown}" for shown in _items(rest[0]) if type(shown) is str] if rest else []
    if not line:
        return [f"  ... {function} ..."]
    return [f'  File "{path}", line {line}, in {function}', f"    {text.strip()}", *variables]
