"""Tasks of a script as `redun run SCRIPT help`, `... TASK help` and `... TASK info` print them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import Enum
from typing import Any

from redun.cli.docstrings import parse_docstring
from redun.cli.params import parameters_of, usage_of
from redun.cli.render.text import cut, one_line, printable
from redun.task import Task

MAX_UNITS = 50
"""So many pieces of source that a task's hash covers are listed."""
_MAX_OPTION = 200


def task_list_lines(module_name: str, tasks: Sequence[Task[..., Any]]) -> Iterator[str]:
    """Each task with the first line of its docstring."""
    yield f"Tasks of {module_name}:"
    width = max((len(task.fullname) for task in tasks), default=0)
    for task in tasks:
        yield f"  {task.fullname:<{width}}  {parse_docstring(task.visible_func.__doc__).summary}".rstrip()
    if not tasks:
        yield "  none"


def task_help_lines(task: Task[..., Any]) -> Iterator[str]:
    """Usage, docstring, and each argument with its default and what the docstring says of it."""
    doc = parse_docstring(task.visible_func.__doc__)
    yield from (usage_of(task), "", task.fullname)
    if doc.body:
        yield ""
        yield from (f"  {line}".rstrip() for line in doc.body)
    yield from ("", "Arguments:")
    parameters = parameters_of(task)
    for parameter in parameters:
        default = "required" if parameter.is_required else f"default {parameter.shown_default}"
        yield f"  {parameter.flag} {parameter.metavar}  ({default})"
        if text := doc.parameters.get(parameter.name):
            yield f"      {text}"
    if not parameters:
        yield "  none"


def task_info_lines(task: Task[..., Any]) -> Iterator[str]:
    """A task's record: its hash, what that covers, its options, and its source."""
    sources = task.sources()
    yield f"Task {task.fullname}"
    yield f"hash: {task.hash}"
    if task.version is not None:
        yield f"version: {task.version}"
    code = getattr(task.func, "__code__", None)
    if code is not None:
        yield f"defined: {code.co_filename}:{code.co_firstlineno}"
    yield f"signature: {task.name}{task.signature}"
    options = {**task.get_task_options()}
    for name, value in sorted(options.items()):
        yield f"option {name}: {cut(one_line(_show(value)), _MAX_OPTION)}"
    units = sorted({f"{unit.record.unit_kind} {unit.record.name}" for unit in task.units()})
    if units:
        yield f"uses: {len(units)}"
        yield from (f"  {unit}" for unit in units[:MAX_UNITS])
        if len(units) > MAX_UNITS:
            yield f"  ... and {len(units) - MAX_UNITS} more"
    if sources:
        yield ""
        yield from printable(task.source).rstrip("\n").split("\n")


def _show(value: Any) -> str:
    return str(value.value) if isinstance(value, Enum) else repr(value)
