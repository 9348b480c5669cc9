"""Runs the call in a parcel and returns what came of it, as a parcel.

The invariant: whatever happens to the call, there is an outcome that says so.  Only bytes that are no call have none.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from redun.errors import ExecutorError
from redun.expression_codec import is_concrete
from redun.hashing import Oid
from redun.objects.headers import ERROR, EXPRESSION, VALUE, CallHeader, OutcomeHeader
from redun.objects.parcel import decode_parcel, encode_parcel
from redun.scheduler.above import working_below
from redun.scheduler.errors import ErrorValue, NotSerializable, Traceback, describe_error
from redun.scheduler.job import Job
from redun.scheduler.parcels import Gathered, ParcelReader
from redun.scheduler.portable import version_pair
from redun.scheduler.trace_frames import cause_lines, frames_of
from redun.store.blobs import Blobs
from redun.value.encoding import ValueNotEncodable
from redun.worker.call import KeptContents, make_job


class WrongVersion(ExecutorError):
    """A worker is of another redun, or of another Python, than the scheduler."""

    def __init__(self, expected: tuple[str, str], found: tuple[str, str]) -> None:
        super().__init__(
            f"the worker runs redun {found[0]} on Python {found[1]}, "
            f"expected redun {expected[0]} on Python {expected[1]}, as the scheduler does",
            hint="install the same versions on both sides",
        )
        self.expected = expected
        self.found = found


def run_parcel(parcel: bytes, contents: Blobs | None) -> bytes:
    """Run a call in this thread.

    Args:
        parcel: the call, as ``PortableWork.pack`` made it.
        contents: where contents of 1 MiB and more lie; None when they are in the parcel.

    Returns:
        The outcome, for ``PortableWork.take``: a result, an expression to be evaluated, or an error.

    Raises:
        ParcelDamaged: the bytes are not the parcel of a call.
    """
    opened = decode_parcel(parcel)
    header = CallHeader.decode(opened.header)
    kept = KeptContents(contents)
    try:
        if tuple(header.versions) != version_pair():
            raise WrongVersion(header.versions, version_pair())
        reader = ParcelReader(opened, contents)
        job = make_job(header, reader, kept)
    except Exception as error:
        return _error_outcome(header.job.eval, error, Gathered(contents))
    with working_below(None if header.above is None else reader.value(header.above)) as place:
        job.run()
    added = None if place.added is None else list(place.added)
    if job.error is None:
        try:
            return _outcome(job, kept, Gathered(contents, is_careful=True), added)
        except Exception as error:
            job.error = NotSerializable("result", error) if isinstance(error, ValueNotEncodable) else error
    return _error_outcome(header.job.eval, job.error, Gathered(contents), added)


def _outcome(job: Job, kept: KeptContents, gathered: Gathered, added: list[Any] | None) -> bytes:
    assert job.eval is not None
    if is_concrete(job.value):
        status, root = VALUE, gathered.add_value(job.value)
    else:
        status, root = EXPRESSION, gathered.add_expression(job.value)
    dropped: Oid | None = None
    if job.dropped:
        with suppress(Exception):  # they are only to be told of
            dropped = gathered.add_expression(job.dropped)
    produced = [(oid, bool(flag)) for oid, flag in (job.produced or {}).items()]
    disturbed = list(job.disturbed or ())
    header = OutcomeHeader(job.eval, status, root, produced, disturbed, kept.large, dropped, None, added)
    return encode_parcel(header.encode(), [*gathered.objects, *kept.small()])


def _error_outcome(eval_oid: Oid, error: BaseException, gathered: Gathered, added: list[Any] | None = None) -> bytes:
    trace = None if added is None else getattr(error, "redun_traceback", None)  # by way of the jobs inside
    if not isinstance(trace, Traceback):
        frames = frames_of(error.__traceback__, has_locals=True)
        trace = Traceback([], frames, describe_error(error), cause_lines(error))
    told = gathered.add_value(ErrorValue(error, trace))
    itself: Oid | None = None
    with suppress(Exception):  # an error that cannot be stored arrives as its text
        itself = gathered.add_value(error)
    header = OutcomeHeader(eval_oid, ERROR, None, [], [], [], None, (itself, told), added)
    return encode_parcel(header.encode(), gathered.objects)
