"""Writes down the tags of one execution: its own, and those of jobs, tasks and values in it.

The invariant: a tag is put after what it is about, is there once, and is linked from the execution's node, the
execution's own tags first.  A run without tags pays for none of it: nothing here is called.
Normative page: docs/format/tag.md.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from redun.expression_codec import is_concrete
from redun.hashing import Oid
from redun.objects.execution_records import RunSubject, TagRecord
from redun.objects.kinds import Kind
from redun.store.base import ObjectStore
from redun.tags import Tag, encode_tags
from redun.value.encoding import encode_value

if TYPE_CHECKING:
    from redun.scheduler.facts import TaskFacts


class TagRecorder:
    """Puts tags during a run.  Only the scheduler's thread calls it.

    Every ``tag_*`` raises BadTag, and puts nothing, when a key or a value cannot be a tag's.
    """

    def __init__(self, store: ObjectStore, execution_id: bytes) -> None:
        """``execution_id`` is the 16 bytes of the execution's uuid."""
        self._store = store
        self._execution_id = execution_id
        self._own: dict[Oid, None] = {}
        self._others: dict[Oid, None] = {}
        self._tasks: set[Oid] = set()

    @property
    def oids(self) -> list[Oid]:
        """The tags put so far, the execution's own first."""
        return [*self._own, *self._others]

    @staticmethod
    def merge(recorders: Iterable[TagRecorder]) -> list[Oid]:
        """Return the tags that several have put for one execution, the execution's own first."""
        own, others = TagRecorder.split(recorders)
        return list(dict.fromkeys([*own, *others]))

    @staticmethod
    def split(recorders: Iterable[TagRecorder]) -> tuple[list[Oid], list[Oid]]:
        """Return the tags that several have put for one execution: its own, and the others."""
        listed = list(recorders)
        own = dict.fromkeys(oid for recorder in listed for oid in recorder._own)
        return list(own), list(dict.fromkeys(oid for recorder in listed for oid in recorder._others))

    def adopt(self, own: Iterable[Oid], others: Iterable[Oid]) -> None:
        """Take over tags that another process has put for this execution: its own, and the others."""
        self._own.update(dict.fromkeys(own))
        self._others.update(dict.fromkeys(others))

    def tag_execution(self, tags: Iterable[Tag]) -> None:
        """Tag the execution itself."""
        self._put(RunSubject(self._execution_id, 0), encode_tags(tags), self._own)

    def tag_job(self, number: int, tags: Iterable[Tag]) -> None:
        """Tag a job, by its number in the execution."""
        self._put(RunSubject(self._execution_id, number), encode_tags(tags), self._others)

    def tag_new_job(self, number: int, facts: TaskFacts) -> None:
        """Tag a job as the options of its call say, and with the first of them the task, as its definition says."""
        self._put(RunSubject(self._execution_id, number), facts.tags, self._others)
        if facts.oid not in self._tasks:
            self._tasks.add(facts.oid)
            defined = facts.task.get_task_options().get("tags")
            if defined and is_concrete(defined):  # an expression comes to tags of one call, not of the task
                self.tag_task(facts.oid, defined)

    def tag_task(self, task: Oid, tags: Iterable[Tag]) -> None:
        """Tag a task that was put."""
        self._put(task, encode_tags(tags), self._others)

    def tag_value(self, value: Oid, tags: Iterable[Tag]) -> None:
        """Tag a value, or a file, that was put."""
        self._put(value, encode_tags(tags), self._others)

    def tag_python_value(self, value: Any, tags: Iterable[Tag]) -> Oid:
        """Put a value of Python, with all it consists of, and tag it; return its oid.

        Raises:
            ValueNotEncodable: it cannot be stored.
        """
        encoded = encode_value(value)
        for oid, data, kind in (*encoded.parts, (encoded.oid, encoded.data, encoded.kind)):
            self._store.put(oid, data, kind)
        self.tag_value(encoded.oid, tags)
        return encoded.oid

    def _put(self, subject: Oid | RunSubject, tags: Iterable[tuple[str, str]], listed: dict[Oid, None]) -> None:
        for key, text in tags:
            oid, data = TagRecord(subject, [], key, text, is_deleted=False).encode()
            if oid not in listed:
                self._store.put(oid, data, Kind.TAG)
                listed[oid] = None
