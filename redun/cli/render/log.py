"""Executions, jobs, tasks, files and values as the lines that ``redun log`` prints.

The invariant: one function a subject and a form: ``*_line`` gives the line of a list, ``*_lines`` all there is to say.
Everything is text made from read models; times are local unless a time zone is given.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import tzinfo

from redun.cli.render.tags import tag_suffix, tags_lines
from redun.cli.render.text import (
    MAX_ARGUMENTS,
    RULE,
    cut,
    format_argv,
    format_duration,
    format_status,
    format_time,
    indent,
    one_line,
    printable,
)
from redun.objects.oid import short
from redun.provenance.dataflow import Dataflow, Section, Step, StepKind
from redun.provenance.detail import CallDetail, EvalDetail, FileDetail, JobDetail, TaskDetail, ValueDetail
from redun.provenance.executions import ExecutionHead, ExecutionView, JobState
from redun.provenance.files import FileView
from redun.provenance.jobs import JobHead, JobView, SourceView
from redun.provenance.show import kind_name
from redun.provenance.tags import TagView
from redun.provenance.values import ArgumentView, ValueView

_ALWAYS_COUNTED = (JobState.DONE, JobState.CACHED, JobState.FAILED)
_TRACE_TAIL = 2
"""How many jobs of a traceback are named, the job itself among them; those above are counted."""


def execution_line(head: ExecutionHead, tz: tzinfo | None = None, *, is_full: bool = False) -> str:
    """``Exec 69c40fe5 [ DONE ] 2021-06-18 10:34:28:  run make.py make``."""
    name = head.id if is_full else head.id[:8]
    return f"Exec {name} {format_status(head.status.value)} {format_time(head.start_us, tz)}:  {format_argv(head.argv)}"


def execution_lines(
    execution: ExecutionView,
    jobs: Iterable[tuple[int, JobView, Sequence[TagView]]],
    tags: Sequence[TagView],
    tz: tzinfo | None = None,
) -> Iterator[str]:
    """All of an execution: its line, how long it took, how many jobs stand how, and the tree of its jobs."""
    yield execution_line(execution.head, tz, is_full=True)
    yield f"Duration: {format_duration(execution.duration_us)}"
    yield from tags_lines(tags)
    yield ""
    yield count_line(execution)
    yield RULE
    for depth, job, tags_of_job in jobs:
        yield "  " * depth + job_line(job, tz) + tag_suffix(tags_of_job)


def count_line(execution: ExecutionView) -> str:
    """``Jobs: 8 (DONE: 8, CACHED: 0, FAILED: 0)``; other states are told when there are any."""
    counts = execution.count_states()
    shown = [*_ALWAYS_COUNTED, *(state for state in JobState if state not in _ALWAYS_COUNTED and counts[state])]
    states = ", ".join(f"{state.value}: {counts[state]}" for state in shown)
    return f"Jobs: {len(execution.rows)} ({states})"


def job_line(job: JobView, tz: tzinfo | None = None, *, is_full: bool = False) -> str:
    """``Job 096be12b [ DONE ] 2021-06-18 10:34:28:  ns.make_prog('prog', [...])``."""
    arguments = format_arguments(job.arguments)
    if not is_full:
        arguments = cut(arguments, MAX_ARGUMENTS)
    name = job.head.id if is_full else job.head.id[:8]
    return f"Job {name} {_status_and_time(job.head, tz)}:  {one_line(job.head.fullname)}({arguments})"


def job_lines(detail: JobDetail, tz: tzinfo | None = None) -> Iterator[str]:
    """All of a job: where it stands, what it was asked, what came of it, its source, and where its result came from."""
    job = detail.job
    yield job_line(job, tz, is_full=True)
    yield f"Traceback: {_format_trace(detail)}"
    yield f"Duration: {format_duration(job.head.duration_us)}"
    if job.head.attempt > 1:
        yield f"Attempt: {job.head.attempt}"
    yield from tags_lines(detail.tags)
    if job.problem:
        yield f"Problem: {job.problem}"
    yield ""
    yield from indent(_outcome_lines(job))
    if job.task is not None:
        yield ""
        yield from indent(_task_lines(job.task, job.head.fullname, detail.source))
    if detail.dataflow is not None:
        yield from ("", "")
        yield from indent(dataflow_lines(detail.dataflow))


def call_lines(detail: CallDetail) -> Iterator[str]:
    """All of a call that no job in sight made."""
    yield f"CallNode {detail.call.hex()} {one_line(detail.asked.fullname)}"
    yield from indent(tags_lines(detail.tags))
    yield f"  Args:   {format_arguments(detail.asked.arguments)}"
    yield f"  Result: {one_line(detail.result.text)}"
    yield ""
    yield from _task_lines(detail.asked.task, detail.asked.fullname, detail.source)
    yield from ("", "")
    yield from dataflow_lines(detail.dataflow)


def eval_lines(detail: EvalDetail, tz: tzinfo | None = None) -> Iterator[str]:
    """What a task was asked, and the outcomes on record."""
    asked = detail.asked
    yield f"Eval {asked.oid.hex()} {one_line(asked.fullname)}"
    yield f"  Task: {asked.task.hex()}"
    for argument in asked.arguments:
        yield f"  {argument.name} = <{short(argument.value.oid)}> {one_line(argument.value.text)}"
    yield ""
    yield f"Outcomes: {len(detail.outcomes)}"
    for end_us, target, kind in detail.outcomes:
        yield f"  {format_time(end_us, tz)} {kind_name(kind)} {target.hex()}"


def file_lines(detail: FileDetail, tz: tzinfo | None = None) -> Iterator[str]:
    """All of a file: who made it and how, who read it, and which other versions there are."""
    yield file_line(detail.file, tz)
    yield from tags_lines(detail.tags)
    if detail.writer is not None:
        yield f"Produced by Job {detail.writer.job.head.id[:8]}"
        yield ""
        yield from indent(job_lines(detail.writer, tz))
    if detail.readers and detail.writer is None:
        yield from ("", "Read by:")
        yield from indent(job_line(job, tz) for job in detail.readers)
    if detail.versions:
        yield from ("", "Other versions:")
        yield from indent(file_line(version, tz) for version in detail.versions)


def task_detail_lines(detail: TaskDetail, tz: tzinfo | None = None) -> Iterator[str]:
    """A task, its source and its newest jobs."""
    yield from _task_lines(detail.oid, detail.fullname, detail.source, detail.tags)
    if detail.jobs:
        yield from ("", "Newest jobs:")
        yield from indent(job_line(job, tz) for job in detail.jobs)


def value_lines(detail: ValueDetail, tz: tzinfo | None = None) -> Iterator[str]:
    """A value, who returned it, who was given it, and where it came from."""
    yield f"Value {detail.value.oid.hex()}"
    yield from indent(tags_lines(detail.tags))
    yield f"  {one_line(detail.value.text)}"
    for title, jobs in (("Returned by:", detail.returned_by), ("Given to:", detail.given_to)):
        if jobs:
            yield from ("", title)
            yield from indent(job_line(job, tz) for job in jobs)
    if detail.dataflow is not None:
        yield from ("", "")
        yield from dataflow_lines(detail.dataflow)


def _outcome_lines(job: JobView) -> Iterator[str]:
    """What a job was asked and what came of it."""
    name = one_line(job.head.fullname)
    if job.call is not None:
        yield f"CallNode {job.call.hex()} {name}"
    elif job.eval is not None:
        yield f"Eval {job.eval.hex()} {name}"
    yield f"  Args:   {format_arguments(job.arguments)}"
    if job.result is not None:
        yield f"  Result: {one_line(job.result.text)}"
    if job.error is not None:
        yield f"  Error:  {one_line(job.error.text)}"
        yield from indent((one_line(line) for line in job.error.trace), 4)


def _task_lines(task: bytes, fullname: str, source: SourceView | None, tags: Sequence[TagView] = ()) -> Iterator[str]:
    """A task's hash and name, its tags where they are given, and its text as it was written."""
    yield f"Task {task.hex()} {one_line(fullname)}"
    yield from tags_lines(tags)
    if source is not None:
        yield ""
        yield from indent(printable(source.text).rstrip("\n").split("\n"))


def value_line(value: ValueView) -> str:
    """``Value 72b90d3e 'prog'``."""
    return f"Value {short(value.oid)} {cut(one_line(value.text), MAX_ARGUMENTS)}"


def call_line(call: bytes, fullname: str) -> str:
    """``CallNode 1f0f2f6c ns.link``."""
    return f"CallNode {short(call)} {one_line(fullname)}"


def task_line(task: bytes, fullname: str) -> str:
    """``Task a20ef6dc ns.link``."""
    return f"Task {short(task)} {one_line(fullname)}"


def file_line(file: FileView, tz: tzinfo | None = None) -> str:
    """``File 2b6a7ce0 2021-06-18 11:41:42 r  lib.c``."""
    time = format_time(file.first_us, tz) if file.first_us else "-" * 19
    return f"File {short(file.oid)} {time} {file.mode:<2} {one_line(file.path)}"


def dataflow_lines(flow: Dataflow) -> Iterator[str]:
    """Where a value came from, section by section."""
    yield "Upstream dataflow:"
    yield ""
    yield f"  {flow.result.name} = {one_line(flow.result.value.text)}"
    for section in flow.sections:
        yield ""
        yield from indent(_section_lines(section))
    if flow.is_cut:
        yield ""
        yield f"  ... the rest is left out after {len(flow.sections)} variables"


def format_arguments(arguments: Sequence[ArgumentView]) -> str:
    """Return arguments as they stand in a call: without their names, but for those that only a name can tell."""
    parts: list[str] = []
    is_after_rest = False
    for argument in arguments:
        text = one_line(argument.value.text)
        # What follows *args was given by name: a bare value would read as one more of them.
        parts.append(f"{argument.name}={text}" if is_after_rest and isinstance(argument.name, str) else text)
        is_after_rest = is_after_rest or isinstance(argument.name, int)
    return ", ".join(parts)


def _status_and_time(head: JobHead, tz: tzinfo | None) -> str:
    return f"{format_status(head.state.value)} {format_time(head.start_us, tz)}"


def _format_trace(detail: JobDetail) -> str:
    """``Exec 4a2b624d > (1 Job) > Job 2f8b4b5f make_prog > Job a8b21ec0 link``."""
    head = detail.job.head
    jobs = [*detail.parents, (head.id, head.fullname)]
    hidden = max(0, len(jobs) - _TRACE_TAIL)
    parts = [f"Exec {head.execution_id[:8]}"]
    if hidden:
        parts.append(f"({hidden} Job{'s' if hidden > 1 else ''})")
    parts += [f"Job {id[:8]} {_short_name(task)}" for id, task in jobs[hidden:]]
    return " > ".join(parts)


def _section_lines(section: Section) -> Iterator[str]:
    margin = section.name
    for step in section.steps:
        yield f"{margin} <-- {_format_step(step)}"
        margin = " " * len(section.name)
    width = max((len(variable.name) for variable in section.variables), default=0)
    for variable in section.variables:
        value = variable.value
        yield f"  {variable.name:<{width}} = <{short(value.oid)}> {one_line(value.text)}"
    if section.omitted:
        yield f"  ... and {section.omitted} more"


def _format_step(step: Step) -> str:
    if step.kind is StepKind.UNKNOWN:
        return "not on record"
    if step.oid is None:
        return str(step.kind.value)
    call = f"<{short(step.oid)}> {_short_name(step.fullname)}({', '.join(step.parameters)})"
    return call if step.kind is StepKind.CALL else f"{step.kind.value} {call}"


def _short_name(fullname: str) -> str:
    return one_line(fullname.rpartition(".")[2])
