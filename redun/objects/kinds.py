"""The kinds of node: which links and which body each one has.  Normative page: docs/format/object.md.

Records are named tuples, not dataclasses: an eval and a call are built for every job, and a named tuple costs a third
of a frozen dataclass to make (0.35 against 1.1 us).  ``encode`` gives an oid and canonical bytes; ``X.decode`` takes a
``Node`` and raises ``BadBody`` for anything that does not fit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import IntEnum
from functools import wraps
from typing import Any, NamedTuple, TypeVar

from redun.errors import ObjectError
from redun.hashing import Oid
from redun.objects.codec import Node, encode_node

Encoded = tuple[Oid, bytes]


class Kind(IntEnum):
    """What an object is.  The numbers are part of the format; a kind mostly links to kinds below it."""

    BLOB = 0  # raw bytes; the only kind that is not a node
    FILE = 1
    HANDLE = 2
    UNIT = 3
    TASK = 4
    VALUE = 5
    SOURCE = 6
    EVAL = 7
    EXPRESSION = 8
    REDUCTION = 9
    CALL = 10
    JOBS = 11
    TAG = 12
    EXECUTION = 13


VALUE_KINDS = frozenset({Kind.FILE, Kind.HANDLE, Kind.TASK, Kind.VALUE})
"""Kinds that a task can take or return: each of them is named by a value hash."""

SOFT_LINK_KINDS = frozenset({Kind.FILE})
"""Kinds whose links may point at nothing: a file's content is kept or not, and its identity must not tell which."""


class BadBody(ObjectError):
    """A node of a known kind has links or a body that its kind does not allow."""


_Decode = TypeVar("_Decode", bound=Callable[..., Any])


def _checked(kind: Kind) -> Callable[[_Decode], _Decode]:
    """Refuse nodes of another kind, and turn whatever a malformed one makes ``decode`` raise into BadBody."""

    def wrap(decode: _Decode) -> _Decode:
        @wraps(decode)
        def checked(cls: Any, node: Node) -> Any:
            if node.kind != kind:
                raise BadBody(f"expected a node of kind {kind.name.lower()}, found kind {node.kind}")
            try:
                return decode(cls, node)
            except (TypeError, ValueError, IndexError, AttributeError) as error:
                raise BadBody(f"malformed {kind.name.lower()}: {error}") from None

        return checked  # type: ignore[return-value]

    return wrap


class FileRecord(NamedTuple):
    """A file as somebody named it: its path as written, and what identifies its content."""

    path: str
    scheme: str  # "blake3": digest is the oid of the content; others are opaque tokens of a file system
    digest: bytes
    size: int | None  # bytes; None where the file system does not tell
    type_name: str = ""  # of the class it is read back as; empty for File itself

    def encode(self) -> Encoded:
        path, tail = _encode_path(self.path), [self.type_name] if self.type_name else []
        if self.scheme == CONTENT_SCHEME:
            return encode_node(Kind.FILE, [Oid(self.digest)], [path, self.scheme, None, self.size, *tail])
        return encode_node(Kind.FILE, [], [path, self.scheme, self.digest, self.size, *tail])

    @classmethod
    @_checked(Kind.FILE)
    def decode(cls, node: Node) -> FileRecord:
        path, scheme, digest, size, *tail = node.body
        if scheme == CONTENT_SCHEME:
            (digest,) = node.links
        if tail and not (len(tail) == 1 and type(tail[0]) is str and tail[0]):
            raise ValueError(f"expected the type name of a class of files, found {tail!r}")
        return cls(_decode_path(path), scheme, digest, size, *tail)


def _encode_path(path: str) -> str | bytes:
    """Return a path's text; the bytes of one that is not UTF-8, which Python spells with lone surrogates."""
    try:
        path.encode()
    except UnicodeEncodeError:
        try:
            return path.encode("utf-8", "surrogateescape")
        except UnicodeEncodeError:
            return path  # no path on disk; the codec refuses it
    return path


def _decode_path(path: str | bytes) -> str:
    if type(path) is bytes:
        text = path.decode("utf-8", "surrogateescape")
        if _encode_path(text) != path:
            raise ValueError("a path in UTF-8 must be text")
        return text
    if type(path) is not str:
        raise TypeError(f"expected a path, found {path!r}")
    return path


CONTENT_SCHEME = "blake3"
ABSENT_SCHEME = "absent"
"""The scheme of a file that was not there when it was hashed; its digest is empty."""


class HandleForm(IntEnum):
    """How a state of a handle came about; the numbers are part of the format."""

    ROOT = 0  # by its constructor
    FORK = 1  # as a branch
    CALLED = 2  # by a call of a task
    MERGED = 3  # from branches


class HandleRecord(NamedTuple):
    """One state of a handle: docs/format/handle.md."""

    form: HandleForm
    links: list[Oid]  # of a root its arguments, else the root and then the parents
    texts: list[str]  # class type name and full name, key, call, nothing: as the form has it

    @property
    def parents(self) -> list[Oid]:
        """The states that it was made from."""
        return [] if self.form is HandleForm.ROOT else self.links[1:]

    def encode(self) -> Encoded:
        return encode_node(Kind.HANDLE, self.links, [int(self.form), *self.texts])

    @classmethod
    @_checked(Kind.HANDLE)
    def decode(cls, node: Node) -> HandleRecord:
        form, *texts = node.body
        record = cls(HandleForm(form), node.links, texts)
        has_links = len(node.links) >= 3 if record.form is HandleForm.MERGED else len(node.links) == _N_LINKS[form]
        if not has_links or len(texts) != _N_TEXTS[form] or any(type(text) is not str for text in texts):
            raise ValueError(f"{len(node.links)} links and {len(texts)} texts for a handle of form {form}")
        return record


_N_LINKS, _N_TEXTS = (1, 2, 2), (2, 1, 1, 0)


class UnitRecord(NamedTuple):
    """One piece of source that a task uses: a function, a class or a constant, by its digest."""

    unit_kind: str  # "function", "class", "constant", "assignment"
    name: str  # module.qualname
    digest: bytes

    def encode(self) -> Encoded:
        return encode_node(Kind.UNIT, [], list(self))

    @classmethod
    @_checked(Kind.UNIT)
    def decode(cls, node: Node) -> UnitRecord:
        return cls(*node.body)


class TaskRecord(NamedTuple):
    """A task: its full name and what its hash covers.  Its oid is the task hash."""

    fullname: str
    version: str | None  # when set, it stands for the source
    digest: bytes | None  # of the function's own normalized syntax tree, when there is no version
    includes: list[Oid]  # value hashes given as hash_includes, sorted
    units: list[Oid]  # every unit it uses, directly or through others, sorted by name

    def encode(self) -> Encoded:
        return encode_node(Kind.TASK, self.units, [self.fullname, self.version, self.digest, self.includes])

    @classmethod
    @_checked(Kind.TASK)
    def decode(cls, node: Node) -> TaskRecord:
        fullname, version, digest, includes = node.body
        return cls(fullname, version, digest, includes, node.links)


class ValueRecord(NamedTuple):
    """A Python value.  ``links`` are the nested Values and the parts that stand alone, in order of appearance."""

    type_name: str
    codec: str  # "data" structural, "pickle", or the name of a registered codec
    payload: Any
    links: list[Oid]

    def encode(self) -> Encoded:
        return encode_node(Kind.VALUE, self.links, [self.type_name, self.codec, self.payload])

    @classmethod
    @_checked(Kind.VALUE)
    def decode(cls, node: Node) -> ValueRecord:
        type_name, codec, payload = node.body
        return cls(type_name, codec, payload, node.links)


class SourceRecord(NamedTuple):
    """The text of a task or unit as it was written, for people; part of no key."""

    subject: Oid
    text: str
    module: str
    line: int

    def encode(self) -> Encoded:
        return encode_node(Kind.SOURCE, [self.subject], [self.text, self.module, self.line])

    @classmethod
    @_checked(Kind.SOURCE)
    def decode(cls, node: Node) -> SourceRecord:
        (subject,) = node.links
        return cls(subject, *node.body)


class EvalRecord(NamedTuple):
    """The cache key of a call, stored: its oid is the eval hash."""

    task: Oid
    args: list[Oid]
    names: list[str | int]  # one per arg: the parameter's name, or its index among *args
    salt: bytes | None

    def encode(self) -> Encoded:
        return encode_eval(self.task, self.args, self.names, self.salt)

    @classmethod
    @_checked(Kind.EVAL)
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
    @_checked(Kind.EXPRESSION)
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
    @_checked(Kind.REDUCTION)
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
    @_checked(Kind.CALL)
    def decode(cls, node: Node) -> CallRecord:
        # 0 and 1 equal False and True, so two items are looked at for what they are.
        if len(node.links) == 2 and node.body == _LEAF_BODY and node.body[0] is False and node.body[3] is True:
            return cls(node.links[0], node.links[1], None, [], [], EMPTY_SUMMARY, [])
        has_reduction, n_children, upstream_counts, is_reusable, n_tasks, produced, own_produced = node.body
        cut = _Cutter(node.links)
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


class JobStatus(IntEnum):
    """How a job stood when its row was written; the numbers are part of the format."""

    REDUCED = 0  # its function has run and returned an expression that is still being reduced
    DONE = 1
    CACHED = 2
    FAILED = 3
    STEPPED = 4  # its reduction was reused and its children asked one by one
    CONTESTED = 5  # no job: the task in the place of the eval has an eval with two different results; the newer call
    UNSURE = 6  # done, but a file it was given changed while it ran: the result may fit neither content
    HANDLE = (
        7  # no job: the state of a handle in the place of the outcome was run on, or reached; a root is in the eval's
    )
    TAKEN = 8  # no job: elsewhere the eval came to this outcome, at the end of the row; a run took it from a remote


CANDIDATE_STATUSES = frozenset(
    {JobStatus.REDUCED, JobStatus.DONE, JobStatus.STEPPED, JobStatus.CONTESTED, JobStatus.HANDLE, JobStatus.TAKEN}
)
"""Rows of these statuses, when they have an eval and an outcome, are recorded outcomes: they enter the eval table."""


class JobRow(NamedTuple):
    """One job in a batch.  A later row of the same number in the same execution takes its place."""

    number: int  # counted from 1 within the execution; job ids derive from it
    parent: int  # 0 for the root job
    start_us: int  # microseconds since the execution's start
    duration_us: int
    status: JobStatus
    executor: str
    attempt: int  # 1 for the first
    eval: Oid | None  # None: it failed before its arguments were known
    outcome: Oid | None  # call (DONE, CACHED), reduction (REDUCED), error value (FAILED)
    task: str  # full name


class JobsRecord(NamedTuple):
    """A batch of job rows of one execution."""

    execution_id: bytes  # the 16 bytes of its uuid
    epoch_us: int  # the execution's start, microseconds since 1970 UTC
    rows: list[JobRow]

    def encode(self) -> Encoded:
        links: list[Oid] = []
        names: dict[str, int] = {}
        columns: list[list[int]] = [[], [], [], [], [], [], [], [], []]
        numbers, parents, starts, durations, statuses, executors, attempts, shapes, tasks = columns
        last_number = last_start = 0
        for row in self.rows:
            # Differences repeat where absolute numbers grow, and what repeats costs nothing once compressed.
            numbers.append(row.number - last_number)
            parents.append(row.number - row.parent)
            starts.append(row.start_us - last_start)
            last_number, last_start = row.number, row.start_us
            durations.append(row.duration_us)
            statuses.append(int(row.status))
            executors.append(names.setdefault(row.executor, len(names)))
            attempts.append(row.attempt)
            tasks.append(names.setdefault(row.task, len(names)))
            shapes.append((row.eval is not None) + 2 * (row.outcome is not None))
            if row.eval is not None:
                links.append(row.eval)
            if row.outcome is not None:
                links.append(row.outcome)
        return encode_node(Kind.JOBS, links, [self.execution_id, self.epoch_us, list(names), columns])

    @classmethod
    @_checked(Kind.JOBS)
    def decode(cls, node: Node) -> JobsRecord:
        execution_id, epoch_us, names, columns = node.body
        rows: list[JobRow] = []
        cut = _Cutter(node.links)
        number = start = 0
        if len({len(column) for column in columns}) != 1:
            raise ValueError("columns of different lengths")
        for step, up, later, duration, status, executor, attempt, shape, task in zip(*columns):
            number += step
            start += later
            eval_oid = cut.take(1)[0] if shape & 1 else None
            outcome = cut.take(1)[0] if shape & 2 else None
            rows.append(
                JobRow(
                    number,
                    number - up,
                    start,
                    duration,
                    JobStatus(status),
                    names[executor],
                    attempt,
                    eval_oid,
                    outcome,
                    names[task],
                )
            )
        return cls(execution_id, epoch_us, rows)


class RunSubject(NamedTuple):
    """An execution, or one of its jobs, as what a tag is about: neither is an object that a tag could link to.

    An execution links to its tags, so they cannot link to it; and jobs share one object a batch.
    """

    execution_id: bytes  # the 16 bytes of its uuid
    job_number: int  # counted from 1; 0 for the execution itself


class TagRecord(NamedTuple):
    """A key=value annotation.  An edit names the tags it replaces as parents: docs/format/tag.md."""

    subject: Oid | RunSubject
    parents: list[Oid]
    key: str
    value: str  # canonical JSON
    is_deleted: bool

    def encode(self) -> Encoded:
        body: list[Any] = [self.key, self.value, self.is_deleted]
        if isinstance(self.subject, RunSubject):
            return encode_node(Kind.TAG, self.parents, [*body, *self.subject])
        return encode_node(Kind.TAG, [self.subject, *self.parents], body)

    @classmethod
    @_checked(Kind.TAG)
    def decode(cls, node: Node) -> TagRecord:
        if len(node.body) == 3:
            subject, *parents = node.links
            return cls(subject, parents, *node.body)
        key, value, is_deleted, execution_id, number = node.body
        if len(execution_id) != 16 or number < 0:
            raise ValueError("expected the 16 bytes of an execution's uuid and a job's number")
        return cls(RunSubject(execution_id, number), node.links, key, value, is_deleted)


class ExecutionStatus(IntEnum):
    """How an execution ended; the numbers are part of the format."""

    DONE = 1
    FAILED = 2
    INTERRUPTED = 3  # Ctrl-C, or its process died


class ExecutionRecord(NamedTuple):
    """One ``redun run``: what was asked, by whom, how it ended and what it made."""

    execution_id: bytes
    argv: list[str]
    status: ExecutionStatus
    start_us: int  # microseconds since 1970 UTC
    end_us: int
    user: str
    host: str
    versions: list[list[str]]  # [name, version] pairs: redun, python
    root: Oid | None  # the root call; None when it was never completed
    jobs: list[Oid]
    sources: list[Oid]
    tags: list[Oid]

    def encode(self) -> Encoded:
        links = [*([] if self.root is None else [self.root]), *self.jobs, *self.sources, *self.tags]
        counts = [int(self.root is not None), len(self.jobs), len(self.sources), len(self.tags)]
        body = [
            self.execution_id,
            self.argv,
            int(self.status),
            self.start_us,
            self.end_us,
            self.user,
            self.host,
            self.versions,
            counts,
        ]
        return encode_node(Kind.EXECUTION, links, body)

    @classmethod
    @_checked(Kind.EXECUTION)
    def decode(cls, node: Node) -> ExecutionRecord:
        execution_id, argv, status, start_us, end_us, user, host, versions, counts = node.body
        n_root, n_jobs, n_sources, n_tags = counts
        cut = _Cutter(node.links)
        root = cut.take(1)[0] if n_root else None
        jobs, sources, tags = cut.take(n_jobs), cut.take(n_sources), cut.take(n_tags)
        head = (execution_id, argv, ExecutionStatus(status), start_us, end_us, user, host, versions)
        return cls(*head, root, jobs, sources, tags)


class _Cutter:
    """Takes links off the front of a list, and refuses to take more than there are."""

    def __init__(self, links: list[Oid]) -> None:
        self._links = links
        self._at = 0

    def take(self, count: int) -> list[Oid]:
        end = self._at + count
        if count < 0 or end > len(self._links):
            raise ValueError("fewer links than the body says")
        taken = self._links[self._at : end]
        self._at = end
        return taken

    def rest(self) -> list[Oid]:
        return self.take(len(self._links) - self._at)
