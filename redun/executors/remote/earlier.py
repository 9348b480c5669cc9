"""What earlier runs left that this one can go on with: results in the scratch, and jobs that still run.

Both are asked for once for each prefix of names, in as few requests as there are folders and prefixes, and kept.  An
entry is handed out once: whoever finds it to be no good makes the call anew.
"""

from __future__ import annotations

from redun.executors.remote.scratch import ERROR, OUTPUT
from redun.executors.remote.sender import Sender
from redun.executors.remote.submitter import Submitter, SubmitterError


class Earlier:
    """What is known of earlier runs."""

    def __init__(self, sender: Sender, submitter: Submitter) -> None:
        self._sender = sender
        self._submitter = submitter
        self._listed: dict[str, dict[str, int]] | None = None
        self._live: dict[str, dict[str, str]] = {}  # ids by key, by prefix
        self._taken: set[str] = set()  # finished ones that were handed out

    def knows(self, prefix: str) -> bool:
        """Tell whether it was looked for jobs whose names begin so."""
        return self._listed is not None and prefix in self._live

    def look(self, prefix: str) -> None:
        """Look.  Raises ScratchError; OSError when the cluster should be asked again."""
        is_new = prefix not in self._live
        if is_new:
            self._live[prefix] = self._find_live(prefix)
        if is_new or self._listed is None:
            # After the cluster was asked: a job that ends in between shows in one of the two.
            self._listed = self._sender.list_jobs()

    def take_finished(self, key: str) -> bool:
        """Tell whether a result of this call lies in the scratch; the second time it is said not to."""
        if key in self._taken or OUTPUT not in (self._listed or {}).get(key, {}):
            return False
        self._taken.add(key)
        return True

    def take_live(self, prefix: str, key: str) -> str | None:
        """Return the id of a job that makes this call; None when there is none, or it was handed out."""
        return self._live.get(prefix, {}).pop(key, None)

    def has_left(self, key: str) -> bool:
        """Tell whether something lies in the scratch that could pass for the outcome of a new attempt."""
        left = (self._listed or {}).get(key, {})
        return OUTPUT in left or ERROR in left

    def _find_live(self, prefix: str) -> dict[str, str]:
        try:
            found = self._submitter.find_live(prefix)
        except SubmitterError:
            return {}  # it may not ask: then each call is made anew, which is slower and never wrong
        arrays: dict[str, list[str]] = {}
        keys: dict[str, str] = {}
        for name, job_id in found.items():
            rest, _, rank = name.removeprefix(prefix).partition(":")
            if not rank:
                keys[rest] = job_id
                continue
            if rest not in arrays:
                arrays[rest] = self._sender.read_array_keys(rest)
            if rank.isdecimal() and int(rank) < len(arrays[rest]):
                keys[arrays[rest][int(rank)]] = job_id
        return keys
