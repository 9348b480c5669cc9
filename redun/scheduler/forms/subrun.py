"""``subrun``: evaluates an expression with a scheduler of its own, inside one job of an executor.

The invariant: what a sub-run gives follows from the calls that it made, which stand below its job.  The job is reused
as a whole when all of them would be, and else asks each of them again; so a sub-run costs what its calls cost.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from redun.config import Config
from redun.errors import ConfigError
from redun.expression import QuotedExpression, quote
from redun.expression_codec import flatten_expression, unflatten_expression
from redun.promise import Promise
from redun.scheduler.context import Context, merge_context
from redun.scheduler.current import find_running_job, get_current_scheduler
from redun.scheduler.errors import NoCurrentScheduler, SchedulerError
from redun.scheduler.extend import ExtendedExecution, extend_here, run_inside
from redun.scheduler.homes import MemoryHome, RepositoryHome, home_of
from redun.scheduler.preview import preview
from redun.scheduler.scheduler import Scheduler
from redun.store.repository import Repository
from redun.task import scheduler_task, task
from redun.task.scheduler_tasks import transparent

if TYPE_CHECKING:
    from redun.expression import SchedulerExpression
    from redun.scheduler.job import Job
    from redun.scheduler.parts import RunOptions

CONFIG_FILE = "redun.ini"
MAX_TITLE_CHARS = 200
_RULE = "-" * 79


class OtherRepository(SchedulerError):
    """A sub-run is to belong to the execution that asks for it, and its settings name another repository."""

    def __init__(self, config_dir: str) -> None:
        super().__init__(
            f"the sub-run with the settings of {config_dir} would record in another repository than the run above it",
            hint="subrun(..., new_execution=True) gives it an execution of its own there",
        )
        self.config_dir = config_dir


@transparent
@scheduler_task(namespace="redun", version="1")
def subrun(
    scheduler: Scheduler,
    parent_job: Job | None,
    expression: SchedulerExpression[Any],
    /,
    expr: Any,
    executor: Any,
    config: Config | Mapping[str, Any] | None = None,
    config_dir: str | None = None,
    new_execution: bool = False,
    load_modules: Sequence[str] | None = None,
    **task_options: Any,
) -> Promise[Any]:
    """Return the value of ``expr``, evaluated by another scheduler inside one job of ``executor``.

    Args:
        scheduler: given by the engine, like the next two.
        parent_job: the job that asks.
        expression: this call.
        expr: what is evaluated; it may hold calls at any depth.
        executor: the name of the executor whose job it is.
        config: settings of the other scheduler; those of this one when not given.
        config_dir: a ``.redun`` folder to take its settings from, instead of ``config``.
        new_execution: whether the calls make an execution of their own, rather than a part of this one.
        load_modules: modules to import first.
        **task_options: options of the job.

    Raises:
        ConfigError: both ``config`` and ``config_dir`` are given.
    """
    if config is not None and config_dir is not None:
        raise ConfigError("subrun takes one of config and config_dir, found both")
    settings = config.get_config_dict() if isinstance(config, Config) else config

    def start(parts: Any) -> Promise[Any]:
        own, options = parts
        call = subrun_root_task.options(**options)(quote(expr), *own)
        expression.upstreams = [call]
        scheduler.flush()  # so that the other scheduler finds what this one has finished
        return scheduler.evaluate(call, parent_job)

    own = settings, config_dir, new_execution, list(load_modules or ())
    return scheduler.evaluate((own, {**task_options, "executor": executor}), parent_job).then(start)


@task(name="subrun_root_task", namespace="redun", version="1", config_args=["load_modules"], evaluates=True)
def subrun_root_task(
    expr: QuotedExpression[Any],
    config: Mapping[str, Any] | None,
    config_dir: str | None,
    new_execution: bool,
    load_modules: Sequence[str],
) -> Any:
    """Return the value of a quoted expression, by a scheduler of its own; the job of every ``subrun``."""
    for module in load_modules:
        import_module(module)
    above = get_current_scheduler(required=False)
    copied = unflatten_expression(*flatten_expression(expr.expr))  # the other thread notes things on expressions too
    settings = _own_settings(config, config_dir)
    job = find_running_job()
    if above is None:
        from redun.scheduler.elsewhere import run_elsewhere  # in a worker

        context = _below(settings, None if job is None else job.context)
        return run_elsewhere(job, copied, settings, config_dir, context, is_new=new_execution)
    if job is None:
        raise NoCurrentScheduler("a sub-run goes on inside a job")
    run = above.current_run()
    options = run.options._replace(exports=None, context=_below(settings, job.context))
    if new_execution:
        return _run_new(above, job, copied, options, settings, config_dir)
    if config_dir is not None and not above.home.is_at(Path(config_dir)):
        raise OtherRepository(config_dir)
    inner = _make_inner(above, settings, above.home)
    try:
        return extend_here(inner, run, job, copied, options, ExtendedExecution(run.execution, job.number))
    finally:
        _report(inner, job, copied, options)


def _run_new(
    above: Scheduler, job: Job, expr: Any, options: RunOptions, settings: Config | None, config_dir: str | None
) -> Any:
    is_same_store = config_dir is None or above.home.is_at(Path(config_dir))
    place = above.home.open_beside() if is_same_store else Repository.open_or_init(Path(str(config_dir)))
    try:
        inner = _make_inner(above, settings, home_of(place))
        try:
            return run_inside(inner, above.current_run(), job, expr, options, is_same_store=is_same_store)
        finally:
            _report(inner, job, expr, options)
    finally:
        if isinstance(place, Repository):
            place.close()


def _own_settings(config: Mapping[str, Any] | None, config_dir: str | None) -> Config | None:
    """Return the settings that a sub-run was given, None for those of the run above."""
    if config_dir is None:
        return None if config is None else Config(dict(config))
    settings = Config()
    settings.read_path(Path(config_dir, CONFIG_FILE))
    return settings


def _below(settings: Config | None, context: Context | None) -> Context | None:
    """Return a job's context, with what the sub-run's own settings say under it."""
    if settings is None or not settings.context:
        return context
    return merge_context(merge_context(None, settings.context), None if context is None else context.values)


def _make_inner(above: Scheduler, settings: Config | None, home: MemoryHome | RepositoryHome) -> Scheduler:
    inner = Scheduler(settings or above.config, home, logger=above.logger, job_status_interval=0, clock=above.clock)
    if home is above.home:  # elsewhere, what was brought is not at hand
        inner.lookups = above.lookups
    return inner


def _report(inner: Scheduler, job: Job, expr: Any, options: RunOptions) -> None:
    """Tell in the log what the other scheduler was given and what it did."""
    settings = inner.config.get_config_dict(replace_config_dir=".")
    lines = [
        _RULE,
        f"BEGIN: Sub-scheduler report (executor={job.executor!r}), {preview(expr, MAX_TITLE_CHARS)}",
        _RULE,
        "Sub-scheduler config:",
        *(f"  [{name}] {preview(section, MAX_TITLE_CHARS)}" for name, section in sorted(settings.items())),
        f"Sub-scheduler run_config: cache={options.use_cache}, dryrun={options.is_dryrun}",
        "Sub-scheduler final job status:",
        *inner.get_job_status_report(),
        _RULE,
        "END: Sub-scheduler report",
        _RULE,
    ]
    # In one piece where that can be had: another thread may be writing too.
    for text in ["\n".join(lines)] if getattr(inner.logger, "takes_lines", False) else lines:
        inner.log(text)
