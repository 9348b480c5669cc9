"""Finding executions, jobs, tasks and uses."""

from __future__ import annotations

from dataclasses import replace

import pytest

from redun.objects.execution_records import JobStatus
from redun.objects.kinds import Kind
from redun.provenance.search import (
    Filters,
    Scope,
    find_job_of_call,
    find_jobs_of_task,
    find_uses,
    search_heads,
    search_jobs,
    search_tasks,
)
from redun.provenance.values import get_call, get_eval
from redun.testing.compile_workflow import FIRST_ID, SECOND_ID, MadeRun
from redun.testing.objects import make_execution


@pytest.fixture
def scope(shelf):
    """All executions."""
    return Scope(shelf.store, shelf.refs, None)


def ids(heads):
    """Return the ids of executions."""
    return [head.id for head in heads]


def test_executions_are_filtered_by_id_status_and_jobs(scope, shelf):
    """Filters on jobs keep the executions that have such a job."""
    run = MadeRun(shelf.store, "11111111-2222-4333-8444-555555555555", 5)
    run.row(1, 0, "make", None, None, JobStatus.FAILED)
    run.start(shelf.refs)
    assert ids(search_heads(scope, Filters(execution_ids=("69c4",)))) == [FIRST_ID]
    assert ids(search_heads(scope, Filters(execution_statuses=("RUNNING",)))) == [run.execution_id]
    assert ids(search_heads(scope, Filters(job_statuses=("CACHED",)))) == [SECOND_ID]
    assert ids(search_heads(scope, Filters(task_names=("*.link",)))) == [SECOND_ID, FIRST_ID]
    assert ids(search_heads(scope, Filters(task_names=("*.link",), job_statuses=("FAILED",)))) == []
    dead = replace(scope, is_alive=lambda _: False)
    assert ids(search_heads(dead, Filters(execution_statuses=("INTERRUPTED",)))) == [run.execution_id]


def test_the_limit_counts_what_is_kept(scope, shelf):
    """The newest execution that fits is found behind those that do not."""
    for seed in range(5):
        make_execution(shelf.store, shelf.refs, 1, seed=seed)
    assert ids(search_heads(replace(scope, limit=1), Filters(task_names=("*.link",)))) == [SECOND_ID]


def test_jobs_are_filtered_by_status_and_name(scope):
    """Patterns are those of a shell and meet the whole name."""
    cached = list(search_jobs(scope, Filters(job_statuses=("CACHED",))))
    assert [(found.execution.id, found.row.number) for found in cached] == [(SECOND_ID, 4), (SECOND_ID, 6)]
    assert len(list(search_jobs(scope, Filters(task_names=("*.make*",))))) == 6
    assert list(search_jobs(scope, Filters(task_names=("make",)))) == []
    assert len(list(search_jobs(replace(scope, names=tuple(scope.refs.iter_names())[:1]), Filters()))) == 8


def test_tasks_are_filtered_by_name(shelf):
    """One entry for each hash; damaged ones are left out."""
    found = list(search_tasks(Scope(shelf.store, shelf.refs, None), Filters(task_names=("*.make*",))))
    assert sorted(task.fullname.rpartition(".")[2] for _, task in found) == ["make", "make_prog"]
    shelf.store.damaged.add(found[0][0])
    assert len(list(search_tasks(Scope(shelf.store, shelf.refs, None), Filters(task_names=("*.make*",))))) == 1


def test_paths_are_filtered_by_pattern():
    """Any of several patterns will do; none keeps all."""
    filters = Filters(file_paths=("*.c", "prog"))
    assert [filters.keeps_path(path) for path in ("a/b.c", "prog", "prog2")] == [True, True, False]
    assert Filters().keeps_path("anything")


def test_the_job_of_a_call_is_the_one_that_ran(scope, shelf):
    """A cached job is taken only when no other is in the scope."""
    call = shelf.call_of(shelf.second, 4)
    assert find_job_of_call(scope, call).execution.id == FIRST_ID
    assert find_job_of_call(replace(scope, limit=1), call).row.status is JobStatus.CACHED
    assert find_job_of_call(scope, shelf.second.by_number()[4].eval) is None


def test_jobs_of_a_task_are_of_one_hash(scope, shelf):
    """Both runs linked twice with the same code."""
    task = get_eval(shelf.store, shelf.second.by_number()[7].eval).task
    found = [(job.execution.id, job.row.number) for job in find_jobs_of_task(scope, task)]
    assert found == [(SECOND_ID, 7), (SECOND_ID, 8), (FIRST_ID, 7), (FIRST_ID, 8)]


def test_uses_of_a_value_are_results_and_arguments(scope, shelf):
    """prog.c was given to compile; prog was returned by link, make_prog."""
    source = get_eval(shelf.store, shelf.second.by_number()[4].eval).args[0]
    assert [(job.row.number, is_result) for job, is_result in find_uses(scope, source)] == [(4, False), (4, False)]
    program = get_call(shelf.store, shelf.call_of(shelf.second, 7)).result
    assert [(job.row.number, is_result) for job, is_result in find_uses(scope, program)] == [(2, True), (7, True)]


def test_an_error_value_is_a_result_of_the_failed_job(scope, shelf):
    """What a job failed with can be looked up."""
    run = MadeRun(shelf.store, "11111111-2222-4333-8444-555555555555", 5)
    error = run.text("boom")
    run.row(1, 0, "make", None, error, JobStatus.FAILED)
    run.row(2, 1, "make", None, error, JobStatus.REDUCED)
    run.commit(shelf.refs)
    assert [(job.row.number, is_result) for job, is_result in find_uses(scope, error)] == [(1, True)]


def test_damaged_executions_are_told_and_passed_over(shelf):
    """One bad batch costs one warning."""
    problems = []
    scope = Scope(shelf.store, shelf.refs, None, on_problem=problems.append)
    shelf.store.damaged.update(link for link in [shelf.second.head.object] if link)
    assert [execution.id for execution in scope.iter_executions()] == [FIRST_ID]
    assert len(problems) == 1
    assert "execution 4a2b624d cannot be read" in problems[0]


def test_malformed_refs_are_told_and_passed_over(shelf):
    """A torn ref does not end the list."""
    problems = []
    scope = Scope(shelf.store, shelf.refs, None, on_problem=problems.append)
    shelf.refs._storage.write(f"refs/executions/{shelf.second.head.ref_name}", b"garbage")
    assert ids(scope.iter_heads(1)) == [FIRST_ID]
    assert "malformed" in problems[0]


def test_damaged_evals_and_calls_hide_only_their_jobs(scope, shelf):
    """Searching by task or value goes on."""
    row = shelf.second.by_number()[7]
    task = get_eval(shelf.store, row.eval).task
    program = get_call(shelf.store, row.outcome).result
    shelf.store.damaged |= {row.eval, row.outcome}
    assert len(list(find_jobs_of_task(scope, task))) == 3
    assert [job.row.number for job, _ in find_uses(scope, program)] == [2]
    assert shelf.store.kind_of(row.outcome) == Kind.CALL
