"""What a job may know of itself: a parameter whose value is a ``JobInfo`` gets that of the job that runs.

The invariant: nothing of it is part of a cache key.  A task that returns what it finds here gets, when its result is
reused, what was true of the job that ran.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from redun.value.value import Value


class JobInfo(Value):
    """A job as its function sees it.  ``JobInfo()``, as a default or an argument, is replaced by the live one."""

    type_name = "redun.JobInfo"

    def __init__(
        self,
        execution_id: str = "",
        job_id: str = "",
        eval_hash: str = "",
        args_hash: str = "",
        options: Mapping[str, Any] | None = None,
    ) -> None:
        self.execution_id = execution_id
        """UUID of the execution."""
        self.job_id = job_id
        """UUID of the job."""
        self.eval_hash = eval_hash
        """Hex digits: what the job's result is looked up by."""
        self.args_hash = args_hash
        """Hex digits: its arguments, without ``config_args`` and without this."""
        self.options = dict(options or {})
        """The options in force."""

    def __repr__(self) -> str:
        return f"JobInfo({', '.join(f'{name}={value!r}' for name, value in vars(self).items())})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, JobInfo) and vars(self) == vars(other)

    def __hash__(self) -> int:
        return hash((self.execution_id, self.job_id))
