"""Whether an outcome that an earlier run left behind may stand for a call that is made now.

What is asked is what the cache asks of a result on record: the files in it are as they were, and values with a validity
of their own agree.  The invariant: in doubt it may not, and the call is made; an error never stands for another run's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from redun.errors import RedunError
from redun.expression_codec import decode_expression
from redun.file.identity import PATH_SCHEME
from redun.file.state import FileState, check_file
from redun.objects.call_records import ExpressionRecord
from redun.objects.codec import decode_node
from redun.objects.headers import VALUE, OutcomeHeader
from redun.objects.kinds import Kind
from redun.objects.parcel import decode_parcel
from redun.objects.value_records import FileRecord
from redun.scheduler.parcels import ParcelReader
from redun.scheduler.unread import is_large
from redun.scheduler.validity import is_still_valid, must_be_asked
from redun.task.task import tasks_by_name

if TYPE_CHECKING:
    from redun.hashing import Oid
    from redun.scheduler.job import Job
    from redun.store.blobs import Blobs


def is_served_by(job: Job, outcome: bytes, contents: Blobs | None) -> bool:
    """Tell whether an outcome is of this call, whole, a result, and valid now.  Never raises."""
    try:
        return _is_served_by(job, outcome, contents)
    except Exception:  # a parcel of another version, a class that is gone, a content that was swept away
        return False


def _is_served_by(job: Job, outcome: bytes, contents: Blobs | None) -> bool:
    parcel = decode_parcel(outcome)
    header = OutcomeHeader.decode(parcel.header)
    if header.eval != job.eval or header.error is not None or header.root is None or header.disturbed:
        return False
    assert job.portal is not None
    reader = ParcelReader(parcel, contents, job.portal.store)
    if header.status == VALUE:
        node = decode_node(reader(header.root))
        if is_large(node):
            return all(reader.has(link) or (contents is not None and contents.has(link)) for link in node.links)
        plain = [reader.value(header.root)]
    else:
        plain = _values_in(header.root, reader)
    return all(_is_as_recorded(reader(oid)) for oid in list(reader.externals)) and not any(
        must_be_asked(value) and not is_still_valid(value) for value in plain
    )


def _values_in(root: Oid, reader: ParcelReader) -> list[Any]:
    plain: list[Any] = []

    def keep(oid: Oid) -> Any:
        plain.append(reader.value(oid))
        return plain[-1]

    with tasks_by_name():
        decode_expression(ExpressionRecord.decode(decode_node(reader(root))), keep)
    return plain


def _is_as_recorded(data: bytes) -> bool:
    node = decode_node(data)
    if node.kind == Kind.HANDLE:
        return False  # whether its state still stands is in no outcome
    if node.kind != Kind.FILE:
        raise RedunError(f"expected a file or a handle, found an object of kind {node.kind}")
    record = FileRecord.decode(node)
    return record.scheme == PATH_SCHEME or check_file(record).state is FileState.SAME
