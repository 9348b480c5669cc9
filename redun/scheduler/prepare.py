"""The last steps before a job runs: its key and arguments go on record, and it gets what its function is called with.

The order keeps a promise of the store: the arguments of a call are on record before anything that it comes to.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from redun.scheduler.changed_arguments import watch_arguments
from redun.scheduler.owned import ATOMS

if TYPE_CHECKING:
    from redun.scheduler.job import Job
    from redun.scheduler.parts import Parts
    from redun.task.binding import BoundArguments
    from redun.value.encoding import Encoded


def prepare(job: Job, bound: BoundArguments, encoded: list[Encoded], eval_data: bytes, why: str, parts: Parts) -> None:
    """Get a job ready to run.

    Args:
        job: a job that nothing on record answers.
        bound: its arguments.
        encoded: those that are part of its key.
        eval_data: its key, as it is stored.
        why: the reason that it runs, when that is known already.
        parts: what the execution works with.
    """
    assert job.eval is not None
    if job.facts.is_recorded:
        parts.recorder.put_eval(job.eval, eval_data, encoded)
        if not ATOMS.issuperset(map(type, bound.values)):
            job.watched = watch_arguments(bound.hashed(), encoded)
    for part in encoded:
        if part.externals:
            job.given = (job.given or frozenset()).union(part.externals)
    job.args, job.kwargs = bound.call_args()
    job.keeper, job.portal = parts.keeper, parts.portal
    job.line = parts.log.run_line(job, bound, why or parts.reasons.explain(job, encoded))
