"""Labels and annotations at a Kubernetes cluster.  Pure.

A job's whole name is in an annotation: what Kubernetes calls it is shorter.
"""

from __future__ import annotations

import re

NAME_ANNOTATION = "redun/name"
RUN_LABEL, TASK_LABEL, EXECUTOR_LABEL = "redun-run", "redun-task", "redun-executor"
MANAGER_LABEL, MANAGER = "app.kubernetes.io/managed-by", "redun"
INDEX_LABEL = "batch.kubernetes.io/job-completion-index"
JOB_NAME_LABEL = "job-name"
"""Set on pods by Kubernetes; newer versions set one with a prefix beside it, and keep this."""

_N_LABEL = 63


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
