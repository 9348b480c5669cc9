"""The worker's end of a scratch."""

from __future__ import annotations

import json

import pytest

from redun.executors.remote.code_package import pack_code
from redun.executors.remote.delivery import code_paths, deliver, fetch_code
from redun.executors.remote.scratch import Scratch, ScratchError
from redun.hashing import Oid
from redun.objects.headers import CallHeader, JobFacts, OutcomeHeader, Settings, TaskPlace
from redun.objects.parcel import ParcelDamaged, encode_parcel

KEY = "a" * 64
OID = Oid(bytes(32))


def outcome(*, is_error=False):
    error = (None, OID) if is_error else None
    header = OutcomeHeader(OID, "error" if is_error else "value", OID, [], [], [], None, error)
    return encode_parcel(header.encode(), [])


@pytest.fixture
def scratch(tmp_path):
    """A scratch in a folder."""
    return Scratch(str(tmp_path / "scratch"))


def status_of(tmp_path):
    return json.loads((tmp_path / "scratch/jobs" / KEY / "status").read_text())


def test_a_result_is_left(scratch, tmp_path):
    """With how the worker ended, for people."""
    assert deliver(scratch, KEY, b"parcel", lambda _parcel, _contents: outcome())
    assert scratch.find_outcome(KEY, with_error=False).outcome == outcome()
    assert status_of(tmp_path)["exit_code"] == 0
    assert {"host", "redun", "python", "started", "ended"} <= set(status_of(tmp_path))


def test_an_error_is_left_apart(scratch, tmp_path):
    """No run takes it for a result."""
    assert not deliver(scratch, KEY, b"parcel", lambda _parcel, _contents: outcome(is_error=True))
    assert scratch.find_outcome(KEY, with_error=False) is None
    assert scratch.find_outcome(KEY, with_error=True).is_error
    assert status_of(tmp_path)["exit_code"] == 1


def test_a_result_that_is_there_is_left_alone(scratch):
    """A cluster that tries a job again need not run it again."""
    scratch.put_outcome(KEY, b"before", is_error=False)
    assert deliver(scratch, KEY, b"parcel", lambda _parcel, _contents: pytest.fail("ran"))
    assert scratch.find_outcome(KEY, with_error=False).outcome == b"before"


def test_a_node_beside_the_main_one_leaves_nothing(scratch):
    """It runs the call all the same."""
    ran = []
    assert deliver(scratch, KEY, b"parcel", lambda parcel, _: ran.append(parcel) or outcome(), leaves_outcome=False)
    assert (ran, scratch.list_jobs()) == ([b"parcel"], {})


def test_what_is_no_call_is_raised(scratch):
    """There is nobody to leave an outcome for."""

    def run(parcel, contents):
        raise ParcelDamaged("no parcel")

    with pytest.raises(ParcelDamaged):
        deliver(scratch, KEY, b"parcel", run)
    assert scratch.list_jobs() == {}


def test_code_is_unpacked(scratch, tmp_path):
    """From the package of its name."""
    project = tmp_path / "project"
    project.mkdir()
    (project / "wf.py").write_text("1")
    name = scratch.put_code(pack_code(project, ["*.py"]), 0)
    fetch_code(scratch, name, tmp_path / "there")
    assert (tmp_path / "there/wf.py").read_text() == "1"
    with pytest.raises(ScratchError, match="holds no"):
        fetch_code(scratch, f"code/{'0' * 64}.tar.gz", tmp_path / "there")


def test_modules_are_looked_for_where_the_scheduler_does(tmp_path):
    """In the folders of the package that it named, in its order; then in the package itself."""
    place = TaskPlace("t", OID, "m", "", ["src", "/abs/elsewhere", "."])
    header = CallHeader(
        ("1", "3"), place, JobFacts(b"", 0, 1, OID), [], [], OID, None, Settings("content", "closure", 0)
    )
    paths = code_paths(encode_parcel(header.encode(), []), tmp_path)
    assert paths == [str(tmp_path / "src"), str(tmp_path)]
