"""What a collection is told to keep, and what it says that it would do, or did."""

from __future__ import annotations

from dataclasses import dataclass, field

from redun.errors import StoreError
from redun.hashing import Oid
from redun.store.pack import PackReader
from redun.store.ref_texts import ExecutionRef, TagRef

GRACE_SECONDS = 24 * 3600.0


class GcRefused(StoreError):
    """A repository is not whole, so nobody can tell what can be spared."""

    def __init__(self, location: str, why: str) -> None:
        super().__init__(f"nothing of {location} is collected: {why}", hint="`redun fsck` tells what is damaged")
        self.location = location
        self.why = why


@dataclass(frozen=True, slots=True)
class GcPolicy:
    """Which executions to keep; without a limit all of them.  The newest are kept by either of the first two."""

    keep_executions: int | None = None  # so many of the newest
    keep_days: float | None = None  # those that began within so many days
    max_bytes: int | None = None  # of the newest, as many as need no more than this
    grace_seconds: float = GRACE_SECONDS


@dataclass(frozen=True, slots=True)
class Dropped:
    """An execution that will not be kept."""

    ref: ExecutionRef
    why: str


@dataclass(slots=True)
class GcPlan:
    """What a collection would do, or did.  Sizes are bytes on disk."""

    location: str
    n_kept: int = 0
    dropped: list[Dropped] = field(default_factory=list)
    dropped_tags: list[TagRef] = field(default_factory=list)
    kept_bytes: int = 0
    whole: list[PackReader] = field(default_factory=list)  # packs that hold garbage alone
    mixed: list[PackReader] = field(default_factory=list)  # packs that are written anew, without their garbage
    n_objects: int = 0  # that nothing needs, in these packs
    blobs: dict[Oid, int] = field(default_factory=dict)  # large contents that nothing needs, with their sizes
    condemned_bytes: int = 0  # that this collection condemns: packs and contents
    deleted_bytes: int = 0  # that it deletes, of what was condemned before the grace period
    waiting_bytes: int = 0  # condemned, and not old enough
    n_rescued: int = 0  # packs and contents that are needed again
