"""The part of fsck that looks at objects: does each node decode as its kind says, and where does it link to?

The invariant: what is handed in hashes to its name already; what is noted of it is that it is here, whole.
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
from redun.store.maintain.findings import Findings, Known

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
    """Decodes objects and remembers them."""

    def __init__(self, known: Known, found: Findings) -> None:
        self._known = known
        self._found = found

    def check(self, oid: Oid, kind: int, data: bytes, where: str) -> None:
        """Decode an object whose hash is checked, and remember where it links to."""
        if oid in self._known.kinds:
            return
        self._known.kinds[oid] = kind
        if kind == Kind.BLOB:
            return
        try:
            node = decode_node(data)
            record = RECORDS.get(kind)
            if record is not None:
                record.decode(node)
        except ObjectError as error:
            self._found.error("object", oid.hex(), f"in {where}: {error}")
            return
        if kind not in SOFT_LINK_KINDS:
            for link in node.links:
                self._known.linked.setdefault(link, oid)
