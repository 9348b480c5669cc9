"""What the jobs of one run share for their way to other processes and back; see ``redun.scheduler.portable``."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from redun.store.base import ObjectStore

if TYPE_CHECKING:
    from redun.scheduler.elsewhere import AddedPart
    from redun.scheduler.job import Job
    from redun.tags import Tag


class Portal(NamedTuple):
    """Made once for each run; jobs that run in their own process never look at it."""

    store: ObjectStore
    uses_cache: bool  # whether results of earlier executions may serve
    keep_bytes: int  # contents of files up to this size are kept
    tag: Callable[[Job, Iterable[Tag] | Iterable[tuple[str, Any]]], None]  # from any thread
    describe: Callable[[], dict[str, Any] | None]  # the run, for one inside a job elsewhere
    labels: Mapping[str, str]  # what a cluster may show of the execution
    join: Callable[[AddedPart], None]  # links the execution to what such a run has recorded; from any thread
