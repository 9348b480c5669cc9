"""Writes down the tags of one execution: its own, and those of jobs, tasks and values in it.

The invariant: a tag is put after what it is about, is there once, and is linked from the execution's node, the
execution's own tags first.  A run without tags pays for none of it: nothing here is called.
Normative page: docs/format/tag.md.
"""

from __future__ import annotations

from collections.abc import Iterable

from redun.hashing import Oid
from redun.objects.kinds import Kind, RunSubject, TagRecord
from redun.store.base import ObjectStore
from redun.tags import Tag, check_tags, encode_tag_value


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

    @property
    def oids(self) -> list[Oid]:
        """The tags put so far, the execution's own first."""
        return [*self._own, *self._others]

    def tag_execution(self, tags: Iterable[Tag]) -> None:
        """Tag the execution itself."""
        self._put(RunSubject(self._execution_id, 0), tags, self._own)

    def tag_job(self, number: int, tags: Iterable[Tag]) -> None:
        """Tag a job, by its number in the execution."""
        self._put(RunSubject(self._execution_id, number), tags, self._others)

    def tag_task(self, task: Oid, tags: Iterable[Tag]) -> None:
        """Tag a task that was put."""
        self._put(task, tags, self._others)

    def tag_value(self, value: Oid, tags: Iterable[Tag]) -> None:
        """Tag a value, or a file, that was put."""
        self._put(value, tags, self._others)

    def _put(self, subject: Oid | RunSubject, tags: Iterable[Tag], listed: dict[Oid, None]) -> None:
        for key, value in check_tags(tags):
            oid, data = TagRecord(subject, [], key, encode_tag_value(value), is_deleted=False).encode()
            if oid not in listed:
                self._store.put(oid, data, Kind.TAG)
                listed[oid] = None
