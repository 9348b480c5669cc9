"""Names at a Kubernetes cluster: of jobs, of their elements, and of labels.  Pure.

A job's name is a DNS label, and pods and host names are made from it, so it has at most 52 characters where redun's own
names have 128; the whole name is kept in an annotation.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from redun.hashing import hash_blob

NAME_ANNOTATION = "redun/name"
RUN_LABEL, TASK_LABEL, EXECUTOR_LABEL = "redun-run", "redun-task", "redun-executor"
MANAGER_LABEL, MANAGER = "app.kubernetes.io/managed-by", "redun"
INDEX_LABEL = "batch.kubernetes.io/job-completion-index"
JOB_NAME_LABEL = "job-name"
"""Set on pods by Kubernetes; newer versions set one with a prefix beside it, and keep this."""

_N_PREFIX = 24
_N_LABEL = 63


class JobId(NamedTuple):
    """What a job, or an element of one that is an array, is known by.

    ``run`` is the label by which all that one submitter made is listed in one request.
    """

    run: str
    job: str
    element: int | None = None

    def __str__(self) -> str:
        return f"{self.run}/{self.job}" + ("" if self.element is None else f"/{self.element}")

    @classmethod
    def parse(cls, text: str) -> JobId | None:
        """Return what ``str`` made a text of; None for any other text."""
        parts = text.split("/")
        if len(parts) == 2:
            return cls(parts[0], parts[1])
        if len(parts) == 3 and parts[2].isdecimal():
            return cls(parts[0], parts[1], int(parts[2]))
        return None


def job_name(name: str, token: str) -> str:
    """Return the name of a job at the cluster, the same each time for the same two.

    Args:
        name: of the submission.
        token: of the submission: another for each attempt.
    """
    prefix = re.sub(r"[^a-z0-9]+", "-", name.lower())[:_N_PREFIX].strip("-") or "redun"
    digest = hash_blob(f"{name}\0{token}".encode()).hex()[:24]
    return f"{'redun-' if not prefix[0].isalpha() else ''}{prefix}-{digest}"


def label_value(text: str) -> str:
    """Return a text as the value of a label may be: letters, digits, ``-``, ``_`` and ``.``, at most 63."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", text)[:_N_LABEL].strip("-_.")


def read_indexes(text: str) -> set[int]:
    """Return the numbers of ``completedIndexes``: ``1,3-5,7``."""
    numbers: set[int] = set()
    for part in filter(None, text.split(",")):
        first, _, last = part.partition("-")
        numbers.update(range(int(first), int(last or first) + 1))
    return numbers
