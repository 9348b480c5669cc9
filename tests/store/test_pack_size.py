"""What a job costs on disk."""

from __future__ import annotations

from redun.store.journal import Journal
from redun.store.memory_storage import MemoryStorage
from redun.store.pack import write_pack
from redun.testing.objects import build_execution

MAX_BYTES_PER_JOB = 250
JOBS = 5_000


def test_a_job_costs_at_most_250_bytes(tmp_path):
    """Pack and idx of 5 000 jobs, each with argument, eval, result, call and row; 195 bytes when this was written."""
    journal = Journal.create(tmp_path)
    for oid, data, kind in build_execution(JOBS).objects:
        journal.append(data, kind, oid)
    journal.flush()
    sealed = write_pack(journal.iter_objects(), MemoryStorage())
    per_job = (sealed.pack_size + sealed.idx_size) / JOBS
    print(f"{per_job:.0f} bytes a job: pack {sealed.pack_size / JOBS:.0f}, idx {sealed.idx_size / JOBS:.0f}")
    assert per_job <= MAX_BYTES_PER_JOB
