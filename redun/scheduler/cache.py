"""Whether a recorded outcome of a call may serve again.

Theory of operation.  The eval hash has candidates on record, newest first; the first that is valid now serves.  A call
made by a function that returned its result at once is valid when the files it named are as recorded, or can be put
back.  A call with others below it promises *the same outcome as stepping through every call below*.  Its subtree
summary allows to reuse it in one step when every task below is current and uncontested and all files below are as
recorded or can be put back.  Else the reduction is taken, and the scheduler asks each child, which comes here again.
The table of what happens to which file stands in docs/internals/files.md, with a test for each of its cells.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

from redun.errors import ObjectError, RedunError
from redun.expression_codec import ExpressionUndecodable, decode_expression
from redun.file.identity import PATH_SCHEME
from redun.file.restore import restore_file
from redun.file.state import FileState, check_file
from redun.hashing import Oid, hash_node
from redun.objects.call_records import CallRecord, EvalRecord, ExpressionRecord, ReductionRecord
from redun.objects.kinds import Kind
from redun.objects.oid import short
from redun.objects.task_records import TaskRecord
from redun.objects.value_records import CONTENT_SCHEME, FileRecord
from redun.scheduler.calling import encode_calling, may_be_passed_over
from redun.scheduler.summary import produced_files
from redun.scheduler.unread import find_unread
from redun.scheduler.validity import is_still_valid, must_be_asked
from redun.store.absent import ObjectAbsent
from redun.store.base import Candidate, ObjectCorrupt, ObjectMissing, ObjectStore
from redun.store.promised import ContentNotBrought
from redun.task.options import CacheResult
from redun.task.task import tasks_by_name
from redun.value.encoding import Encoded, ValueUndecodable, decode_value, encode_value

if TYPE_CHECKING:
    from redun.task.registry import TaskRegistry


class Hit(NamedTuple):
    """A recorded call that serves as it stands."""

    call: Oid
    record: CallRecord
    value: Any
    restored: list[str]  # paths of files that were put back


class Step(NamedTuple):
    """A recorded reduction that serves: the function need not run, its calls must be asked."""

    reduction: Oid
    expression: Any
    externals: list[Oid]
    produced: dict[Oid, bool]
    restored: list[str]
    plain: list[Any]  # the values in it
    encoded: list[Encoded]  # of those, as they are now


class Refused(RedunError):
    """A candidate cannot serve; the message says why."""


class _Restore(NamedTuple):
    record: FileRecord
    is_executable: bool


class Cache:
    """Looks calls up for one execution."""

    def __init__(
        self,
        store: ObjectStore,
        registry: TaskRegistry,
        warn: Callable[[str], None],
        find_fault: Callable[[Oid], str],
        *,
        restores: bool = True,
    ) -> None:
        """Make a cache.

        Args:
            store: where results are.
            registry: the tasks there are.
            warn: takes a message.
            find_fault: says why a state of a handle does not stand, an empty text when it does.
            restores: whether files are put back; else they are only named.
        """
        self._find_fault = find_fault
        self._restores = restores
        self._store = store
        self._registry = registry
        self._warn = warn
        self._current_tasks: dict[Oid, bool] = {}
        self._must_run: set[Oid] = set()  # current tasks that only a shallow check passes over
        self._contested_us: dict[Oid, int] = {}
        self._find_more: Callable[[Oid], list[Candidate]] | None = None

    def find_candidates(self, eval_oid: Oid) -> list[Candidate]:
        """Return what is on record for a call, newest first."""
        return self._store.find_candidates(eval_oid)

    def find(
        self,
        eval_oid: Oid,
        candidates: Iterable[Candidate],
        is_shallow: bool = False,
        is_async: bool = False,
        allowed: Collection[CacheResult] | None = None,
    ) -> tuple[Hit | Step | None, str]:
        """Return the first candidate that serves, or None and why the newest one does not.

        ``is_shallow``: files that only calls below name need not be as recorded.  ``is_async``: it cannot be stepped.
        ``allowed``: whether single reductions and whole calls serve at all; a call that made none is both.
        """
        why = ""
        for candidate in candidates:
            try:
                return self._try(eval_oid, candidate, is_shallow, is_async, allowed), ""
            except Refused as refusal:
                why = why or str(refusal)
            except (ObjectAbsent, ContentNotBrought) as error:
                why = why or str(error)  # somebody wanted it so, or it is elsewhere: no cause for a warning
            except (ObjectMissing, ObjectCorrupt) as error:
                self._warn(f"a recorded result cannot be used: {error}")
                why = why or str(error)
            except (ValueUndecodable, ExpressionUndecodable, ObjectError) as error:
                why = why or str(error)
        return None, why

    def find_whole(self, candidates: Iterable[Candidate]) -> list[Candidate]:
        """Return those among the recorded calls of a function that made the calls below itself which serve as they are.

        There is no reduction to step through: where the summary does not allow reuse, only running the function asks
        those calls.
        """
        found: list[Candidate] = []
        for candidate in candidates:
            with suppress(ObjectError):
                record = CallRecord.decode(self._store.get_node(candidate.target))
                if self._is_reusable(record, candidate.time_us):
                    found.append(candidate)
        return found

    def recorded_results(self, candidates: Iterable[Candidate]) -> set[Oid]:
        """Return the distinct results among the recorded calls; what cannot be read is passed over."""
        results: set[Oid] = set()
        for candidate in candidates:
            try:
                node = self._store.get_node(candidate.target)
                if node.kind == Kind.CALL:
                    results.add(CallRecord.decode(node).result)
            except ObjectError:
                continue
        return results

    def decode(self, value_oid: Oid) -> Any:
        """Return a recorded value; a large one unread."""
        node = self._store.get_node(value_oid)
        unread = find_unread(self._store, value_oid, node) if node.links else None
        return decode_value(value_oid, self._store.get, node=node) if unread is None else unread

    # -- one candidate

    def _try(
        self,
        eval_oid: Oid,
        candidate: Candidate,
        is_shallow: bool,
        is_async: bool,
        allowed: Collection[CacheResult] | None,
    ) -> Hit | Step:
        target = candidate.target
        node = self._store.get_node(target)
        if node.kind == Kind.REDUCTION:
            return self._step(eval_oid, target, is_async, allowed)
        record = CallRecord.decode(node)
        if record.eval != eval_oid:
            raise Refused(f"call {short(target)} was recorded for another eval")
        if is_async:
            _refuse_unallowed(CacheResult.ULTIMATE, allowed)
            if not all(self._is_uncontested(task, candidate.time_us) for task in record.summary.tasks):
                raise Refused("a task that it awaits has changed, or has another result by now")
            return self._serve_shallow(target, record)
        if record.reduction is None:
            if allowed is not None and CacheResult.SINGLE not in allowed:
                _refuse_unallowed(CacheResult.ULTIMATE, allowed)
            return self._serve(target, record)
        # A file below that is not as recorded: only asking each child tells which of them must run again.
        with suppress(Refused):
            _refuse_unallowed(CacheResult.ULTIMATE, allowed)
            if is_shallow and all(map(self._is_current, record.summary.tasks)):
                return self._serve_shallow(target, record)
            if self._is_reusable(record, candidate.time_us):
                return self._serve(target, record)
        # Each call below will put its own files back: whoever brings the first may bring them all.
        self._store.expect(lambda: self._iter_missing(record.summary.externals))
        return self._step(eval_oid, record.reduction, is_async, allowed)

    def _serve(self, target: Oid, record: CallRecord) -> Hit:
        externals = record.summary.externals
        restores = self._check_files(externals, produced_files(record)) if externals else []
        value = self.decode(record.result)
        return Hit(target, record, value, self._admit([value], restores))

    def _serve_shallow(self, target: Oid, record: CallRecord) -> Hit:
        read = _NotingReader(self._store)
        value = decode_value(record.result, read)
        restores = self._check_files(read.externals, produced_files(record))
        return Hit(target, record, value, self._admit([value], restores))

    def _step(self, eval_oid: Oid, reduction_oid: Oid, is_async: bool, allowed: Collection[CacheResult] | None) -> Step:
        if is_async:
            raise Refused(_NOT_STEPPED)
        _refuse_unallowed(CacheResult.SINGLE, allowed)
        reduction = ReductionRecord.decode(self._store.get_node(reduction_oid))
        if reduction.eval != eval_oid:
            raise Refused(f"reduction {short(reduction_oid)} was recorded for another eval")
        expression = ExpressionRecord.decode(self._store.get_node(reduction.outcome))
        read = _NotingReader(self._store)
        plain: list[Any] = []
        with tasks_by_name():
            value = decode_expression(expression, lambda oid: _kept(plain, decode_value(oid, read)))
        produced = dict(zip(reduction.produced, reduction.executable))
        restores = self._check_files(read.externals, produced)
        restored = self._admit(plain, restores)
        return Step(reduction_oid, value, list(read.externals), produced, restored, plain, _encode_again(plain))

    def _admit(self, values: list[Any], restores: list[_Restore]) -> list[str]:
        """Put files back, then ask the values that have a validity of their own; return the paths put back."""
        restored = self._restore(restores)
        for value in values:
            if must_be_asked(value) and not is_still_valid(value):
                raise Refused("the recorded result is no longer valid")
        return restored

    def _is_reusable(self, record: CallRecord, time_us: int) -> bool:
        """Tell whether a call that was recorded at a time may be reused in one step, as far as tasks are concerned."""
        return record.summary.is_reusable and all(self._is_trusted(task, time_us) for task in record.summary.tasks)

    def _is_trusted(self, task_oid: Oid, time_us: int) -> bool:
        """Tell whether a task below is current, need not run each time, and was not contested after ``time_us``.

        A call that was made, or confirmed by stepping, after the contest holds what stepping finds.
        """
        return self._is_uncontested(task_oid, time_us) and task_oid not in self._must_run

    def _is_uncontested(self, task_oid: Oid, time_us: int) -> bool:
        return self._is_current(task_oid) and self._contested_us.get(task_oid, -1) <= time_us

    def _is_current(self, task_oid: Oid) -> bool:
        """Tell whether a task below is the one that is registered now; looked up once, with its contests.

        It goes by its hash or by its calling.
        """
        known = self._current_tasks.get(task_oid)
        if known is None:
            known = self._current_tasks[task_oid] = self._is_registered(task_oid)
            contests = self._store.find_candidates(task_oid)
            more = [] if self._find_more is None else self._find_more(task_oid)
            for contest in (*contests[:1], *more[:1]):
                self.note_contest(task_oid, contest.time_us)
        return known

    def _is_registered(self, oid: Oid) -> bool:
        node = self._store.get_node(oid)
        is_calling = node.kind == Kind.EVAL
        task_oid = EvalRecord.decode(node).task if is_calling else oid
        record = TaskRecord.decode(self._store.get_node(task_oid) if is_calling else node)
        task = self._registry.find_current(record.fullname, task_oid)
        if task is None:
            return False
        if not may_be_passed_over(task):
            self._must_run.add(oid)
        if not is_calling:
            return not task.script  # which would have a calling
        calling = encode_calling(task)
        return calling is not None and calling.oid == oid

    def look_for_contests(self, find: Callable[[Oid], list[Candidate]]) -> None:
        """Take contests from elsewhere into account as well, from now on: results come from there too."""
        if self._find_more is None:
            self._find_more = find
            self._current_tasks.clear()

    def note_contest(self, task_oid: Oid, time_us: int) -> None:
        """Note that an eval of a task got a result that differs from an earlier one; microseconds since 1970 UTC."""
        self._contested_us[task_oid] = max(time_us, self._contested_us.get(task_oid, -1))

    # -- files

    def _check_files(self, externals: Iterable[Oid], produced: dict[Oid, bool]) -> list[_Restore]:
        """Return what must be put back for all files to be as recorded; refuse when one cannot, or a handle is void."""
        restores: list[_Restore] = []
        for record, is_executable in self._read_files(externals, produced).values():
            check = check_file(record)
            if check.state is FileState.SAME:
                continue
            if is_executable is None:
                raise Refused(f"{record.path} {_says(check.state)}")
            self._refuse_unknown(record, check.state, check.current)
            restores.append(_Restore(record, is_executable))
        return restores

    def _read_files(
        self, externals: Iterable[Oid], produced: dict[Oid, bool]
    ) -> dict[str, tuple[FileRecord, bool | None]]:
        """Return by path what each file must be, and whether it is executable; None for one that was not produced."""
        files: dict[str, tuple[FileRecord, bool | None]] = {}
        for oid in externals:
            node = self._store.get_node(oid)
            if node.kind == Kind.HANDLE:
                fault = self._find_fault(oid)
                if fault:
                    raise Refused(fault)
                continue
            record = FileRecord.decode(node)
            if record.scheme == PATH_SCHEME:
                continue  # a file that never changes: its path is all there is to it
            is_executable = produced.get(oid)
            known, known_executable = files.get(record.path, (record, None))
            # One content, named as a File and as a ContentFile, is no second version.
            if known._replace(type_name=record.type_name) != record:
                raise Refused(f"two versions of {record.path} are named below")
            files[record.path] = known, is_executable if known_executable is None else known_executable
        return files

    def _iter_missing(self, externals: Iterable[Oid]) -> Iterator[Oid]:
        """Yield the contents of those files that are not there at all."""
        for oid in externals:
            with suppress(ObjectError):  # whoever needs it will tell
                node = self._store.get_node(oid)
                if node.kind != Kind.FILE:
                    continue
                record = FileRecord.decode(node)
                if record.scheme == CONTENT_SCHEME and check_file(record).state is FileState.MISSING:
                    yield Oid(record.digest)

    def _refuse_unknown(self, record: FileRecord, state: FileState, current: FileRecord | None) -> None:
        """Refuse to overwrite content that redun does not have, and to restore what it has not kept."""
        if current is not None and state is FileState.DIFFERENT:
            current_oid = current.encode()[0]
            if not self._store.find_producers(current_oid):
                raise Refused(f"{record.path} was changed by something else")
            if current.scheme == CONTENT_SCHEME and not self._store.has(Oid(current.digest)):
                raise Refused(f"{record.path} holds a content that is not kept")
        if record.scheme != CONTENT_SCHEME or not self._store.has(Oid(record.digest)):
            raise Refused(f"{record.path} {_says(state)} and its content is not kept")

    def _restore(self, restores: list[_Restore]) -> list[str]:
        if restores and self._restores:
            try:
                self._store.bring(Oid(record.digest) for record, _ in restores)
            except ObjectMissing as error:
                raise Refused(f"a file cannot be put back: {error}") from error
        for record, is_executable in restores if self._restores else ():
            try:
                with self._store.open(Oid(record.digest)) as content:
                    restore_file(record, content, is_executable=is_executable)
            except (RedunError, OSError) as error:
                raise Refused(f"{record.path} cannot be restored: {error}") from error
        return [record.path for record, _ in restores]


def _refuse_unallowed(result: CacheResult, allowed: Collection[CacheResult] | None) -> None:
    if allowed is not None and result not in allowed:
        raise Refused(f"allowed_cache_results leaves out {result.value}")


_NOT_STEPPED = "what an async task does between two awaits cannot be taken from a record"


def _says(state: FileState) -> str:
    return "is missing" if state is FileState.MISSING else "has changed"


def _encode_again(values: list[Any]) -> list[Encoded]:
    """Return the nodes of values that were read: tasks and classes in them may not be what they were."""
    try:
        return [encode_value(value) for value in values]
    except Exception as error:
        raise Refused(f"a recorded value cannot be used: {error}") from error


def _kept(values: list[Any], value: Any) -> Any:
    values.append(value)
    return value


class _NotingReader:
    """Reads objects for decoding, and notes the files and handles that were read on the way."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        self.externals: dict[Oid, None] = {}

    def __call__(self, oid: Oid) -> bytes:
        data = self._store.get(oid)
        # The second byte of a node is its kind; a blob may begin alike, but is not named by the keyed hash.
        if data[:2] in _EXTERNAL_HEADS and hash_node(data) == oid:
            self.externals[oid] = None
        return data


_EXTERNAL_HEADS = (bytes([0x93, Kind.FILE]), bytes([0x93, Kind.HANDLE]))
