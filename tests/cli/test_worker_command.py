"""``redun worker``: what a cluster runs."""

from __future__ import annotations

import sys

import pytest

from redun.executors.remote.code_package import pack_code
from redun.executors.remote.scratch import Scratch
from redun.objects.headers import CallHeader, JobFacts, Settings, TaskPlace
from redun.objects.parcel import encode_parcel
from redun.testing import executor_tasks
from redun.value.encoding import encode_value
from redun.version import __version__

KEY = "c" * 64


@pytest.fixture
def scratch(tmp_path):
    """A scratch in a folder."""
    return Scratch(str(tmp_path / "scratch"))


def parcel_of(python=f"{sys.version_info.major}.{sys.version_info.minor}"):
    """A call of ``same(None)``."""
    task, none, options = executor_tasks.same, encode_value(None), encode_value({})
    place = TaskPlace(task.fullname, task.oid, "redun.testing.executor_tasks", "", [])
    job = JobFacts(bytes(16), 1, 1, none.oid)
    header = CallHeader(
        (__version__, python), place, job, [none.oid], [], options.oid, None, Settings("content", "closure", 0)
    )
    return encode_parcel(header.encode(), [(one.oid, one.data, int(one.kind)) for one in (none, options)])


def test_a_call_is_run_and_its_outcome_left(redun_command, scratch):
    """Exit code 0 says that it is a result; nothing is printed."""
    scratch.put_call(KEY, parcel_of())
    assert redun_command("worker", "--scratch", scratch.url, "--job", KEY).stdout == ""
    assert scratch.find_outcome(KEY, with_error=False) is not None


def test_an_element_of_an_array_is_run(redun_command, scratch):
    """By the number in the variable that is named."""
    scratch.put_array("0" * 32, [("a" * 64, b"none"), (KEY, parcel_of())])
    flags = ("worker", "--scratch", scratch.url, "--array", "0" * 32, "--array-rank-env", "RANK")
    redun_command(*flags, RANK="1")
    assert set(scratch.list_jobs()) == {KEY}
    assert "RANK" in redun_command(*flags, code=2).stderr
    assert "holds 2 calls" in redun_command(*flags, RANK="2", code=1).stderr


def test_a_worker_of_another_python_refuses(redun_command, scratch):
    """The outcome is an error that names both versions, and the exit code is 1."""
    scratch.put_call(KEY, parcel_of(python="2.7"))
    redun_command("worker", "--scratch", scratch.url, "--job", KEY, code=1)
    found = scratch.find_outcome(KEY, with_error=True)
    assert found.is_error
    assert b"2.7" in found.outcome
    assert f"{sys.version_info.major}.{sys.version_info.minor}".encode() in found.outcome


def test_what_is_no_call_is_told(redun_command, scratch):
    """In the log of the cluster's job, with exit code 1."""
    assert "holds no" in redun_command("worker", "--scratch", scratch.url, "--job", KEY, code=1).stderr
    scratch.put_call(KEY, b"damaged")
    assert "parcel" in redun_command("worker", "--scratch", scratch.url, "--job", KEY, code=1).stderr


def test_a_command_runs_in_the_code_that_was_sent(redun_command, scratch, tmp_path):
    """Its exit code is the worker's, and nothing is left behind."""
    (tmp_path / "project").mkdir()
    (tmp_path / "project/tool.py").write_text("import os, sys; print(os.listdir()); sys.exit(7)")
    name = scratch.put_code(pack_code(tmp_path / "project", ["*.py"]), 0)
    flags = ("worker", "--scratch", scratch.url, "--code", name, "--")
    assert redun_command(*flags, sys.executable, "tool.py", code=7).stdout == "['tool.py']\n"


@pytest.mark.parametrize("words", [(), ("--job", KEY, "--array", "0" * 32), ("--job", KEY, "--", "true")])
def test_it_is_one_thing_that_is_to_be_run(redun_command, scratch, words):
    """A call, an element of an array, or a command."""
    assert "expected one of" in redun_command("worker", "--scratch", scratch.url, *words, code=2).stderr
