"""Writing an edit of tags that is made outside of a run.  Normative page: docs/format/tag.md.

The invariant is that of every ref: the tags, and all they link to, are in the store before the tag ref that names them
is written.  So an edit is wholly there, on this machine and on whatever it is pushed to, or it never was.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from redun.objects.execution_records import RunSubject, TagRecord
from redun.objects.kinds import Kind
from redun.store.base import ObjectMissing, ReadOnlyStore
from redun.store.liveness import now_us
from redun.store.ref_names import ref_name
from redun.store.ref_texts import TagRef

if TYPE_CHECKING:
    from redun.store.repository import Repository


def write_tag_edit(
    repository: Repository, records: Iterable[TagRecord], *, clock: Callable[[], int] = now_us
) -> TagRef | None:
    """Store tags and publish them as one edit; return its ref, None when there are no tags.

    Args:
        repository: an open one.
        records: the tags; parents before the tags that name them.
        clock: gives microseconds since 1970 UTC.

    Raises:
        ReadOnlyStore: the repository cannot be written.
        ObjectMissing: a subject or a parent is not in the store.
    """
    if not repository.is_writable:
        raise ReadOnlyStore(f"{repository.location} cannot be written")
    store, oids = repository.store, []
    for record in records:
        subject = () if isinstance(record.subject, RunSubject) else (record.subject,)
        for link in (*subject, *record.parents):
            if not store.has(link):
                raise ObjectMissing(link)
        oid, data = record.encode()
        store.put(oid, data, Kind.TAG)
        oids.append(oid)
    if not oids:
        return None
    ref = repository.refs.sign(TagRef(ref_name(clock(), str(uuid.uuid4())), tuple(sorted(set(oids)))))
    store.seal()
    repository.refs.write_tags(ref, is_forced=store.sealer.syncs)
    store.finish()
    return ref
