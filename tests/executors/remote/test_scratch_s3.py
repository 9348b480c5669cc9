"""A scratch in a bucket of a real S3 server."""

from __future__ import annotations

import os

import pytest

from redun.executors.remote.code_package import CodePackage
from redun.executors.remote.scratch import Scratch, ScratchError
from redun.hashing import hash_blob
from redun.scheduler.scheduler import Scheduler
from redun.testing import executor_tasks as tasks

KEY = "a" * 64


def test_a_bucket_does_what_a_folder_does(s3_bucket):
    """Calls, arrays, outcomes, code, listings and their removal."""
    scratch = Scratch(f"{s3_bucket}/some/prefix")
    assert scratch.list_jobs() == {}
    calls = [(f"{number:064x}", os.urandom(number * 50)) for number in range(5)]
    scratch.put_array("1" * 32, calls)
    assert [scratch.read_element("1" * 32, rank) for rank in range(5)] == calls
    scratch.put_call(KEY, b"parcel")
    assert scratch.find_outcome(KEY, with_error=True) is None
    scratch.put_outcome(KEY, b"good", is_error=False)
    assert {key: sorted(names) for key, names in scratch.list_jobs().items()} == {KEY: ["input", "output"]}
    name = scratch.put_code(CodePackage(hash_blob(b"code").hex(), b"code"), 0)
    assert scratch.read_code(name) == b"code"
    scratch.remove_call(KEY)
    scratch.remove_array("1" * 32)
    assert scratch.list_jobs() == {}
    assert scratch.read_array_keys("1" * 32) == []


def test_a_bucket_that_may_not_be_used_is_told(s3_bucket, monkeypatch):
    """With its URL, and not after minutes."""
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    import s3fs

    s3fs.S3FileSystem.clear_instance_cache()
    scratch = Scratch(f"{s3_bucket}/prefix")
    for verb in (scratch.list_jobs, lambda: scratch.put_call(KEY, b"parcel")):
        with pytest.raises(ScratchError, match=s3_bucket):
            verb()
    s3fs.S3FileSystem.clear_instance_cache()


def test_jobs_run_by_way_of_a_bucket(s3_bucket, make_remote):
    """An array, with values that are too large for parcels."""
    executor = make_remote(scratch=f"{s3_bucket}/scratch", min_array_size=2, job_stale_time=0.2)
    scheduler = Scheduler()
    scheduler.add_executor(executor)
    large = os.urandom(2 << 20)
    add = tasks.add.options(executor="remote")
    assert scheduler.run([add(large, b"1"), add(large, b"2")]) == [large + b"1", large + b"2"]
