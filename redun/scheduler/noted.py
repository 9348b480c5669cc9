"""What the values that a job names ask of whoever wants to reuse a call above it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from redun.objects.execution_records import JobStatus
from redun.objects.kinds import Kind
from redun.scheduler.salt import hides_classes
from redun.scheduler.summary import summary_of
from redun.scheduler.validity import must_be_asked
from redun.value.encoding import find_pickled_types

if TYPE_CHECKING:
    from redun.scheduler.job import Job
    from redun.scheduler.runlog import RunLog
    from redun.value.encoding import Encoded


def note_values(log: RunLog, job: Job, values: list[Any], encoded: list[Encoded]) -> None:
    """Note in a job's summary what the values in its result or reduction depend on; warn of those that are pickled."""
    if any(part.parts or part.kind == Kind.TASK for part in encoded):
        summary_of(job).add_values(encoded)
    if any(map(must_be_asked, values)) or hides_classes(job.facts, encoded):
        summary_of(job).forbid_reuse()
    if job.status == JobStatus.STEPPED:
        return  # whoever made these values was warned
    for part in encoded:
        for name in find_pickled_types(part):
            log.pickled(name)
