"""Everything there is to tell of one job, call, eval, file, task or value."""

from __future__ import annotations

from dataclasses import replace

import pytest

from redun.objects.execution_records import JobStatus
from redun.objects.kinds import Kind
from redun.provenance.detail import (
    MAX_LISTED,
    CallDetail,
    JobDetail,
    describe_call,
    describe_eval,
    describe_file,
    describe_job,
    describe_task,
    describe_value,
)
from redun.provenance.files import find_versions
from redun.provenance.search import FoundJob, Scope
from redun.provenance.values import get_call, get_eval
from redun.testing.compile_workflow import SOURCES, MadeRun


@pytest.fixture
def scope(shelf):
    """All executions."""
    return Scope(shelf.store, shelf.refs, None)


def test_a_job_has_its_parents_source_and_dataflow(scope, shelf):
    """All that `redun log JOB` prints."""
    found = describe_job(scope, FoundJob(shelf.second, shelf.second.by_number()[7]))
    assert [task.rpartition(".")[2] for _, task in found.parents] == ["make", "make_prog"]
    assert found.parents[0][0] == shelf.second.job_id(1)
    assert found.source.text == SOURCES["link"]
    assert found.dataflow.result.value == found.job.result


def test_a_job_without_a_call_has_no_dataflow(scope, shelf):
    """Nothing came of it."""
    row = shelf.second.by_number()[2]._replace(status=JobStatus.REDUCED)
    assert describe_job(scope, FoundJob(shelf.second, row)).dataflow is None
    damaged = shelf.second.by_number()[7]
    shelf.store.damaged.add(damaged.outcome)
    assert describe_job(scope, FoundJob(shelf.second, damaged)).dataflow is None


def test_a_call_is_told_by_its_job_where_there_is_one(scope, shelf):
    """Outside the scope, the call is told alone."""
    call = shelf.call_of(shelf.first, 7)
    assert isinstance(describe_call(scope, call), JobDetail)
    alone = describe_call(replace(scope, limit=1), call)
    assert isinstance(alone, CallDetail)
    assert alone.asked.fullname == "redun.examples.compile.link"
    assert alone.source.text == SOURCES["link"]


def test_an_eval_tells_its_outcomes(shelf):
    """One eval, one outcome, when it ended."""
    row = shelf.second.by_number()[7]
    found = describe_eval(shelf.store, row.eval)
    end_us = shelf.second.head.start_us + row.start_us + row.duration_us
    assert found.outcomes == ((end_us, row.outcome, Kind.CALL),)


def test_a_file_tells_its_writer_readers_and_other_versions(scope, shelf, tmp_path):
    """lib.o: made by compile, given to both links, and there was an older one."""
    found = describe_file(scope, find_versions(shelf.store, "lib.o", tmp_path))
    assert found.writer.job.head.id == shelf.second.job_id(5)
    assert [job.head.number for job in found.readers] == [8, 7]
    assert [version.path for version in found.versions] == ["lib.o"]
    source = describe_file(scope, find_versions(shelf.store, "prog.c", tmp_path))
    assert (source.writer, source.versions) == (None, ())


def test_a_task_tells_its_newest_jobs(scope, shelf):
    """At most ten of them."""
    task = get_eval(shelf.store, shelf.second.by_number()[7].eval).task
    found = describe_task(scope, task)
    assert (found.fullname, len(found.jobs)) == ("redun.examples.compile.link", 4)
    run = MadeRun(shelf.store, "11111111-2222-4333-8444-555555555555", 5)
    asked = run.evaluation("link", {})
    for number in range(1, 20):
        run.row(number, 0, "link", asked, None, JobStatus.REDUCED)
    run.commit(shelf.refs)
    assert len(describe_task(scope, task).jobs) == MAX_LISTED


def test_a_value_tells_who_returned_it_and_who_was_given_it(scope, shelf):
    """The text 'prog' was only given; the program was only returned."""
    name = get_eval(shelf.store, shelf.second.by_number()[7].eval).args[0]
    given = describe_value(scope, name)
    assert (given.value.text, given.returned_by, given.dataflow) == ("'prog'", (), None)
    assert [job.head.number for job in given.given_to] == [2, 7, 2, 7]
    program = get_call(shelf.store, shelf.call_of(shelf.second, 7)).result
    returned = describe_value(scope, program)
    assert [job.head.number for job in returned.returned_by] == [2, 7]
    assert returned.dataflow.result.value.oid == program
