"""A run inside a job that another process runs: ``subrun`` on an executor of processes.

Theory of operation.  The parcel of the job tells what must be known of the run above (``Above``): its repository, its
settings, its execution.  The worker opens that repository beside the scheduler, with a journal of its own, and drives a
scheduler there; jobs that end are on record as they end.  The outcome tells what was added (``Added``), and the run
above links to it, as it does to what runs in its own threads have added.

The invariant: the jobs of one execution have numbers of their own.  Processes cannot share a counter, so each run of
this kind begins at a random one of 2**39 places, with room for a million jobs behind each.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from pathlib import Path
from secrets import randbits
from typing import TYPE_CHECKING, Any

from redun.config import Config
from redun.hashing import Oid
from redun.objects.call_records import SubtreeSummary
from redun.objects.execution_records import JobStatus
from redun.objects.ids import format_id
from redun.objects.parcel import ParcelDamaged
from redun.scheduler.above import Above, Added, find_place
from redun.scheduler.errors import NoCurrentScheduler, SchedulerError
from redun.scheduler.extend import ExtendedExecution, Extension, NewExecution, Point, judge
from redun.scheduler.homes import home_of, home_of_dryrun
from redun.scheduler.parts import RunOptions
from redun.scheduler.preview import preview
from redun.scheduler.scheduler import Scheduler
from redun.scheduler.summary import SummaryBuilder
from redun.scheduler.tags import TagRecorder
from redun.store.repository import Repository

if TYPE_CHECKING:
    from redun.scheduler.context import Context
    from redun.scheduler.homes import MemoryHome, RepositoryHome
    from redun.scheduler.job import Job
    from redun.scheduler.run import Run
    from redun.store.base import ObjectStore

_PLACE_BITS, _ROOM_BITS = 39, 20


class NoRepositoryHere(SchedulerError):
    """A run inside a job of another process has nowhere to record."""

    def __init__(self, why: str) -> None:
        super().__init__(
            f"a sub-run in another process records in the repository of the run above, and {why}",
            hint='run it in a thread: subrun(..., executor="default")',
        )
        self.why = why


# -- the process of the run above


def describe(run: Run) -> dict[str, Any] | None:
    """Return an ``Above`` as a value; None where the run is kept in no repository on a disk."""
    scheduler, options = run.scheduler, run.options
    path = scheduler.home.path
    if path is None:
        return None
    config, execution = scheduler.config.get_config_dict(), run.execution
    flags = options.use_cache, options.is_dryrun, options.keep_going
    return Above(str(path.resolve()), config, list(execution.argv), execution.start_us, *flags)._asdict()


class AddedPart:
    """A part of an execution that another process has recorded, as the execution sees it at its end."""

    def __init__(self, added: Added, store: ObjectStore, execution_id: bytes) -> None:
        self.recorder = added  # it has batches and sources, as a recorder does
        self.tags = TagRecorder(store, execution_id)
        self.tags.adopt(added.own_tags, added.other_tags)


def take_added(job: Job, told: Any) -> None:
    """Note what a run inside a job has added, as it would stand there if it had gone on in a thread.

    Raises:
        ParcelDamaged: what is told is nothing of the kind.
    """
    assert job.portal is not None
    try:
        added = Added(*told)
        job.children = list(added.children)
        if added.summary is not None:
            job.summary = SummaryBuilder()
            job.summary.add_below(SubtreeSummary(*added.summary))
    except TypeError as error:
        raise ParcelDamaged(f"what a sub-run has added is not as it should be: {error}") from None
    if added.is_unsure:
        job.status = int(JobStatus.UNSURE)
    job.portal.join(AddedPart(added, job.portal.store, job.execution_id))


# -- the process of the run inside


def run_elsewhere(
    job: Job | None,
    expr: Any,
    settings: Config | None,
    config_dir: str | None,
    context: Context | None,
    *,
    is_new: bool,
) -> Any:
    """Evaluate an expression inside a job that runs in this process, below a run in another one.

    Args:
        job: the job.
        expr: what is evaluated.
        settings: of the scheduler; None: those of the run above.
        config_dir: the ``.redun`` folder to record in; None: that of the run above.
        context: what ``get_context`` finds.
        is_new: whether it makes an execution of its own.

    Raises:
        NoCurrentScheduler: this is no job of a worker.
        NoRepositoryHere: the run above is kept in memory, or its repository cannot be reached.
        Exception: as ``Scheduler.run`` does.
    """
    place = find_place()
    if place is None or job is None:
        raise NoCurrentScheduler("a sub-run goes on inside a job")
    above = place.above
    if above is None:
        raise NoRepositoryHere("that run has none: it keeps all in memory")
    is_same = config_dir is None or Path(config_dir).resolve() == Path(above.repository)
    options = RunOptions(above.use_cache, above.is_dryrun, above.keep_going, context)
    with _open(above if is_same else None, str(config_dir)) as repository:
        home = home_of_dryrun(repository.store) if above.is_dryrun else home_of(repository)
        inner = Scheduler(settings or Config(above.config), home, job_status_interval=0)
        drive = _Drive(inner, job, options, above, is_kept=is_same)
        try:
            return drive.new(expr) if is_new else drive.extend(expr)
        finally:
            place.added = drive.added


def _open(above: Above | None, config_dir: str) -> Repository:
    """Open the repository of the run above, or of a folder when that is another one."""
    if above is None:
        return Repository.open_or_init(Path(config_dir))
    path, config = Path(above.repository), Config(above.config)
    if not path.is_dir():
        raise NoRepositoryHere(f"{path} cannot be reached from the worker")
    # A command may name another place than the folder's settings do; without any, the folder says.
    settings = config.repository
    return Repository.open(path, settings=None if settings.url is None else settings)


class _Drive:
    """One run inside a job of another process."""

    def __init__(self, inner: Scheduler, job: Job, options: RunOptions, above: Above, *, is_kept: bool) -> None:
        """``is_kept``: whether what it records is where the run above records."""
        self._inner = inner
        self._job = job
        self._options = options
        self._above = above
        self._is_kept = is_kept
        self.added: Added | None = None

    def extend(self, expr: Any) -> Any:
        """Add jobs to the execution of the run above."""
        home = self._inner.home
        whole = ExecutionElsewhere(self._above, self._job.execution_id, home, self._inner.clock)
        part = ExtendedExecution(whole, self._job.number)
        run = Extension(
            self._inner, part, self._options, Point(self._job, self._job.number, self._options.context), None
        )
        try:
            return self._drive(run, expr)
        finally:
            home.seal()
            home.finish()
            self._note(whole.parts)

    def new(self, expr: Any) -> Any:
        """Make an execution of its own."""
        execution = self._inner.begin_execution(["redun", "subrun", preview(expr)], self._options)
        run = NewExecution(self._inner, execution, self._options, Point(self._job, 0, self._options.context), None)
        try:
            return self._drive(run, expr)
        finally:
            self._note([])

    def _drive(self, run: Run, expr: Any) -> Any:
        job = self._job
        job.keeper = None  # the jobs below tell which files they made
        job.children = job.summary = None
        return self._inner.drive(run, expr)

    def _note(self, parts: list[ExtendedExecution | AddedPart]) -> None:
        job = self._job
        if self._is_kept:
            judge(job)
        else:
            # What was called is not on record there, so nothing tells there whether it would come out the same.
            job.children, job.summary, job.status = None, SummaryBuilder(), int(JobStatus.UNSURE)
            job.summary.forbid_reuse()
        summary = None if job.summary is None else job.summary.build()[0]
        own, others = TagRecorder.split(part.tags for part in parts)
        self.added = Added(
            [child for child in job.children or () if child is not None],
            None if summary is None else (summary.is_reusable, summary.tasks, summary.externals, summary.produced),
            job.status == JobStatus.UNSURE,
            [batch for part in parts for batch in part.recorder.batches],
            list(dict.fromkeys(source for part in parts for source in part.recorder.sources)),
            own,
            others,
        )


class ExecutionElsewhere:
    """An execution that goes on in another process, as a run sees it that adds jobs to it from here."""

    def __init__(
        self, above: Above, execution_id: bytes, home: MemoryHome | RepositoryHome, clock: Callable[[], int]
    ) -> None:
        self._home = home
        self.parts: list[ExtendedExecution | AddedPart] = []
        self.clock, self.store = clock, home.store
        self.raw_id = execution_id
        self.id = format_id(execution_id)
        self.argv = above.argv
        self.start_us = above.start_us
        self.new_tasks: set[Oid] = set()
        self.numbers = count(1 + (1 + randbits(_PLACE_BITS)) * (1 << _ROOM_BITS))

    def join(self, part: ExtendedExecution | AddedPart) -> None:
        """Keep a part, to be told to the run above."""
        self.parts.append(part)

    def touch(self) -> None:
        """Show that this process is alive."""
        self._home.touch()
