"""Edits of tags: stored, then published, and not lost when their writer dies."""

from __future__ import annotations

from pathlib import Path

import pytest

from redun.hashing import Oid
from redun.objects.execution_records import RunSubject, TagRecord
from redun.objects.kinds import Kind
from redun.objects.value_records import ValueRecord
from redun.store.base import ObjectMissing, ReadOnlyStore
from redun.store.journal import Journal
from redun.store.liveness import describe_writer
from redun.store.repository import Repository
from redun.store.tagging import write_tag_edit

RUN = RunSubject(bytes(range(16)), 0)
VALUE = ValueRecord("builtins.int", "data", 1, [])


def test_an_edit_is_a_sealed_object_and_a_ref(tmp_path: Path) -> None:
    """After an edit the tags are in a pack, and a tag ref names them."""
    with Repository.init(tmp_path) as repository:
        first = TagRecord(RUN, [], "env", '"prod"', is_deleted=False)
        second = TagRecord(RUN, [first.encode()[0]], "env", '"test"', is_deleted=False)
        ref = write_tag_edit(repository, [first, second], clock=lambda: 1_750_000_000_000_000)
    with Repository.open(tmp_path, writable=False) as repository:
        (name,) = repository.refs.iter_tag_names()
        found = repository.refs.read_tags(name)
        assert found == ref
        assert name.startswith("20250615T150640.000000Z-")
        assert set(found.tags) == {first.encode()[0], second.encode()[0]}
        assert all(repository.store.has(oid) for oid in found.tags)
        assert not list((tmp_path / "objects/journal").iterdir())


def test_an_edit_of_nothing_writes_nothing(tmp_path: Path) -> None:
    """Without tags there is no ref and no pack."""
    with Repository.init(tmp_path) as repository:
        assert write_tag_edit(repository, []) is None
        assert list(repository.refs.iter_tag_names()) == []


def test_a_tag_needs_its_subject_and_its_parents(tmp_path: Path) -> None:
    """Links are hard: a tag of an object that is not here is refused, and no ref is written."""
    with Repository.init(tmp_path) as repository:
        missing = Oid(b"\x07" * 32)
        for record in (TagRecord(missing, [], "a", "1", False), TagRecord(RUN, [missing], "a", "1", False)):
            with pytest.raises(ObjectMissing):
                write_tag_edit(repository, [record])
        assert list(repository.refs.iter_tag_names()) == []


def test_a_repository_that_cannot_be_written_is_not_tagged(tmp_path: Path) -> None:
    """Opened for reading, it refuses."""
    Repository.init(tmp_path).close()
    with Repository.open(tmp_path, writable=False) as repository, pytest.raises(ReadOnlyStore):
        write_tag_edit(repository, [TagRecord(RUN, [], "a", "1", is_deleted=False)])


def test_tags_of_a_dead_writer_get_a_ref(tmp_path: Path) -> None:
    """Whoever seals the journal names its tags in a tag ref, the same one whoever it is."""
    names = []
    for folder in ("one", "other"):
        path = tmp_path / folder
        Repository.init(path).close()
        header = describe_writer(1_750_000_000_000_000, token=b"dead")._replace(process_start="1")
        journal = Journal.create(path / "objects/journal", header=header)
        oid, data = VALUE.encode()
        journal.append(data, Kind.VALUE, oid)
        tags = [TagRecord(oid, [], "a", "1", is_deleted=False), TagRecord(RUN, [], "b", "2", is_deleted=False)]
        for tag in tags:
            journal.append(tag.encode()[1], Kind.TAG, tag.encode()[0])
        journal.close()
        with Repository.open(path) as repository:
            (name,) = repository.refs.iter_tag_names()
            assert set(repository.refs.read_tags(name).tags) == {tag.encode()[0] for tag in tags}
            names.append(name)
    assert names[0] == names[1]
