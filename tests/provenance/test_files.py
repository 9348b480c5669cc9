"""Which files were read and written, and the versions of one."""

from __future__ import annotations

from pathlib import Path

import pytest

from redun.objects.call_records import CallRecord, SubtreeSummary
from redun.objects.execution_records import JobStatus
from redun.objects.kinds import Kind
from redun.objects.value_records import ABSENT_SCHEME, FileRecord
from redun.provenance.executions import load_execution
from redun.provenance.files import find_file, find_versions, list_files, view_versions
from redun.testing.compile_workflow import FIRST_START_US, SECOND_START_US, MadeRun


@pytest.fixture
def both(shelf):
    """Both executions, the newest first."""
    return [shelf.second, shelf.first]


def test_each_file_stands_once_in_its_newest_version(shelf, both):
    """Sources are read, objects are written and read, programs are written."""
    files = list_files(shelf.store, both)
    assert [(file.path, file.mode) for file in files] == [
        ("lib.c", "r"),
        ("lib.o", "rw"),
        ("prog", "w"),
        ("prog.c", "r"),
        ("prog.o", "rw"),
        ("prog2", "w"),
        ("prog2.c", "r"),
        ("prog2.o", "rw"),
    ]
    lib, unchanged = files[0], files[3]
    assert lib.first_us > SECOND_START_US > unchanged.first_us > FIRST_START_US
    assert unchanged.last_us > SECOND_START_US


def test_the_writer_is_the_job_that_ran(shelf, both):
    """A cached job replays a file; who made it is the job of the earlier run."""
    by_path = {file.path: file for file in list_files(shelf.store, both)}
    assert by_path["prog.o"].writer.execution is shelf.first
    assert by_path["lib.o"].writer.execution is shelf.second
    assert [use.row.number for use in by_path["lib.o"].readers] == [8, 7]
    assert by_path["prog.c"].writer is None


def test_versions_of_a_path_come_newest_first(shelf, both):
    """Prog was linked in both runs."""
    new, old = find_file(shelf.store, both, "prog", Path("/anywhere"))
    assert (new.last_us > SECOND_START_US, old.last_us > SECOND_START_US) == (True, False)
    assert new.is_kept
    assert new.size == 43


def test_a_path_may_be_spelled_otherwise(shelf, both):
    """Another spelling of the same place finds the same files; another place does not."""
    here = Path("/project")
    assert find_versions(shelf.store, "./sub/../prog.c", here) == find_versions(shelf.store, "/project/prog.c", here)
    assert len(find_versions(shelf.store, "prog.c", here)) == 1
    assert find_versions(shelf.store, "/elsewhere/prog.c", here) == []
    assert find_file(shelf.store, both, "nothing", here) == []


def test_urls_are_compared_as_text(shelf):
    """A URL is no path below the working directory."""
    record = FileRecord("s3://bucket/key", "etag", b"e", 3)
    oid, data = record.encode()
    shelf.store.put(oid, data, int(Kind.FILE))
    assert find_versions(shelf.store, "s3://bucket/key", Path("/x")) == [oid]
    (view,) = view_versions(shelf.store, [shelf.second], [oid])
    assert (view.mode, view.first_us, view.is_kept, view.writer) == ("", 0, False, None)


def test_files_that_were_not_there_are_left_out(shelf, both):
    """A hashed absence is no version of a file."""
    oid, data = FileRecord("gone", ABSENT_SCHEME, b"", None).encode()
    shelf.store.put(oid, data, int(Kind.FILE))
    assert find_versions(shelf.store, "gone", Path("/x")) == []
    (view,) = view_versions(shelf.store, both, [oid])
    assert view.is_absent


def test_a_file_that_a_leaf_only_names_was_read(shelf):
    """A task that returns a source it did not write has read it, and did not write it."""
    run = MadeRun(shelf.store, "11111111-2222-4333-8444-555555555555", 5)
    source = run.file("data.csv", b"1,2")
    summary = SubtreeSummary(is_reusable=True, tasks=[], externals=[source], produced=[])
    asked = run.evaluation("make", {})
    call = run.put(CallRecord(asked, source, None, [], [], summary, []).encode(), Kind.CALL)
    run.row(1, 0, "make", asked, call, JobStatus.DONE)
    execution = load_execution(shelf.store, shelf.refs, run.commit(shelf.refs).name)
    (file,) = list_files(shelf.store, [execution])
    assert (file.path, file.mode) == ("data.csv", "r")


def test_a_job_that_cannot_be_read_adds_nothing(shelf):
    """Damage hides that job's files, not the others."""
    shelf.store.damaged.add(shelf.second.by_number()[7].eval)
    assert "prog2" in {file.path for file in list_files(shelf.store, [shelf.second])}
