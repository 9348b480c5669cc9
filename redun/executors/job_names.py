"""Names of jobs at clusters that take DNS labels only, and ids that lead back to them.  Pure.

Such a name has at most 63 characters, and other names are made from it; redun's own have 128.  So a job is named by the
beginning of its name and a digest of all of it.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from redun.hashing import hash_blob

_N_PREFIX, _N_DIGEST = 24, 24


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
    """Return the name of a job at the cluster, the same each time for the same two; at most 55 characters.

    Args:
        name: of the submission.
        token: of the submission: another for each attempt.
    """
    prefix = re.sub(r"[^a-z0-9]+", "-", name.lower())[:_N_PREFIX].strip("-") or "redun"
    digest = hash_blob(f"{name}\0{token}".encode()).hex()[:_N_DIGEST]
    return f"{'redun-' if not prefix[0].isalpha() else ''}{prefix}-{digest}"
