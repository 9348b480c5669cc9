"""Nodes of evaluation: a call's cache key, what its function returned, its result.  Format: docs/format/object.md."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from redun.hashing import Oid
from redun.objects.codec import Encoded, Node, encode_node
from redun.objects.decoding import Cutter, checked
from redun.objects.kinds import Kind


class EvalRecord(NamedTuple):
    """The cache key of a call, stored: its oid is the eval hash."""

    task: Oid
    args: list[Oid]
    names: list[str | int]  # one per arg: the parameter's name, or its index among *args
    salt: bytes | None

    def encode(self) -> Encoded:
        return encode_eval(self.task, self.args, self.names, self.salt)

    @classmethod
    @checked(Kind.EVAL)
    def decode(cls, node: Node) -> EvalRecord:
        names, salt = node.body
        task, *args = node.links
        if len(names) != len(args):
            raise ValueError(f"{len(names)} names for {len(args)} arguments")
        return cls(task, args, names, salt)


def encode_eval(task: Oid, args: Sequence[Oid], names: Sequence[str | int], salt: bytes | None = None) -> Encoded:
    """Encode an eval without building its record: this runs once per job, cached or not."""
    return encode_node(Kind.EVAL, [task, *args], [names, salt])


class ExpressionRecord(NamedTuple):
    """An unevaluated expression, flattened: see docs/format/expression.md for the steps."""

    steps: list[Any]
    links: list[Oid]

    def encode(self) -> Encoded:
        return encode_node(Kind.EXPRESSION, self.links, self.steps)

    @classmethod
    @checked(Kind.EXPRESSION)
    def decode(cls, node: Node) -> ExpressionRecord:
        if type(node.body) is not list:
            raise ValueError("expected a list of steps")
        return cls(node.body, node.links)


class ReductionRecord(NamedTuple):
    """What one call of a task's function returned, before it was reduced further."""

    eval: Oid
    outcome: Oid  # a value or an expression
    produced: list[Oid]  # files named in the outcome that this very function run wrote
    executable: list[bool]  # one per produced file: may its owner execute it

    def encode(self) -> Encoded:
        return encode_node(Kind.REDUCTION, [self.eval, self.outcome, *self.produced], self.executable)

    @classmethod
    @checked(Kind.REDUCTION)
    def decode(cls, node: Node) -> ReductionRecord:
        eval_oid, outcome, *produced = node.links
        if len(node.body) != len(produced):
            raise ValueError("one executable flag per produced file")
        return cls(eval_oid, outcome, produced, node.body)


def produced_code(index: int, *, is_executable: bool) -> int:
    """Return how a call writes down that the external at ``index`` was produced: the low bit says executable.

    Whether a restored file must be executable is no part of the file's identity, so the producing call keeps it.
    """
    return 2 * index + is_executable


class SubtreeSummary(NamedTuple):
    """What must still hold for a call and everything below it to be reused in one step.

    The call's own task stands in its eval and is not repeated in ``tasks``.
    """

    is_reusable: bool  # False: something below forbids it, or the summary grew too long; ask each child
    tasks: list[Oid]  # distinct hashes of tasks called below, or named by a result or reduction here or below; sorted
    externals: list[Oid]  # distinct files and handles in any result or reduction here or below, sorted
    produced: list[int]  # codes of the externals that this call or one below it wrote, ascending


EMPTY_SUMMARY = SubtreeSummary(is_reusable=True, tasks=[], externals=[], produced=[])
"""The summary of a call that made no calls and named no files: of most calls.  Nobody may change its lists."""
_LEAF_BODY: list[Any] = [False, 0, [], True, 0, [], []]


class CallRecord(NamedTuple):
    """A finished call.  Its oid is the call hash."""

    eval: Oid
    result: Oid
    reduction: Oid | None  # None: the function's return value is the result itself
    children: list[Oid]  # calls made below this one, in order
    upstreams: list[tuple[int, list[Oid]]]  # (argument index, the calls that its value came from)
    summary: SubtreeSummary
    own_produced: list[int]  # the codes among summary.produced of files that this very call wrote

    def encode(self) -> Encoded:
        links = [self.eval, self.result]
        if self.reduction is not None:
            links.append(self.reduction)
        links += self.children
        for _, calls in self.upstreams:
            links += calls
        summary = self.summary
        links += summary.tasks
        links += summary.externals
        body = [
            self.reduction is not None,
            len(self.children),
            [[index, len(calls)] for index, calls in self.upstreams],
            summary.is_reusable,
            len(summary.tasks),
            summary.produced,
            self.own_produced,
        ]
        return encode_node(Kind.CALL, links, body)

    @classmethod
    @checked(Kind.CALL)
    def decode(cls, node: Node) -> CallRecord:
        # 0 and 1 equal False and True, so two items are looked at for what they are.
        if len(node.links) == 2 and node.body == _LEAF_BODY and node.body[0] is False and node.body[3] is True:
            return cls(node.links[0], node.links[1], None, [], [], EMPTY_SUMMARY, [])
        has_reduction, n_children, upstream_counts, is_reusable, n_tasks, produced, own_produced = node.body
        cut = Cutter(node.links)
        eval_oid, result = cut.take(2)
        reduction = cut.take(1)[0] if has_reduction else None
        children = cut.take(n_children)
        upstreams = [(index, cut.take(count)) for index, count in upstream_counts]
        tasks = cut.take(n_tasks)
        externals = cut.rest()
        if any(not 0 <= code >> 1 < len(externals) for code in (*produced, *own_produced)):
            raise ValueError("a produced file lies outside the externals")
        summary = SubtreeSummary(is_reusable, tasks, externals, produced)
        return cls(eval_oid, result, reduction, children, upstreams, summary, own_produced)
