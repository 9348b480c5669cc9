"""The code of one task: its record, units and texts, worked out at the first question and kept.

Copies of a task made by ``.options()`` share one.  The full name is given with each question, since a task can be
renamed; the closure does not depend on it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Union

from redun.hashing import Oid, hash_blob
from redun.objects.task_records import TaskRecord, UnitRecord
from redun.task.closure import Closure, Unit, collect_closure
from redun.value.encoding import encode_value

Source = tuple[Union[TaskRecord, UnitRecord], str, str, int]
"""A record, its text as written, the module it stands in, its first line."""


class TaskCode:
    """What the hash of a task is made of."""

    def __init__(
        self,
        func: Callable[..., Any],
        *,
        version: str | None,
        source: str | None,
        hash_includes: Sequence[Any],
    ) -> None:
        self.func = func
        self.version = version
        self._source = source
        self._hash_includes = list(hash_includes)
        self._closure: Closure | None = None
        self._name: tuple[TaskRecord, Oid] | None = None

    @property
    def text(self) -> str:
        """The source that the hash stands for: as given, else as written."""
        return self._closed().text if self._source is None else self._source

    def record(self, fullname: str) -> TaskRecord:
        """Return the record of this code under a full name."""
        return self._named(fullname)[0]

    def oid(self, fullname: str) -> Oid:
        """Return the oid of the record under a full name."""
        return self._named(fullname)[1]

    def units(self) -> tuple[Unit, ...]:
        """Return what the hash covers besides the function; nothing when a version or a text stands for it."""
        if self.version is not None or self._source is not None:
            return ()
        return self._closed().units

    def sources(self, fullname: str) -> list[Source]:
        """Return record, text, module and first line of the function and of each of its units."""
        closed = self._closed()
        own: Source = (self.record(fullname), self.text, closed.module, closed.line)
        return [own, *((unit.record, unit.text, unit.module, unit.line) for unit in self.units())]

    def forget(self) -> None:
        """Look at the code again when next asked."""
        self._closure = self._name = None

    # Another thread may forget what this one has just worked out, so each step returns what it holds itself.

    def _named(self, fullname: str) -> tuple[TaskRecord, Oid]:
        named = self._name
        if named is None or named[0].fullname != fullname:
            includes = sorted(encode_value(value).oid for value in self._hash_includes)
            units = [unit.record.encode()[0] for unit in self.units()]
            record = TaskRecord(fullname, self.version, self._digest(), includes, units)
            named = self._name = (record, record.encode()[0])
        return named

    def _digest(self) -> bytes | None:
        if self.version is not None:
            return None
        return self._closed().digest if self._source is None else hash_blob(b"source\n" + self._source.encode())

    def _closed(self) -> Closure:
        closure = self._closure
        if closure is None:
            closure = self._closure = collect_closure(self.func)
        return closure
