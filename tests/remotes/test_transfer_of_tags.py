"""Edits of tags travel as executions do: whole, once, and the same from every side."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from redun.hashing import Oid
from redun.objects.execution_records import RunSubject, TagRecord
from redun.objects.ids import parse_id
from redun.objects.links import walk
from redun.remotes.clone import clone
from redun.remotes.fetch import fetch
from redun.remotes.pull import pull
from redun.remotes.push import push
from redun.remotes.remote import Remote
from redun.store.local_storage import LocalStorage
from redun.store.maintain.fsck import check_repository
from redun.store.maintain.repack import consolidate
from redun.store.memory_storage import MemoryStorage
from redun.store.ref_names import EXECUTIONS, TAGS
from redun.store.ref_texts import TagRef
from redun.store.refs import Refs
from redun.store.repository import Repository
from redun.store.storage import Storage
from redun.store.tagging import write_tag_edit
from redun.testing.objects import MadeExecution, execution_id, make_execution


@pytest.fixture
def source(tmp_path: Path) -> Iterator[Repository]:
    """Where things are made."""
    with Repository.init(tmp_path / "source" / ".redun") as opened:
        yield opened


@pytest.fixture
def target(tmp_path: Path) -> Iterator[Repository]:
    """Where they are fetched to."""
    with Repository.init(tmp_path / "target" / ".redun") as opened:
        yield opened


@pytest.fixture(params=["local", "memory"])
def there(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    """A remote read in place, and one whose packs are brought here first."""
    return LocalStorage(tmp_path / "remote") if request.param == "local" else MemoryStorage()


def _tag_run(repository: Repository, seed: int, key: str = "env", *, number: int = 0) -> TagRef:
    subject = RunSubject(parse_id(execution_id(seed)), number)
    ref = write_tag_edit(repository, [TagRecord(subject, [], key, '"prod"', is_deleted=False)])
    assert ref is not None
    return ref


def _tag_object(repository: Repository, oid: Oid) -> TagRef:
    ref = write_tag_edit(repository, [TagRecord(oid, [], "good", "true", is_deleted=False)])
    assert ref is not None
    return ref


def _made(repository: Repository, *seeds: int) -> list[MadeExecution]:
    return [make_execution(repository.store, repository.refs, seed=seed) for seed in seeds]


def _names(storage: Storage) -> list[str]:
    return list(Refs(storage).iter_tag_names())


def test_an_edit_made_after_a_push_goes_with_the_next(source: Repository, target: Repository, there: Storage) -> None:
    """It is sent alone, comes with a pull, and is told as what it is."""
    _made(source, 0)
    push(source, Remote("origin", there))
    ref = _tag_run(source, 0, number=2)
    sent = push(source, Remote("origin", there))
    assert (sent.executions, sent.tag_edits, sent.objects) == (0, 1, 1)
    assert push(source, Remote("origin", there)).is_up_to_date
    got = pull(target, Remote("origin", there))
    assert (got.executions, got.tag_edits) == (1, 1)
    assert target.refs.read_tags(ref.name) == ref
    assert target.store.get_node(ref.tags[0])
    assert pull(target, Remote("origin", there)).is_up_to_date
    assert check_repository(target).is_clean


def test_an_edit_brings_what_it_speaks_of(source: Repository, target: Repository, there: Storage) -> None:
    """A tag of a call links to it: wherever the tag is, the call is whole."""
    (made,) = _made(source, 0)
    assert made.record is not None
    assert made.record.root is not None
    ref = _tag_object(source, made.record.root)
    source.storage.delete(f"{EXECUTIONS}/{made.ref.name}")
    push(source, Remote("origin", there))
    fetch(target, Remote("origin", there))
    for _ in walk(ref.tags, target.store.find_kind_and_data):
        pass
    assert target.store.has(made.record.root)
    assert list(target.refs.iter_names()) == []


def test_two_repositories_end_with_the_same_edits(source: Repository, target: Repository, there: Storage) -> None:
    """Each gives what it has and takes what it lacks; nothing is in conflict."""
    _made(source, 0)
    push(source, Remote("origin", there))
    pull(target, Remote("origin", there))
    _tag_run(source, 0, "env")
    _tag_run(target, 0, "team")
    for repository in (source, target, source):
        pull(repository, Remote("origin", there))
        push(repository, Remote("origin", there))
    assert _names(source.storage) == _names(target.storage) == _names(there)
    assert len(_names(there)) == 2


def test_naming_executions_takes_only_their_edits(source: Repository, target: Repository, there: Storage) -> None:
    """A push or a fetch of one execution carries the edits that speak only of what is there then."""
    one, other = _made(source, 0, 1)
    own, foreign = _tag_run(source, 0), _tag_run(source, 1)
    assert other.record is not None
    assert other.record.root is not None
    of_call = _tag_object(source, other.record.root)
    assert one.ref is not None
    push(source, Remote("origin", there), [one.ref.name])
    assert _names(there) == [own.name]
    push(source, Remote("origin", there))
    assert set(_names(there)) == {own.name, foreign.name, of_call.name}
    fetch(target, Remote("origin", there), [execution_id(1)])
    assert set(_names(target.storage)) == {foreign.name, of_call.name}
    assert check_repository(target).is_clean
    assert fetch(target, Remote("origin", there)).tag_edits == 1


def test_a_dry_run_counts_edits(source: Repository, target: Repository, there: Storage) -> None:
    """Push, fetch and pull tell how many would go, and write nothing."""
    _made(source, 0)
    _tag_run(source, 0)
    assert push(source, Remote("origin", there), is_dry_run=True).tag_edits == 1
    assert _names(there) == []
    push(source, Remote("origin", there))
    assert fetch(target, Remote("origin", there), is_dry_run=True).tag_edits == 1
    assert pull(target, Remote("origin", there), is_dry_run=True).tag_edits == 1
    assert _names(target.storage) == []


def test_an_edit_that_is_not_whole_is_left_out(source: Repository, there: Storage) -> None:
    """A tag ref whose tag is missing, or whose text is malformed, is named with the reason; the rest goes."""
    _made(source, 0)
    ref = _tag_run(source, 0)
    broken = TagRef(f"20300101T000000.000000Z{ref.name[23:]}", (Oid(b"\x05" * 32),))
    source.refs.write_tags(broken)
    source.storage.write(f"{TAGS}/20310101T000000.000000Z{ref.name[23:]}", b"?")
    report = push(source, Remote("origin", there))
    assert sorted(skipped.name[:4] for skipped in report.skipped) == ["2030", "2031"]
    assert _names(there) == [ref.name]


def test_a_clone_has_all_edits(source: Repository, tmp_path: Path) -> None:
    """Also straight from a repository, merged packs and all."""
    _made(source, 0, 1)
    refs = [_tag_run(source, 0), _tag_run(source, 1)]
    consolidate(source.store)
    clone(str(tmp_path / "source"), tmp_path / "copy")
    with Repository.open(tmp_path / "copy" / ".redun") as copy:
        assert set(_names(copy.storage)) == {ref.name for ref in refs}
        assert all(copy.store.has(tag) for ref in refs for tag in ref.tags)
        assert check_repository(copy).is_clean


def test_fsck_tells_of_an_edit_whose_tag_is_missing(source: Repository) -> None:
    """Its ref is named; a malformed one too; a stranger in the folder is noted."""
    _made(source, 0)
    ref = _tag_run(source, 0)
    assert check_repository(source).refs == 2
    source.refs.write_tags(TagRef(f"20300101T000000.000000Z{ref.name[23:]}", (Oid(b"\x05" * 32),)))
    source.storage.write(f"{TAGS}/20310101T000000.000000Z{ref.name[23:]}", b"?")
    source.storage.write(f"{TAGS}/readme", b"")
    problems = {problem.where[len(TAGS) + 1 :][:4]: problem for problem in check_repository(source).problems}
    assert problems["2030"].why == "its tag 05050505 is missing"
    assert "malformed" in problems["2031"].why
    assert problems["read"].severity.value == "note"
