"""One execution: its id, the ref that shows it while it runs, and the node that it ends as."""

from __future__ import annotations

import os
import platform
import pwd
import uuid
from collections.abc import Callable, Iterable, Sequence
from itertools import count
from typing import TYPE_CHECKING, Protocol

from redun.hashing import Oid
from redun.objects.execution_records import ExecutionRecord, ExecutionStatus
from redun.objects.kinds import Kind
from redun.scheduler.record import Recorder
from redun.scheduler.tags import TagRecorder
from redun.store.base import ObjectStore
from redun.store.interrupted import REF_STATUS
from redun.store.ref_names import ref_name
from redun.store.ref_texts import ExecutionRef, RefStatus
from redun.store.refs import Refs
from redun.tags import PROJECT_KEY, USER_KEY, Tag, check_tags
from redun.version import __version__

if TYPE_CHECKING:
    from redun.scheduler.elsewhere import AddedPart
    from redun.scheduler.extend import ExtendedExecution


class Home(Protocol):
    """Where executions are kept beyond this process: a repository, or nothing."""

    @property
    def store(self) -> ObjectStore:
        """The objects."""

    @property
    def refs(self) -> Refs | None:
        """The refs; None where executions leave none, in memory or in a repository that cannot be written."""

    @property
    def is_forced(self) -> bool:
        """Whether the end of an execution is forced to the disk."""

    def writer(self) -> str:
        """Return the name of the journal that is written to."""

    def seal(self) -> list[Oid]:
        """Seal what was written; return the packs that were written for this execution."""

    def finish(self) -> None:
        """Let go of what sealing kept back until the ref was written."""

    def publish(self, make_ref: Callable[[tuple[Oid, ...]], ExecutionRef]) -> None:
        """Seal what was written, put the ref that is made of the packs in place, and let go of what that needed."""

    def touch(self) -> None:
        """Show that this process is alive."""


_SHOWN_TAGS = (PROJECT_KEY, USER_KEY, "user_aws")


class Execution:
    """One run from its start to its end."""

    def __init__(
        self,
        home: Home,
        argv: Sequence[str],
        clock: Callable[[], int],
        execution_id: str | None,
        tags: Iterable[Tag] = (),
    ) -> None:
        """Make an execution; nothing is written yet.

        Args:
            home: where it is kept.
            argv: its command line, as it is shown.
            clock: gives microseconds since 1970 UTC.
            execution_id: a UUID, made when not given.
            tags: its own tags.

        Raises:
            BadTag: one of them is none.
        """
        self._home = home
        self.clock = clock
        self._uuid = uuid.UUID(execution_id) if execution_id else uuid.uuid4()
        self.argv = list(argv)
        self.start_us = clock()
        self.recorder = Recorder(home.store, self._uuid.bytes, self.start_us, clock)
        self.new_tasks = self.recorder.new_tasks
        self.tags = TagRecorder(home.store, self._uuid.bytes)
        self._first_tags = check_tags(tags)
        self.store = home.store
        self.numbers = count(1)  # of its jobs; threads that extend it take theirs from here too
        self._parts: list[ExtendedExecution | AddedPart] = []

    @property
    def id(self) -> str:
        """The execution's UUID, as text."""
        return str(self._uuid)

    @property
    def raw_id(self) -> bytes:
        """The 16 bytes of the UUID."""
        return self._uuid.bytes

    @property
    def labels(self) -> dict[str, str]:
        """What a cluster may show of each job: the execution's id, and of its tags those that people look for."""
        found = {f"redun_{key}": str(value) for key, value in self._first_tags if key in _SHOWN_TAGS}
        return {"redun_execution_id": self.id, **found}

    def begin(self) -> None:
        """Show the execution as running, with its tags."""
        if self._home.refs is not None:
            running = self._ref(RefStatus.RUNNING, None, None, ())
            self._home.refs.write(self._home.refs.sign(running))  # so a key that is missing is told now, not at the end
        self.tags.tag_execution(self._first_tags)

    def join(self, part: ExtendedExecution | AddedPart) -> None:
        """Have the execution's node link to what a run inside one of its jobs records.  Any thread may call."""
        self._parts.append(part)

    def end(self, status: ExecutionStatus, root: Oid | None) -> None:
        """Record how the execution ended, seal what it wrote, and publish it."""
        end_us = self.clock()
        self.recorder.flush()
        parts: list[Execution | ExtendedExecution | AddedPart] = [self, *self._parts]
        record = ExecutionRecord(
            execution_id=self._uuid.bytes,
            argv=self.argv,
            status=status,
            start_us=self.start_us,
            end_us=end_us,
            user=_user_name(),
            host=os.uname().nodename,
            versions=[["redun", __version__], ["python", platform.python_version()]],
            root=root,
            jobs=[batch for part in parts for batch in part.recorder.batches],
            sources=list(dict.fromkeys(source for part in parts for source in part.recorder.sources)),
            tags=TagRecorder.merge(part.tags for part in parts),
        )
        oid, data = record.encode()
        self._home.store.put(oid, data, Kind.EXECUTION)
        self._home.publish(lambda packs: self._ref(REF_STATUS[status], end_us, oid, packs))

    def touch(self) -> None:
        """Show that the execution is still going on."""
        self._home.touch()

    def _ref(self, status: RefStatus, end_us: int | None, oid: Oid | None, packs: tuple[Oid, ...]) -> ExecutionRef:
        return ExecutionRef(
            name=ref_name(self.start_us, self.id),
            execution_id=self.id,
            status=status,
            start_us=self.start_us,
            end_us=end_us,
            argv=self.argv,
            object=oid,
            writer=None if status.is_ended else self._home.writer(),
            packs=packs,
        )


def _user_name() -> str:
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # a container that runs under a number
        return str(os.getuid())
