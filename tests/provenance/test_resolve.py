"""From what a user types to what it names."""

from __future__ import annotations

from pathlib import Path

import pytest

from redun.hashing import hash_blob
from redun.objects.kinds import Kind
from redun.objects.task_records import TaskRecord
from redun.provenance.resolve import AmbiguousId, Subject, UnknownId, resolve, resolve_oid
from redun.store.memory import MemoryStore
from redun.store.memory_storage import MemoryStorage
from redun.store.refs import Refs
from redun.testing.compile_workflow import FIRST_ID, SECOND_ID, MadeRun

HERE = Path("/project")


@pytest.fixture
def find(shelf):
    """Resolve a text in the two runs."""
    return lambda text, **options: resolve(text, shelf.store, shelf.refs, HERE, **options)


def two_of_one_prefix(store, digits=4):
    """Put blobs until two of them begin alike; return the prefix."""
    seen = set()
    number = 0
    while True:
        content = str(number).encode()
        oid = hash_blob(content)
        store.put(oid, content, int(Kind.BLOB))
        if oid.hex()[:digits] in seen:
            return oid.hex()[:digits]
        seen.add(oid.hex()[:digits])
        number += 1


class TestExecutions:
    """Executions by place and by id."""

    @pytest.mark.parametrize(
        ("text", "id"),
        [
            ("-", SECOND_ID),
            ("~1", SECOND_ID),
            ("~2", FIRST_ID),
            ("69c40fe5", FIRST_ID),
            ("4A2B", SECOND_ID),
            (FIRST_ID, FIRST_ID),
        ],
    )
    def test_by_place_or_prefix(self, find, text, id):
        """- and ~1 are the newest, ~2 the one before; either case of a prefix will do."""
        found = find(text)
        assert found.subject is Subject.EXECUTION
        assert found.ref_name.endswith(id)

    @pytest.mark.parametrize("text", ["~3", "~0"])
    def test_a_place_that_is_not_there_is_unknown(self, find, text):
        """There are two executions."""
        with pytest.raises(UnknownId, match=f"nothing on record is called '{text}'"):
            find(text)

    def test_nothing_is_the_newest_of_none(self):
        """An empty repository has no last execution."""
        with pytest.raises(UnknownId, match="not so many executions"):
            resolve("-", MemoryStore(), Refs(MemoryStorage()), HERE)


class TestJobs:
    """Jobs by the ids that derive from their executions."""

    def test_by_prefix(self, find, shelf):
        """The short form that logs print, the full one, and one in between."""
        for text in (shelf.second.job_id(7)[:8], shelf.second.job_id(7)[:11], shelf.second.job_id(7)):
            found = find(text)
            assert (found.subject, found.job_number) == (Subject.JOB, 7)
            assert found.ref_name == shelf.second.head.ref_name

    def test_the_search_is_bounded_and_says_so(self, find, shelf):
        """A job of an old execution is found when all are searched."""
        old = shelf.first.job_id(7)[:8]
        with pytest.raises(UnknownId, match=r"newest 1 of 2 executions; --all"):
            find(old, max_executions=1)
        assert find(old, max_executions=None).ref_name == shelf.first.head.ref_name

    def test_a_damaged_execution_does_not_end_the_search(self, find, shelf):
        """The jobs of the others are still found."""
        shelf.store.damaged.add(shelf.second.head.object)
        assert find(shelf.first.job_id(2)[:8]).job_number == 2


class TestObjects:
    """Objects of all kinds by prefixes of their oids."""

    def test_by_prefix(self, find, shelf):
        """A call, in the form that logs print and in full."""
        call = shelf.call_of(shelf.second, 7)
        for text in (call.hex()[:8], call.hex().upper()[:12], call.hex()):
            found = find(text)
            assert (found.subject, found.oid, found.kind) == (Subject.OBJECT, call, Kind.CALL)
        assert resolve_oid(call.hex()[:8], shelf.store) == (call, Kind.CALL)

    def test_an_ambiguous_prefix_lists_what_it_could_be(self, find, shelf):
        """Each candidate has a line with its id and its kind."""
        prefix = two_of_one_prefix(shelf.store)
        for attempt in (lambda: find(prefix), lambda: resolve_oid(prefix, shelf.store)):
            with pytest.raises(AmbiguousId, match=f"{prefix} fits 2 ids") as caught:
                attempt()
            assert [one.kind for one in caught.value.candidates] == ["blob", "blob"]
            assert all(one.id.startswith(prefix) and one.id in str(caught.value) for one in caught.value.candidates)

    def test_kinds_of_one_prefix_are_ambiguous_too(self, shelf):
        """An execution and a file whose ids begin alike are told apart by more digits."""
        for number in range(100_000):
            oid = hash_blob(str(number).encode())
            if oid.hex().startswith(SECOND_ID[:4]):
                shelf.store.put(oid, str(number).encode(), int(Kind.BLOB))
                break
        with pytest.raises(AmbiguousId) as caught:
            resolve(SECOND_ID[:4], shelf.store, shelf.refs, HERE)
        assert {one.kind for one in caught.value.candidates} == {"execution", "blob"}

    @pytest.mark.parametrize("text", ["abc", "xyzw", "0000000", "a" * 65])
    def test_what_is_no_prefix_of_anything_is_unknown(self, shelf, text):
        """Too short, not hex, not there, too long."""
        with pytest.raises(UnknownId, match="4 to 64 hex digits"):
            resolve_oid(text, shelf.store)


class TestNames:
    """Tasks and files by name."""

    def test_a_task_by_its_full_name_or_its_last_part(self, find):
        """`link` is enough when no other task ends so."""
        full = find("redun.examples.compile.link")
        assert full.subject is Subject.TASK
        assert len(full.oids) == 1
        assert find("link").oids == full.oids

    def test_a_last_part_of_two_tasks_is_ambiguous(self, find, shelf):
        """The candidates are their full names."""
        shelf.store.put(*TaskRecord("other.link", "1", None, [], []).encode(), int(Kind.TASK))
        with pytest.raises(AmbiguousId, match=r"other\.link") as caught:
            find("link")
        assert [one.id for one in caught.value.candidates] == ["other.link", "redun.examples.compile.link"]

    def test_a_file_comes_before_the_last_part_of_a_task(self, find, shelf):
        """A path is more exact than half a name; a full name is more exact than a path."""
        shelf.store.put(*TaskRecord("other.prog", "1", None, [], []).encode(), int(Kind.TASK))
        assert find("prog").subject is Subject.FILE
        shelf.store.put(*TaskRecord("prog", "1", None, [], []).encode(), int(Kind.TASK))
        assert find("prog").subject is Subject.TASK

    def test_a_file_by_its_path(self, find):
        """Both versions of prog are meant."""
        found = find("./prog")
        assert (found.subject, found.name, len(found.oids)) == (Subject.FILE, "./prog", 2)

    def test_a_file_that_nobody_used_is_unknown_and_said_to_exist(self, shelf, tmp_path):
        """The file is there; the record of it is not."""
        (tmp_path / "new.txt").write_text("x")
        with pytest.raises(UnknownId, match="the file exists, but no recorded job"):
            resolve("new.txt", shelf.store, shelf.refs, tmp_path)

    def test_unknown_names_hint_at_near_ones(self, find):
        """Typos in names of tasks and files."""
        with pytest.raises(UnknownId) as caught:
            find("prog3.c")
        assert "prog2.c" in caught.value.near
        assert caught.value.hint.startswith("did you mean ")
        with pytest.raises(UnknownId) as caught:
            find("make_prg")
        assert caught.value.near[0] == "make_prog"

    def test_damaged_tasks_are_passed_over(self, find, shelf):
        """Names that cannot be read are not there; the others are."""
        (link,) = find("link").oids
        shelf.store.damaged.add(link)
        assert find("make_prog").subject is Subject.TASK
        with pytest.raises(UnknownId):
            find("link")


def test_many_candidates_are_cut():
    """A prefix of hundreds of ids lists the first twenty."""
    store, refs = MemoryStore(), Refs(MemoryStorage())
    for number in range(30):
        MadeRun(store, f"00000000-0000-4000-8000-{number:012}", number).commit(refs)
    with pytest.raises(AmbiguousId, match="more than 20 ids") as caught:
        resolve("0000", store, refs, HERE)
    assert len(caught.value.candidates) == 20
