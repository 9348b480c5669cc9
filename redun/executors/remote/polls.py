"""When to ask a cluster how its jobs fare, and when to give it up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from time import monotonic

from redun.executors.remote.chores import Patience
from redun.executors.remote.submitter import RemoteState, Submitter


class Polls:
    """Asks of all jobs at once, every interval; less often while the cluster does not answer."""

    def __init__(self, submitter: Submitter, interval_seconds: float, pauses: Sequence[float]) -> None:
        self._submitter = submitter
        self._interval_seconds = interval_seconds
        self._patience = Patience(pauses)
        self.due = 0.0
        """When to ask next, as ``time.monotonic`` tells it."""

    def begin(self) -> None:
        """Wait for an interval: there is something to ask of since now."""
        self.due = monotonic() + self._interval_seconds

    def ask(self, ids: Sequence[str]) -> Mapping[str, RemoteState] | Exception | None:
        """Return how jobs fare; None when that is to be asked again, an error when there is no hope left."""
        self.begin()
        try:
            states = self._submitter.poll(ids)
        except OSError as error:
            pause = self._patience.fail()
            if pause is None:
                return error
            self.due = monotonic() + max(pause, self._interval_seconds)
            return None
        except Exception as error:  # whatever a client library raises, no run hangs of it
            return error
        self._patience.succeed()
        return states
