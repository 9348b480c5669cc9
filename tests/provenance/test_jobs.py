"""One job: arguments, result, error, parents, source."""

from __future__ import annotations

from dataclasses import replace

from redun.objects.execution_records import JobStatus
from redun.objects.kinds import Kind
from redun.provenance.executions import JobState, RunStatus, load_execution
from redun.provenance.jobs import find_source, head_of_job, outline_job, parents_of, view_job
from redun.testing.compile_workflow import SOURCES, MadeRun


def test_a_job_tells_what_it_was_asked_and_returned(shelf):
    """The link job of the second run."""
    job = view_job(shelf.store, shelf.second, shelf.second.by_number()[7])
    assert job.head.id == shelf.second.job_id(7)
    assert job.head.fullname == "redun.examples.compile.link"
    assert job.head.start_us == shelf.second.head.start_us + 70_000
    assert job.head.duration_us == 240_000
    assert [(argument.name, argument.value.text) for argument in job.arguments] == [
        ("prog_path", "'prog'"),
        ("o_files", "[File(path=prog.o, hash=62d0c520), File(path=lib.o, hash=d67a0069)]"),
    ]
    assert job.result.text == "File(path=prog, hash=3bcb169f)"
    assert (job.call, job.error, job.problem) == (shelf.call_of(shelf.second, 7), None, "")


def test_a_failed_job_tells_its_error(shelf):
    """The outcome of a failed row is an error value, not a call."""
    run = MadeRun(shelf.store, "11111111-2222-4333-8444-555555555555", 5)
    run.row(1, 0, "make", run.evaluation("make", {}), run.text("boom"), JobStatus.FAILED)
    run.row(2, 1, "make", None, None, JobStatus.FAILED)
    execution = load_execution(shelf.store, shelf.refs, run.commit(shelf.refs).name)
    failed, early = (view_job(shelf.store, execution, row) for row in execution.rows)
    assert (failed.error.text, failed.result, failed.call) == ("'boom'", None, None)
    assert (early.eval, early.arguments, early.error) == (None, (), None)


def test_a_reduced_job_has_no_result_yet(shelf):
    """A reduction is not a result; a job that still runs has no duration."""
    row = shelf.second.by_number()[2]._replace(status=JobStatus.REDUCED)
    job = view_job(shelf.store, shelf.second, row)
    assert (job.call, job.result, job.head.state, job.head.duration_us) == (None, None, JobState.INTERRUPTED, 240_000)
    running = replace(shelf.second, head=replace(shelf.second.head, status=RunStatus.RUNNING))
    head = head_of_job(running, row)
    assert (head.state, head.duration_us) == (JobState.RUNNING, None)


def test_damage_is_told_and_hides_nothing_else(shelf):
    """A damaged argument, eval or call becomes a text; the rest of the job stands."""
    row = shelf.second.by_number()[7]
    argument = view_job(shelf.store, shelf.second, row).arguments[1].value.oid
    shelf.store.damaged.add(argument)
    assert "is damaged" in view_job(shelf.store, shelf.second, row).arguments[1].value.text
    shelf.store.damaged.add(row.eval)
    job = view_job(shelf.store, shelf.second, row)
    assert (job.arguments, job.result.text) == ((), "File(path=prog, hash=3bcb169f)")
    assert job.problem == f"<{row.eval.hex()[:8]} is damaged>"
    shelf.store.damaged.add(row.outcome)
    assert view_job(shelf.store, shelf.second, row).result is None


def test_parents_are_told_from_the_root(shelf):
    """The chain of a link job is make, make_prog."""
    chain = parents_of(shelf.second, shelf.second.by_number()[8])
    assert [row.number for row in chain] == [1, 3]
    assert parents_of(shelf.second, shelf.second.by_number()[1]) == []


def test_source_is_found_in_the_execution_or_anywhere(shelf):
    """The text of a task as it was written; None when nobody kept it."""
    task = view_job(shelf.store, shelf.second, shelf.second.by_number()[7]).task
    in_execution = find_source(shelf.store, task, shelf.second)
    assert in_execution.text == SOURCES["link"]
    assert (in_execution.module, in_execution.line) == ("make", 10)
    assert find_source(shelf.store, task) == in_execution
    shelf.store.damaged.update(oid for oid, _ in shelf.store.iter_oids(Kind.SOURCE))
    assert find_source(shelf.store, task, shelf.second) is None


def test_an_outline_reads_no_more_than_a_line_shows(shelf):
    """It has the head and arguments of the whole view, and needs neither the call nor the task."""
    row = shelf.second.by_number()[7]
    whole = view_job(shelf.store, shelf.second, row)
    shelf.store.damaged.update((row.outcome, whole.task, whole.result.oid))
    outline = outline_job(shelf.store, shelf.second, row)
    assert (outline.head, outline.arguments, outline.task) == (whole.head, whole.arguments, whole.task)
    assert outline.problem == ""
