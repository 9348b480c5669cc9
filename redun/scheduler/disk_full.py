"""A disk that is full while a run goes on.

The decision: a full disk does not end the run at once.  It may be full for a moment only, as when tasks write large
temporary files; and to end means to lose the jobs that run.  What finished is kept in memory, in the order in which it
is to be written, and each later flush tries again.  When the disk stays full for a minute, the run ends and says what
is on record and what is not; whoever runs it again with some space does the rest.

A file's content that cannot be kept is no failure of its job: the file is there, and can only not be put back.
"""

from __future__ import annotations

import errno
from collections.abc import Callable

from redun.errors import StoreError

GRACE_SECONDS = 60.0
"""Long enough for a cleaning job or a person, short against what is lost if the process dies meanwhile."""

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


class DiskFull(StoreError):
    """The disk stayed full, and the run ended."""

    hint = "free some space and run it again: what is on record is not done again"

    def __init__(self, place: str, n_lost: int, seconds: float) -> None:
        super().__init__(
            f"no space left for {place}: tried for {seconds:.0f} s; {n_lost} jobs that ended since are not on record"
        )
        self.place = place
        self.n_lost = n_lost


def is_full(error: OSError) -> bool:
    """Tell whether an error says that the disk, or what the user may have of it, is full."""
    return error.errno in _FULL


class PatientFlush:
    """Flushes, and gets over a disk that is full for a while."""

    def __init__(
        self, flush: Callable[[], None], count_pending: Callable[[], int], warn: Callable[[str], None]
    ) -> None:
        """Make one that has not flushed.

        Args:
            flush: writes out what finished; what it cannot write it keeps, and writes the next time.
            count_pending: tells how many jobs that is.
            warn: tells people.
        """
        self._flush = flush
        self._count_pending = count_pending
        self._warn = warn
        self._full_since: float | None = None

    def flush(self, now: float) -> bool:
        """Write out what finished; False when there was no space, and it is to be tried again.  ``now``: in seconds.

        Raises:
            DiskFull: there was no space for too long.
            OSError: the disk fails in another way.
        """
        try:
            self._flush()
        except OSError as error:
            if not is_full(error):
                raise
            self._note_full(error, now)
            return False
        if self._full_since is not None:
            self._full_since = None
            self._warn("there is space again; all that finished is on record")
        return True

    def _note_full(self, error: OSError, now: float) -> None:
        place = str(error.filename or "the repository")
        if self._full_since is None:
            self._full_since = now
            self._warn(
                f"no space left for {place}: what finishes is kept in memory and tried again for {GRACE_SECONDS:.0f} s"
            )
        elif now - self._full_since >= GRACE_SECONDS:
            raise DiskFull(place, self._count_pending(), now - self._full_since) from error
