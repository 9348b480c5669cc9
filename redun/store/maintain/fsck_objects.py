"""The part of fsck that looks at objects: does each node decode as its kind says, and where does it link to?

The invariant: what is handed in hashes to its name already.
"""

from __future__ import annotations

from typing import Any

from redun.errors import ObjectError
from redun.hashing import Oid
from redun.objects.call_records import CallRecord, EvalRecord, ExpressionRecord, ReductionRecord
from redun.objects.codec import decode_node
from redun.objects.execution_records import ExecutionRecord, JobsRecord, TagRecord
from redun.objects.kinds import SOFT_LINK_KINDS, Kind
from redun.objects.task_records import SourceRecord, TaskRecord, UnitRecord
from redun.objects.value_records import FileRecord, HandleRecord, ValueRecord
from redun.store.maintain.findings import Findings

RECORDS: dict[int, Any] = {
    Kind.FILE: FileRecord,
    Kind.HANDLE: HandleRecord,
    Kind.UNIT: UnitRecord,
    Kind.TASK: TaskRecord,
    Kind.VALUE: ValueRecord,
    Kind.SOURCE: SourceRecord,
    Kind.EVAL: EvalRecord,
    Kind.EXPRESSION: ExpressionRecord,
    Kind.REDUCTION: ReductionRecord,
    Kind.CALL: CallRecord,
    Kind.JOBS: JobsRecord,
    Kind.TAG: TagRecord,
    Kind.EXECUTION: ExecutionRecord,
}


class ObjectCheck:
    """Decodes objects, and tells of those that are none of their kind."""

    def __init__(self, found: Findings) -> None:
        self._found = found
        self.misfits: set[Oid] = set()
        """Objects that hash to their names and are none of their kinds."""

    def check(self, oid: Oid, kind: int, data: bytes, where: str) -> list[Oid]:
        """Decode an object whose hash is checked; return what it links to and cannot do without."""
        if kind == Kind.BLOB:
            return []
        try:
            node = decode_node(data)
            record = RECORDS.get(kind)
            if record is not None:
                record.decode(node)
        except ObjectError as error:
            self.tell(oid, where, str(error))
            return []
        return [] if kind in SOFT_LINK_KINDS else node.links

    def tell(self, oid: Oid, where: str, why: str) -> None:
        """Tell of an object that is none of its kind, once."""
        if oid not in self.misfits:
            self.misfits.add(oid)
            self._found.error("object", oid.hex(), f"in {where}: {why}")
