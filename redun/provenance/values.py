"""Values as text, and what they hold: the steps that every read model shares.

The invariant: nothing here imports or unpickles anything, and a damaged or missing object becomes a text that says so:
one bad object must not hide the rest of a log.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from redun.errors import ObjectError
from redun.hashing import Oid
from redun.objects.call_records import CallRecord, EvalRecord
from redun.objects.kinds import Kind
from redun.objects.oid import short
from redun.objects.task_records import TaskRecord
from redun.store.absent import ObjectAbsent
from redun.store.base import ObjectCorrupt, ObjectMissing, ObjectStore
from redun.store.promised import ContentNotBrought
from redun.value.preview import preview_value

MAX_NESTED = 10_000
"""At most so many objects of one value are looked at: a log must not become a walk of a data set."""


@dataclass(frozen=True, slots=True)
class ValueView:
    """A value, by its hash and as text."""

    oid: Oid
    text: str


@dataclass(frozen=True, slots=True)
class ArgumentView:
    """One argument of a call: the parameter's name, or its index among ``*args``, and the value."""

    name: str | int
    value: ValueView


@dataclass(frozen=True, slots=True)
class EvalView:
    """A task with the arguments that it was called with."""

    oid: Oid
    task: Oid
    fullname: str
    arguments: tuple[ArgumentView, ...]


def view_value(store: ObjectStore, oid: Oid) -> ValueView:
    """Return a value with its text.  A value that cannot be read gets a text that says so."""
    try:
        text = preview_value(oid, store.get).text
    except ObjectError as error:
        text = describe_damage(oid, error)
    return ValueView(oid, text)


def view_eval(store: ObjectStore, oid: Oid, fullname: str | None = None) -> EvalView:
    """Return an eval with the texts of its arguments; its task is not read where ``fullname`` tells its name.

    Raises:
        ObjectError: the eval or its task is missing or damaged; a bad argument is only text.
    """
    record = get_eval(store, oid)
    arguments = tuple(ArgumentView(name, view_value(store, arg)) for name, arg in zip(record.names, record.args))
    name = get_task(store, record.task).fullname if fullname is None else fullname
    return EvalView(oid, record.task, name, arguments)


def describe_damage(oid: Oid, error: ObjectError) -> str:
    """Return the text that stands in the place of an object that cannot be read."""
    if isinstance(error, ObjectAbsent):
        return f"<{short(oid)} {error.absence.why}>"
    if isinstance(error, ContentNotBrought):
        return f"<{short(oid)}, at remote {error.promise.remote!r} still>"
    if isinstance(error, ObjectMissing):
        return f"<{short(oid)} is missing>"
    if isinstance(error, ObjectCorrupt):
        return f"<{short(oid)} is damaged>"
    return f"<{short(oid)} cannot be read: {error}>"


def get_eval(store: ObjectStore, oid: Oid) -> EvalRecord:
    """Return an eval's record; raises ObjectError."""
    return EvalRecord.decode(store.get_node(oid))


def get_call(store: ObjectStore, oid: Oid) -> CallRecord:
    """Return a call's record; raises ObjectError."""
    return CallRecord.decode(store.get_node(oid))


def get_task(store: ObjectStore, oid: Oid) -> TaskRecord:
    """Return a task's record; raises ObjectError."""
    return TaskRecord.decode(store.get_node(oid))


def iter_nested(store: ObjectStore, root: Oid) -> Iterator[tuple[Oid, int]]:
    """Yield (oid, kind) of a value and of the values nested in it, each once, at most MAX_NESTED of them.

    What cannot be read is passed over.
    """
    seen: set[Oid] = set()
    stack = [root]
    while stack and len(seen) < MAX_NESTED:
        oid = stack.pop()
        if oid in seen:
            continue
        seen.add(oid)
        kind = store.kind_of(oid)
        if kind is None:
            continue
        yield oid, kind
        if kind == Kind.VALUE:
            try:
                stack.extend(reversed(store.get_node(oid).links))
            except ObjectError:
                continue
