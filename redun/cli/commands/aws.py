"""`redun aws`: the jobs that executors of type aws_batch have at AWS, and their logs."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from redun.cli import ui
from redun.cli.options import Globals, find_config_dir, open_repository
from redun.config import Config
from redun.config_dir import CONFIG_FILE
from redun.errors import ConfigError
from redun.executors.aws_batch.queue import STATUSES, BatchQueue, Stream, find_queues
from redun.executors.aws_batch.states import ENDED, JOB_TAG, LIVE, LOG_STREAM_TAG

if TYPE_CHECKING:
    from redun.provenance.tags import TagView

HAS_LOG = ("RUNNING", *ENDED)
_KILL_REASON = "ended by `redun aws kill-jobs`"


class NoBatchExecutor(ConfigError):
    """No executor of the project is of type aws_batch."""

    def __init__(self, path: Path) -> None:
        hint = "write a section [executors.batch] with type = aws_batch, image, queue and s3_scratch"
        super().__init__(f"expected an executor of type aws_batch in {path}, found none", hint=hint)
        self.path = path


@click.group("aws")
def command() -> None:
    """List and end jobs of AWS Batch, and read their logs.

    The queues are those that the project's executors of type aws_batch name.  Of their jobs, only those are shown and
    ended that have names as redun gives them.
    """


def _read_statuses(_ctx: click.Context, _option: click.Parameter, text: str | None) -> tuple[str, ...] | None:
    if text is None:
        return None
    statuses = tuple(word.strip().upper() for word in text.split(",") if word.strip())
    unknown = [status for status in statuses if status not in STATUSES]
    if unknown or not statuses:
        raise click.BadParameter(f"expected some of {','.join(STATUSES)}, found {text!r}")
    return statuses


_STATUS = click.option("--status", "statuses", metavar="S,...", callback=_read_statuses, help="Jobs of these statuses.")


@command.command("list-jobs")
@_STATUS
@click.pass_obj
def list_jobs(options: Globals, /, statuses: tuple[str, ...] | None) -> None:
    """List jobs as JSON, one a line: those that have not ended, or those of the statuses given."""
    for queue in _find_queues(options):
        for job in queue.iter_jobs(statuses or LIVE):
            ui.echo(json.dumps(job, default=str))


@command.command("kill-jobs")
@_STATUS
@click.pass_obj
def kill_jobs(options: Globals, /, statuses: tuple[str, ...] | None) -> None:
    """End all jobs, or those of the statuses given; each is listed as JSON, one a line."""
    ended = sorted(set(statuses or ()) & set(ENDED))
    if ended:
        raise click.UsageError(f"jobs that are {' or '.join(ended)} have ended: give some of {','.join(LIVE)}")
    count = 0
    for queue in _find_queues(options):
        for job in list(queue.iter_jobs(statuses or LIVE)):
            queue.kill(job["jobId"], _KILL_REASON)
            ui.echo(json.dumps(job, default=str))
            count += 1
    ui.log(f"ended {count} job{'' if count == 1 else 's'}")


@command.command("logs")
@click.option("-j", "--job", metavar="ID", help="Of a job as `redun log` lists it; the first digits are enough.")
@click.option("-b", "--batch-job", metavar="ID", help="Of a job, array or element (ID:NUMBER) at AWS Batch.")
@click.option("-l", "--log-stream", metavar="STREAM", help="A log stream of AWS Batch.")
@click.option("-a", "--all", "is_all", is_flag=True, help="Of all jobs that run or have ended, as AWS remembers them.")
@_STATUS
@click.pass_obj
def logs(
    options: Globals, /, *, job: str | None, batch_job: str | None, log_stream: str | None, is_all: bool,
    statuses: tuple[str, ...] | None,
) -> None:  # fmt: skip
    """Print what jobs wrote.

    A line before each log tells the job and the stream.
    """
    asked = [word for word in (job, batch_job, log_stream, is_all or statuses) if word]
    if len(asked) != 1:
        raise click.UsageError("expected one of --job, --batch-job, --log-stream and --all (or --status)")
    queues = _find_queues(options)
    if job:
        found = _streams_of_job(options, queues, job)
    elif batch_job:
        found = _streams_of_batch_job(queues, batch_job)
    elif log_stream:
        found = iter([_place(queues, Stream("", log_stream))])
    else:
        found = _all_streams(queues, statuses or HAS_LOG)
    for queue, stream in found:
        ui.echo(f"# {f'job {stream.job_id}, ' if stream.job_id else ''}log stream {stream.name}")
        ui.page(queue.iter_lines(stream), use_pager=False)


def _find_queues(options: Globals) -> list[BatchQueue]:
    path = find_config_dir(options.config_dir, Path.cwd(), os.environ) / CONFIG_FILE
    config = Config()
    if path.is_file():
        config.read_path(path)
    queues = find_queues(config.executors)
    if not queues:
        raise NoBatchExecutor(path)
    return queues


def _all_streams(queues: list[BatchQueue], statuses: tuple[str, ...]) -> Iterator[tuple[BatchQueue, Stream]]:
    for queue in queues:
        # An array is PENDING while any of it runs.
        for job in queue.iter_jobs(dict.fromkeys((*statuses, "PENDING")) if "RUNNING" in statuses else statuses):
            for stream in queue.find_streams(job["jobId"]):
                yield queue, stream


def _streams_of_batch_job(queues: list[BatchQueue], job_id: str) -> Iterator[tuple[BatchQueue, Stream]]:
    found = [(queue, stream) for queue in queues for stream in queue.find_streams(job_id)]
    if not found:
        names = ", ".join(queue.queue for queue in queues)
        raise click.ClickException(f"AWS Batch has no log of job {job_id}: not begun, or not known (queues: {names})")
    yield from dict.fromkeys(found)


def _streams_of_job(options: Globals, queues: list[BatchQueue], job: str) -> Iterator[tuple[BatchQueue, Stream]]:
    tags = _tags_of_job(options, job)
    streams = [str(tag.value) for tag in tags if tag.key == LOG_STREAM_TAG]
    for name in streams:
        yield _place(queues, Stream("", name))
    if not streams:
        batch_jobs = [str(tag.value) for tag in tags if tag.key == JOB_TAG]
        if not batch_jobs:
            raise click.ClickException(f"job {job} did not run on AWS Batch: it has no tag {JOB_TAG}")
        for batch_job in batch_jobs:
            yield from _streams_of_batch_job(queues, batch_job)


def _tags_of_job(options: Globals, job: str) -> tuple[TagView, ...]:
    from redun.objects.execution_records import RunSubject
    from redun.objects.ids import parse_id
    from redun.provenance.resolve import Subject, resolve
    from redun.provenance.tags import TagBook, view_current
    from redun.store.ref_names import execution_id_of

    repository = open_repository(options)
    try:
        found = resolve(job, repository.store, repository.refs, Path.cwd(), max_executions=None)
        if found.subject is not Subject.JOB:
            raise click.UsageError(f"expected a job, found {job!r}: {found.subject.value}")
        subject = RunSubject(parse_id(execution_id_of(found.ref_name)), found.job_number)
        return view_current(TagBook(repository.store, repository.refs).records_of(subject))
    finally:
        repository.close()


def _place(queues: list[BatchQueue], stream: Stream) -> tuple[BatchQueue, Stream]:
    """Return a stream with a queue in whose region it is."""
    regions = {queue.region: queue for queue in queues}
    for queue in regions.values():
        if queue.has_stream(stream):
            return queue, stream
    raise click.ClickException(f"CloudWatch has no log stream {stream.name}")
