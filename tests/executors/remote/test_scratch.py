"""The scratch: what lies where, and what is said when it does not."""

from __future__ import annotations

import os

import pytest

from redun.errors import ExecutorError
from redun.executors.remote.code_package import CodePackage
from redun.executors.remote.scratch import DAY_US, Found, Scratch, ScratchError
from redun.hashing import hash_blob
from redun.store.memory_storage import MemoryStorage

KEY, OTHER = "a" * 64, "b" * 64 + "-01234567"
NOW_US = 1_800_000_000_000_000


@pytest.fixture
def scratch(tmp_path):
    """A scratch in a folder."""
    return Scratch(str(tmp_path / "scratch"))


def test_a_call_and_its_outcome_come_back(scratch):
    """By the call's key."""
    scratch.put_call(KEY, b"parcel")
    assert scratch.read_call(KEY) == b"parcel"
    assert scratch.find_outcome(KEY, with_error=True) is None
    scratch.put_outcome(KEY, b"bad", is_error=True)
    assert scratch.find_outcome(KEY, with_error=False) is None
    assert scratch.find_outcome(KEY, with_error=True) == Found(b"bad", is_error=True)
    scratch.put_outcome(KEY, b"good", is_error=False)
    assert scratch.find_outcome(KEY, with_error=True) == Found(b"good", is_error=False)


def test_files_lie_where_the_format_says(scratch, tmp_path):
    """Docs/format/scratch.md names each."""
    scratch.put_call(KEY, b"parcel")
    scratch.put_outcome(KEY, b"good", is_error=False)
    scratch.put_status(KEY, {"exit_code": 0})
    scratch.put_array("0" * 32, [(KEY, b"1"), (OTHER, b"2")])
    data = b"code"
    scratch.put_code(CodePackage(hash_blob(data).hex(), data), NOW_US)
    scratch.contents.put(hash_blob(b"large"), b"large")
    found = sorted(str(path.relative_to(tmp_path / "scratch")) for path in tmp_path.rglob("*") if path.is_file())
    digits = hash_blob(b"large").hex()
    assert found == [
        f"array_jobs/{'0' * 32}/eval_hashes",
        f"array_jobs/{'0' * 32}/input",
        f"code/{hash_blob(data).hex()}.tar.gz",
        f"jobs/{KEY}/input",
        f"jobs/{KEY}/output",
        f"jobs/{KEY}/status",
        f"objects/blob/{digits[:2]}/{digits}",
    ]


def test_elements_of_an_array_are_read_one_by_one(scratch):
    """Each with its key; there are no others."""
    calls = [(f"{number:064x}", os.urandom(number * 100)) for number in range(20)]
    scratch.put_array("1" * 32, calls)
    assert [scratch.read_element("1" * 32, rank) for rank in range(20)] == calls
    assert scratch.read_array_keys("1" * 32) == [key for key, _ in calls]
    assert scratch.read_array_keys("2" * 32) == []
    for rank in (-1, 20):
        with pytest.raises(ScratchError, match="holds 20 calls"):
            scratch.read_element("1" * 32, rank)


def test_an_array_that_is_damaged_is_refused(scratch, tmp_path):
    """Whether its head, its table or its end is cut off."""
    scratch.put_array("1" * 32, [(KEY, b"x" * 50)])
    path = tmp_path / "scratch/array_jobs" / ("1" * 32) / "input"
    whole = path.read_bytes()
    for length in (0, 10, 24, 30, 40, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(ScratchError, match=r"no array|cut short"):
            scratch.read_element("1" * 32, 0)


def test_what_is_absent_is_told(scratch):
    """With the scratch and the name."""
    with pytest.raises(ScratchError, match=f"holds no jobs/{KEY}/input"):
        scratch.read_call(KEY)


@pytest.mark.parametrize("key", ["", "x", "../" * 21 + "a", KEY + "/", KEY.upper()])
def test_a_key_is_a_hash(scratch, key):
    """Nothing else is looked up."""
    with pytest.raises(ExecutorError, match="64 hex digits"):
        scratch.read_call(key)


def test_code_is_sent_once(scratch, tmp_path):
    """The same package is not written again within a day."""
    package = CodePackage(hash_blob(b"code").hex(), b"code")
    name = scratch.put_code(package, NOW_US)
    path = tmp_path / "scratch" / name
    os.utime(path, ns=((NOW_US - 1000) * 1000,) * 2)
    before = path.stat().st_mtime_ns
    assert scratch.put_code(package, NOW_US) == name
    assert path.stat().st_mtime_ns == before
    scratch.put_code(package, NOW_US + DAY_US)
    assert path.stat().st_mtime_ns != before
    assert scratch.read_code(name) == b"code"


def test_code_is_checked_against_its_name(scratch, tmp_path):
    """A worker runs what was sent, or nothing."""
    name = scratch.put_code(CodePackage(hash_blob(b"code").hex(), b"code"), NOW_US)
    (tmp_path / "scratch" / name).write_bytes(b"other")
    with pytest.raises(ScratchError, match="do not hash to its name"):
        scratch.read_code(name)


def test_a_listing_tells_what_there_is(scratch):
    """By key, with what lies under it."""
    scratch.put_call(KEY, b"parcel")
    scratch.put_outcome(OTHER, b"good", is_error=False)
    assert {key: sorted(names) for key, names in scratch.list_jobs().items()} == {KEY: ["input"], OTHER: ["output"]}


def test_what_is_done_is_removed(scratch):
    """All of a call, all of an array."""
    scratch.put_call(KEY, b"parcel")
    scratch.put_outcome(KEY, b"good", is_error=False)
    scratch.put_array("1" * 32, [(KEY, b"parcel")])
    scratch.remove_call(KEY)
    scratch.remove_array("1" * 32)
    assert scratch.list_jobs() == {}
    assert scratch.read_array_keys("1" * 32) == []


def test_what_is_old_is_swept(tmp_path):
    """What calls share is kept for twice as long."""
    scratch = Scratch(str(tmp_path))
    ages = {"jobs/a/input": 11, "jobs/b/input": 9, "code/a": 11, "code/b": 21, "objects/blob/aa/a": 21, "other": 99}
    for name, days in ages.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
        os.utime(tmp_path / name, ns=((NOW_US - days * DAY_US) * 1000,) * 2)
    assert scratch.sweep(NOW_US, 10 * DAY_US) == 3
    left = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file())
    assert left == ["code/a", "jobs/b/input", "other"]


def test_a_scratch_that_cannot_be_written_is_told(tmp_path):
    """It is named, with what to do."""
    (tmp_path / "file").touch()
    with pytest.raises(ScratchError, match="cannot be written") as caught:
        Scratch(str(tmp_path / "file")).put_call(KEY, b"parcel")
    assert caught.value.hint


def test_a_scratch_of_no_known_kind_is_told():
    """When it is opened."""
    with pytest.raises(ScratchError, match="nosuch://there"):
        Scratch("nosuch://there")


def test_any_storage_will_do():
    """A scratch needs nothing that a bucket does not have."""
    scratch = Scratch("memory", storage=MemoryStorage())
    scratch.put_array("1" * 32, [(KEY, b"parcel")])
    assert scratch.read_element("1" * 32, 0) == (KEY, b"parcel")


def test_a_relative_path_starts_at_the_base(tmp_path):
    """Not where the process happens to be."""
    assert Scratch("some/where", tmp_path).url == str(tmp_path / "some/where")
