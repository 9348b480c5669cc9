"""Which tags an edit puts, given those that are on record.  Rules: docs/format/tag.md, section *Edits*.

The invariant: an edit that changes nothing puts nothing, and each one follows from the tags that are there alone, so
that whoever makes the same edit on the same tags makes the same objects.  No I/O.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from redun.hashing import Oid
from redun.objects.execution_records import RunSubject, TagRecord
from redun.provenance.tags import find_current
from redun.tags import ANY_VALUE, Tag, encode_tag_value, encode_tags

Known = Mapping[Oid, TagRecord]


def plan_add(subject: Oid | RunSubject, known: Known, tags: Iterable[Tag]) -> list[TagRecord]:
    """Return the tags to put so that a subject has these too.

    Args:
        subject: what they are about.
        known: all tags of the subject.
        tags: keys and values.

    Raises:
        BadTag: a key or a value cannot be a tag's.
    """
    records: list[TagRecord] = []
    for key, text in encode_tags(tags):
        record = _find_new(subject, known, key, text)
        if record is not None:
            records.append(record)
    return records


def plan_update(subject: Oid | RunSubject, known: Known, tags: Iterable[Tag]) -> list[TagRecord]:
    """Return the tags to put so that these are the only values of their keys; as ``plan_add`` otherwise."""
    wanted: dict[str, list[str]] = {}
    for key, text in encode_tags(tags):
        wanted.setdefault(key, []).append(text)
    current = find_current(known)
    records: list[TagRecord] = []
    for key, texts in wanted.items():
        parents = sorted(oid for oid, record in current.items() if record.key == key)
        if {current[oid].value for oid in parents} == set(texts):
            continue
        for text in texts:
            if parents:
                records.append(TagRecord(subject, parents, key, text, is_deleted=False))
            elif (record := _find_new(subject, known, key, text)) is not None:
                records.append(record)
    return records


def plan_remove(subject: Oid | RunSubject, known: Known, tags: Iterable[Tag]) -> list[TagRecord]:
    """Return the tags to put so that a subject has none of these; ``ANY_VALUE`` stands for every value of its key."""
    wanted = {(key, None if value is ANY_VALUE else encode_tag_value(value)) for key, value in tags}
    return [
        TagRecord(subject, [oid], record.key, record.value, is_deleted=True)
        for oid, record in sorted(find_current(known).items())
        if (record.key, record.value) in wanted or (record.key, None) in wanted
    ]


def _find_new(subject: Oid | RunSubject, known: Known, key: str, text: str) -> TagRecord | None:
    """Return a tag of this key and value that was never replaced; None when one is current already."""
    if any((record.key, record.value) == (key, text) for record in find_current(known).values()):
        return None
    record = TagRecord(subject, [], key, text, is_deleted=False)
    while (oid := record.encode()[0]) in known:
        record = TagRecord(subject, [oid], key, text, is_deleted=False)
    return record
