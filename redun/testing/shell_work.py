"""Work whose parcels are shell scripts, and a remote executor whose workers are shells: fakes that start in a moment.

With ``LocalSubmitter`` they make up the whole of a cluster, without a scheduler and without redun on the other side.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from redun.executors.options import FLAG, WHOLE, Option, OptionTable
from redun.executors.remote.executor import RemoteExecutor
from redun.executors.remote.settings import common_options

TABLE = OptionTable(
    "local_cluster",
    [
        *common_options(worker_command=[sys.executable, "-m", "redun"]),
        Option("memory", WHOLE, "GiB", 4),
        Option("alone", FLAG, "whether it can be in no array", False),
    ],
)

RESULT, FAILURE = "printf result > $OUT/output", "printf error > $OUT/error; exit 1"

_SINGLE = 'cd "$0" && OUT=jobs/$1 && . "$0/jobs/$1/input"'
_ELEMENT = """
cd "$0" && key=$(sed -n "$((LOCAL_ARRAY_INDEX + 1))p" "array_jobs/$1/eval_hashes")
mkdir -p "jobs/$key" && printf "element $LOCAL_ARRAY_INDEX" > "jobs/$key/output"
"""


class ShellWork:
    """Work whose parcel is a shell script that leaves an outcome in ``$OUT``; it notes what becomes of it."""

    task_name = "tests.shell"

    def __init__(self, script: str = RESULT, *, name: str = "", is_reusable: bool = True, **options: Any) -> None:
        self.script = script
        self.eval_hash = hashlib.sha256((name or script).encode()).hexdigest()
        self.is_reusable = is_reusable
        self.options = options
        self.outcome: bytes | None = None
        self.error: BaseException | None = None
        self.log: list[str] = []
        self.labels = {"redun_job_id": self.eval_hash, "redun_execution_id": "tests"}
        self.tags: dict[str, Any] = {}
        self.n_begun = 0
        self.is_served = True
        self.pack_error: Exception | None = None

    def get_options(self) -> dict[str, Any]:
        """Return what it was made with."""
        return self.options

    def begin(self) -> None:
        """Count."""
        self.n_begun += 1

    def pack(self, _contents: Any) -> bytes:
        """Return the script."""
        if self.pack_error is not None:
            raise self.pack_error
        return self.script.encode()

    def is_served_by(self, _outcome: bytes, _contents: Any) -> bool:
        """Return what it was told to."""
        return self.is_served

    def take(self, outcome: bytes, _contents: Any) -> None:
        """Note it."""
        self.outcome = outcome

    def fail(self, error: BaseException, log: Sequence[str] = ()) -> None:
        """Note it."""
        self.error, self.log = error, list(log)

    def add_log(self, lines: Sequence[str]) -> None:
        """Note it."""
        self.log = list(lines)

    def add_tags(self, tags: Iterable[tuple[str, Any]]) -> None:
        """Note them."""
        self.tags.update(tags)


class ShellExecutor(RemoteExecutor):
    """Its workers are shells instead of redun, which takes a hundredth of the time to start."""

    def make_command(self, _options: Mapping[str, Any], words: Sequence[str]) -> tuple[str, ...]:
        _, _, url, what, name, *_ = words
        return ("sh", "-ec", _SINGLE if what == "--job" else _ELEMENT, url, name)

    def allows_array(self, options: Mapping[str, Any]) -> bool:
        return not options["alone"]
