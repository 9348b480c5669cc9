"""What each kind of node says: its fields, its links by the part they play, and its text where it has one.

The invariant: every link of a node is named, in order.  Formats: docs/format/object.md, docs/format/expression.md.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from redun.hashing import Oid
from redun.objects.call_records import CallRecord, EvalRecord, ExpressionRecord, ReductionRecord
from redun.objects.codec import Node
from redun.objects.execution_records import ExecutionRecord, JobRow, JobsRecord, JobStatus, RunSubject, TagRecord
from redun.objects.ids import format_id
from redun.objects.kinds import Kind
from redun.objects.oid import short
from redun.objects.task_records import SourceRecord, TaskRecord, UnitRecord
from redun.objects.value_records import FileRecord, HandleForm, HandleRecord, ValueRecord


class Field(NamedTuple):
    """One field of a node's body: text, number, boolean, None, or a list of these."""

    name: str
    value: Any


class Description(NamedTuple):
    """A node's fields, its links with the part each plays, and its text."""

    fields: tuple[Field, ...]
    links: list[tuple[str, Oid]]
    text: str = ""


def describe_node(node: Node) -> Description:
    """Describe a node; one of a kind that this version does not know is described without names.

    Raises:
        BadBody: the node does not fit its kind.
    """
    return _DESCRIBE.get(node.kind, _describe_unknown)(node)


def _describe_unknown(node: Node) -> Description:
    links = [(f"link {index}", link) for index, link in enumerate(node.links)]
    return Description((Field("body", repr(node.body)),), links)


def _describe_file(node: Node) -> Description:
    record = FileRecord.decode(node)
    fields = (
        Field("path", record.path),
        Field("scheme", record.scheme),
        Field("digest", record.digest.hex()),
        Field("content_size", record.size),
    )
    return Description(fields, [("content", link) for link in node.links])


def _describe_handle(node: Node) -> Description:
    record = HandleRecord.decode(node)
    names = {HandleForm.ROOT: ("class", "name"), HandleForm.FORK: ("key",), HandleForm.CALLED: ("call",)}
    fields = [Field("form", record.form.name.lower()), *map(Field, names.get(record.form, ()), record.texts)]
    parts = ["arguments"] if record.form is HandleForm.ROOT else ["root", *(["parent"] * len(record.parents))]
    return Description(tuple(fields), list(zip(parts, record.links)))


def _describe_unit(node: Node) -> Description:
    record = UnitRecord.decode(node)
    fields = (Field("kind", record.unit_kind), Field("name", record.name), Field("digest", record.digest.hex()))
    return Description(fields, [])


def _describe_task(node: Node) -> Description:
    record = TaskRecord.decode(node)
    digest = record.digest.hex() if record.digest is not None else None
    fields = (
        Field("name", record.fullname),
        Field("version", record.version),
        Field("digest", digest),
        Field("hash_includes", [include.hex() for include in record.includes]),
    )
    return Description(fields, [("unit", unit) for unit in record.units])


def _describe_value(node: Node) -> Description:
    record = ValueRecord.decode(node)
    links = [(f"part {index}", link) for index, link in enumerate(record.links)]
    return Description((Field("type", record.type_name), Field("codec", record.codec)), links)


def _describe_source(node: Node) -> Description:
    record = SourceRecord.decode(node)
    fields = (Field("module", record.module), Field("line", record.line))
    return Description(fields, [("subject", record.subject)], record.text)


def _describe_eval(node: Node) -> Description:
    record = EvalRecord.decode(node)
    links = [("task", record.task), *((f"argument {name}", arg) for name, arg in zip(record.names, record.args))]
    return Description((Field("salt", record.salt.hex() if record.salt is not None else None),), links)


def _describe_reduction(node: Node) -> Description:
    record = ReductionRecord.decode(node)
    links = [("eval", record.eval), ("outcome", record.outcome), *(("produced", oid) for oid in record.produced)]
    return Description((Field("executable", list(record.executable)),), links)


def _describe_call(node: Node) -> Description:
    record = CallRecord.decode(node)
    summary = record.summary
    links = [("eval", record.eval), ("result", record.result)]
    if record.reduction is not None:
        links.append(("reduction", record.reduction))
    links += [("child", child) for child in record.children]
    links += [(f"upstream of argument {index}", call) for index, calls in record.upstreams for call in calls]
    links += [("task below", task) for task in summary.tasks]
    links += [("external", external) for external in summary.externals]
    fields = (
        Field("reusable", summary.is_reusable),
        Field("produced", [summary.externals[code >> 1].hex() for code in summary.produced]),
        Field("own_produced", [summary.externals[code >> 1].hex() for code in record.own_produced]),
    )
    return Description(fields, links)


def _describe_jobs(node: Node) -> Description:
    record = JobsRecord.decode(node)
    fields = (
        Field("execution", format_id(record.execution_id)),
        Field("epoch_us", record.epoch_us),
        Field("columns", ["number", "parent", "status", "task", "start_us", "duration_us", "executor", "attempt"]),
        Field("rows", [_list_columns(row) for row in record.rows]),
    )
    links: list[tuple[str, Oid]] = []
    for row in record.rows:
        asked = _ASKED.get(row.status) or f"eval of {row.number}"
        links += [(asked, row.eval)] if row.eval is not None else []
        links += [(f"outcome of {row.number}", row.outcome)] if row.outcome is not None else []
    return Description(fields, links)


_ASKED = {JobStatus.CONTESTED: "task contested", JobStatus.HANDLE: "handle", JobStatus.TAKEN: "eval"}
"""What stands in the place of the eval in a row that is no job."""


def _list_columns(row: JobRow) -> list[Any]:
    head = [row.number, row.parent, row.status.name.lower(), row.task]
    return [*head, row.start_us, row.duration_us, row.executor, row.attempt]


def _describe_expression(node: Node) -> Description:
    record = ExpressionRecord.decode(node)
    lines = [f"#{index} = {_format_step(step, record.links)}" for index, step in enumerate(record.steps)]
    return Description((), [("value", link) for link in record.links], "\n".join(lines))


def _format_step(step: Any, links: list[Oid]) -> str:
    """Write one step as Python would, ``#n`` standing for an earlier step; what has not a known form, as it is."""
    try:
        if step[0] == 0:
            return f"<{short(links[step[1]])}>"
        if step[0] in (1, 2):
            arguments = [f"#{arg}" for arg in step[2]] + [f"{name}=#{arg}" for name, arg in zip(step[3], step[4])]
            return f"{step[1]}({', '.join(arguments)})"
        return f"{step[1]}({', '.join(f'#{item}' for item in step[3])})"
    except (IndexError, TypeError):
        return repr(step)


def _describe_tag(node: Node) -> Description:
    record = TagRecord.decode(node)
    fields = (Field("key", record.key), Field("value", record.value), Field("deleted", record.is_deleted))
    parents = [("parent", parent) for parent in record.parents]
    if isinstance(record.subject, RunSubject):
        execution_id, number = record.subject
        about = (Field("execution", format_id(execution_id)), *([Field("job", number)] if number else []))
        return Description((*about, *fields), parents)
    return Description(fields, [("subject", record.subject), *parents])


def _describe_execution(node: Node) -> Description:
    record = ExecutionRecord.decode(node)
    fields = (
        Field("execution", format_id(record.execution_id)),
        Field("argv", list(record.argv)),
        Field("status", record.status.name),
        Field("start_us", record.start_us),
        Field("end_us", record.end_us),
        Field("user", record.user),
        Field("host", record.host),
        Field("versions", [list(pair) for pair in record.versions]),
    )
    links = [("root", record.root)] if record.root is not None else []
    links += [("jobs", oid) for oid in record.jobs]
    links += [("source", oid) for oid in record.sources]
    links += [("tag", oid) for oid in record.tags]
    return Description(fields, links)


_DESCRIBE: dict[int, Callable[[Node], Description]] = {
    Kind.FILE: _describe_file,
    Kind.HANDLE: _describe_handle,
    Kind.UNIT: _describe_unit,
    Kind.TASK: _describe_task,
    Kind.VALUE: _describe_value,
    Kind.SOURCE: _describe_source,
    Kind.EVAL: _describe_eval,
    Kind.EXPRESSION: _describe_expression,
    Kind.REDUCTION: _describe_reduction,
    Kind.CALL: _describe_call,
    Kind.JOBS: _describe_jobs,
    Kind.TAG: _describe_tag,
    Kind.EXECUTION: _describe_execution,
}
