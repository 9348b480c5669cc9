"""Starts jobs at Google Batch: a Job for each, and one of many tasks for an array."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from redun.executors.gcp_batch.request import ARRAY_LABEL, MANAGER_LABEL, NAME_VARIABLE, RUN_LABEL, build_job
from redun.executors.gcp_batch.service import BatchService, GoogleRefused, GoogleUnavailable
from redun.executors.gcp_batch.states import (
    LIVE_STATES,
    counts_of,
    index_of_task,
    state_of_job,
    state_of_task,
    tags_of,
    why_failed,
)
from redun.executors.job_names import JobId, job_name
from redun.executors.remote.submitter import RemoteState, RemoteStatus, Submission, Submitter, SubmitterError

MAX_ARRAY_SIZE = 10_000
_ENDED = (RemoteStatus.SUCCEEDED, RemoteStatus.FAILED)
_Counts = Mapping[str, int]


class GCPBatchSubmitter(Submitter):
    """Talks to Google Batch in one region of one project.

    Args:
        name: of the executor.
        values: the value of every option of its section.
        make_token: gives the label by which all that this submitter makes is listed, and tokens to submissions that
            have none.
    """

    array_rank_variable = "BATCH_TASK_INDEX"
    max_array_size = MAX_ARRAY_SIZE

    def __init__(
        self, name: str, values: Mapping[str, Any], *, make_token: Callable[[], str] = lambda: uuid.uuid4().hex
    ) -> None:
        self._name = name
        self._service = BatchService(values["project"], values["region"])
        self._make_token = make_token
        self._run = make_token()[:12]
        # By job: what its tasks were when it last told these counts.
        self._tasks: dict[str, tuple[_Counts, str, dict[int, RemoteState]]] = {}

    def check(self) -> None:
        try:
            self._service.probe()
        except GoogleUnavailable as error:
            hint = "see that `gcloud batch jobs list` works"
            raise SubmitterError(f"executor {self._name!r}: {error}", hint=hint) from error
        except GoogleRefused as error:
            raise SubmitterError(f"executor {self._name!r}: {error}", hint=error.hint) from error

    def submit(self, submission: Submission) -> list[str]:
        token = submission.token or self._make_token()
        name = job_name(submission.name, token)
        try:
            self._service.create_job(name, build_job(submission, run=self._run), str(uuid.UUID(token)))
        except GoogleRefused as error:
            # The name is of this submission alone: it is there because an answer was lost, and this is its repetition.
            if error.code != 409:
                raise SubmitterError(f"executor {self._name!r}: {error}", hint=error.hint) from error
        if not submission.is_array:
            return [str(JobId(self._run, name))]
        return [str(JobId(self._run, name, index)) for index in range(submission.size)]

    def poll(self, ids: Sequence[str]) -> dict[str, RemoteState]:
        asked = {text: JobId.parse(text) for text in ids}
        jobs = self._find_jobs(job_id for job_id in asked.values() if job_id is not None)
        return {text: self._state_of(job_id, jobs) for text, job_id in asked.items()}

    def cancel(self, ids: Sequence[str], reason: str) -> None:  # noqa: ARG002 - Google takes no reason
        wanted: dict[str, set[int | None]] = {}
        known = [job_id for job_id in map(JobId.parse, ids) if job_id is not None]
        for job_id in known:
            wanted.setdefault(job_id.job, set()).add(job_id.element)
        for name, job in self._find_jobs(known).items():
            # Google ends whole jobs only: an element goes on while one that is wanted does.
            if name in wanted and self._unfinished(name, job) <= wanted[name]:
                self._service.cancel_job(name)

    def fetch_log(self, job_id: str, max_lines: int) -> list[str]:
        found = JobId.parse(job_id)
        job = self._find_jobs([found]).get(found.job) if found is not None else None
        if found is None or job is None:
            return []
        return self._service.read_log(job, found.element or 0, max_lines)

    def find_live(self, prefix: str) -> dict[str, str]:
        live: dict[str, str] = {}
        for job in self._service.iter_jobs(MANAGER_LABEL, "true"):
            spec = job.task_groups[0].task_spec
            name = spec.environment.variables.get(NAME_VARIABLE, "")
            if job.status.state.name not in LIVE_STATES or not name.startswith(prefix):
                continue
            cluster_name, run = job.name.rpartition("/")[2], job.labels[RUN_LABEL]
            for index in self._unfinished(cluster_name, job):
                shown = name if index is None else f"{name}:{index}"
                live[shown] = str(JobId(run, cluster_name, index))
        return live

    def close(self) -> None:
        self._service.close()

    def _find_jobs(self, ids: Iterable[JobId]) -> dict[str, Any]:
        """Return the jobs of all runs that ids are of, by name: one listing for each run.

        What a listing lacks is asked for by name: that a job is gone is believed to nobody else.
        """
        asked = list(ids)
        runs = sorted({job_id.run for job_id in asked})
        jobs = {job.name.rpartition("/")[2]: job for run in runs for job in self._service.iter_jobs(RUN_LABEL, run)}
        for name in {job_id.job for job_id in asked} - set(jobs):
            job = self._service.find_job(name)
            if job is not None:
                jobs[name] = job
        return jobs

    def _state_of(self, job_id: JobId | None, jobs: Mapping[str, Any]) -> RemoteState:
        job = jobs.get(job_id.job) if job_id is not None else None
        if job_id is None or job is None:
            return RemoteState(RemoteStatus.GONE, "Google Batch has no such job")
        if job_id.element is not None:
            return self._element_states(job_id.job, job).get(job_id.element, state_of_job(job))
        state = state_of_job(job)
        if state.status is not RemoteStatus.FAILED:
            return state
        failed = (task for task in self._service.iter_tasks(job_id.job) if task.status.state.name == "FAILED")
        first = next(failed, None)
        return RemoteState(state.status, (why_failed(first) if first else "") or state.reason, tags_of(job))

    def _element_states(self, name: str, job: Any) -> dict[int, RemoteState]:
        """Return how the tasks of a job fare; they are listed only when the job tells that something has changed."""
        counts, state = counts_of(job), job.status.state.name
        known = self._tasks.get(name)
        if known is None or known[:2] != (counts, state):
            tasks = self._service.iter_tasks(name)
            states = {index_of_task(task.name): state_of_task(job, task) for task in tasks}
            self._tasks[name] = known = (counts, state, states)
        return known[2]

    def _unfinished(self, name: str, job: Any) -> set[int | None]:
        if job.status.state.name not in LIVE_STATES:
            return set()
        if not _is_array(job):
            return {None}
        states = self._element_states(name, job)
        numbers = range(int(job.task_groups[0].task_count))
        return {index for index in numbers if index not in states or states[index].status not in _ENDED}


def _is_array(job: Any) -> bool:
    return bool(job.labels.get(ARRAY_LABEL) == "true")
