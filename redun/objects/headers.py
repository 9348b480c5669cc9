"""The headers of parcels: what a call and an outcome say beside their objects.  Normative page: docs/format/parcel.md.

The invariant: a header is read as what it was written as, or refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from redun.hashing import Oid
from redun.objects.parcel import ParcelDamaged

CALL, OUTCOME = "call", "outcome"
FORMAT_VERSION = 1
VALUE, EXPRESSION, ERROR = "value", "expression", "error"
MAIN = "__main__"
"""The module of a script that was run as a program."""


class Settings(NamedTuple):
    """What a worker must do as the scheduler does, or their hashes differ."""

    file_hash: str
    code_hash: str
    keep_bytes: int


class TaskPlace(NamedTuple):
    """Where a worker finds a task."""

    fullname: str
    oid: Oid
    module: str
    main_path: str  # of the script, when the module is ``__main__``; else empty
    import_paths: list[str]
    also: Sequence[tuple[str, str]] = ()  # module and main path of other tasks that the arguments name


class JobFacts(NamedTuple):
    """What a worker is told of the job."""

    execution_id: bytes
    number: int
    attempt: int
    eval: Oid


class CallHeader(NamedTuple):
    """The header of a call."""

    versions: tuple[str, str]
    task: TaskPlace
    job: JobFacts
    args: list[Oid | None]
    kwargs: list[tuple[str, Oid | None]]
    options: Oid
    context: Oid | None
    settings: Settings
    above: Oid | None = None  # a dict of what a run inside the job must know of the run above

    def encode(self) -> list[Any]:
        """Return it as plain data."""
        return [CALL, FORMAT_VERSION, *self]

    @classmethod
    def decode(cls, header: Any) -> CallHeader:
        """Read it.  Raises ParcelDamaged for anything else."""
        try:
            what, version, versions, task, job, args, kwargs, options, context, settings, above = header
            if (what, version) != (CALL, FORMAT_VERSION):
                raise ValueError(f"expected a call of format {FORMAT_VERSION}, found {what!r} of format {version!r}")
            names = [(name, oid) for name, oid in kwargs]
            return cls(
                tuple(versions),
                TaskPlace(*task),
                JobFacts(*job),
                args,
                names,
                options,
                context,
                Settings(*settings),
                above,
            )
        except (ValueError, TypeError) as error:
            raise ParcelDamaged(f"the parcel of a call is not as it should be: {error}") from None


class OutcomeHeader(NamedTuple):
    """The header of an outcome."""

    eval: Oid
    status: str
    root: Oid | None
    produced: list[tuple[Oid, bool]]
    disturbed: list[str]
    kept: list[Oid]
    dropped: Oid | None
    error: tuple[Oid | None, Oid] | None
    added: list[Any] | None = None  # by a run inside the job: ``redun.scheduler.elsewhere.Added``

    def encode(self) -> list[Any]:
        """Return it as plain data."""
        return [OUTCOME, FORMAT_VERSION, *self]

    @classmethod
    def decode(cls, header: Any) -> OutcomeHeader:
        """Read it.  Raises ParcelDamaged for anything else."""
        try:
            what, version, *fields = header
            if (what, version) != (OUTCOME, FORMAT_VERSION):
                raise ValueError(f"expected an outcome of format {FORMAT_VERSION}, found {what!r} of {version!r}")
            return cls(*fields)
        except (ValueError, TypeError) as error:
            raise ParcelDamaged(f"the parcel of an outcome is not as it should be: {error}") from None
