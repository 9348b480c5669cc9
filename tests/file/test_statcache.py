"""Facts about the stat cache."""

import os
import threading
import time

import msgpack
import pytest

from redun.file.clock import stamp_ceiling_ns, stamp_floor_ns
from redun.file.statcache import Stamp, StatCache, get_stat_cache, use_stat_cache
from redun.hashing import hash_blob

FAR_FUTURE_NS = 4_000_000_000 * 10**9


class CountingOpener:
    """Opens files for real and remembers which."""

    def __init__(self):
        self.opened = []

    def __call__(self, path):
        self.opened.append(path)
        return open(path, "rb", buffering=0)


def make_cache(path=None, *, now_ns=FAR_FUTURE_NS, **kwargs):
    opener = CountingOpener()
    return StatCache(path, clock=lambda: now_ns, opener=opener, **kwargs), opener


def test_an_unchanged_file_is_opened_once(write_old):
    """Hashing a file twice reads it once, and gives the same digest and size."""
    cache, opener = make_cache()
    write_old("a", b"content")
    assert cache.hash_file("a") == cache.hash_file("a") == (hash_blob(b"content"), 7)
    assert len(opener.opened) == 1


def test_the_digest_is_the_blob_oid_of_the_content(write_old):
    """A file's digest is what its content would be called as a blob, also for an empty and a large file."""
    cache, _ = make_cache()
    for content in (b"", b"x", os.urandom(3 << 20)):
        write_old("a", content)
        assert cache.hash_file("a") == (hash_blob(content), len(content))


def test_equal_size_and_mtime_but_other_content_is_noticed(write_old):
    """A program that sets mtime back cannot set ctime back."""
    cache, opener = make_cache()
    write_old("a", b"one")
    before = os.stat("a")
    cache.hash_file("a")
    while os.stat("a").st_ctime_ns == before.st_ctime_ns:
        write_old("a", b"two")
    assert os.stat("a").st_mtime_ns == before.st_mtime_ns
    assert cache.hash_file("a")[0] == hash_blob(b"two")
    assert len(opener.opened) == 2


def test_a_touched_file_is_read_again_and_keeps_its_digest(write_old):
    """Another mtime makes the file be read again, nothing more."""
    cache, opener = make_cache()
    write_old("a", b"one")
    first = cache.hash_file("a")
    os.utime("a", (2_000_000_000, 2_000_000_000))
    assert cache.hash_file("a") == first
    assert len(opener.opened) == 2


def test_a_replaced_file_is_read_again(write_old):
    """A file renamed over the path has another inode."""
    cache, _ = make_cache()
    write_old("a", b"one")
    cache.hash_file("a")
    write_old("b", b"two")
    os.replace("b", "a")
    assert cache.hash_file("a")[0] == hash_blob(b"two")


@pytest.mark.parametrize("age_ns", [0, -1, -4_000_000])
def test_a_file_changed_within_the_tick_of_reading_is_not_trusted(write_old, age_ns):
    """An entry whose stamps are not older than the tick in which reading began is not kept."""
    write_old("a", b"one")
    cache, opener = make_cache(now_ns=os.stat("a").st_ctime_ns + age_ns)
    cache.hash_file("a")
    cache.hash_file("a")
    assert len(opener.opened) == 2
    assert len(cache) == 0


def test_a_file_from_before_the_tick_of_reading_is_trusted(write_old):
    """One nanosecond older than the tick is enough: whatever is written later has a later stamp."""
    write_old("a", b"one")
    cache, opener = make_cache(now_ns=os.stat("a").st_ctime_ns + 1)
    cache.hash_file("a")
    cache.hash_file("a")
    assert len(opener.opened) == 1


def test_an_mtime_in_the_future_is_not_trusted(write_old):
    """A later write may get a stamp equal to one that lies in the future."""
    write_old("a", b"one", mtime=5_000_000_000)
    cache, opener = make_cache()
    cache.hash_file("a")
    cache.hash_file("a")
    assert len(opener.opened) == 2


def test_whole_second_stamps_need_two_seconds_of_age():
    """A stamp of whole seconds comes from a file system that counts in seconds, or in two."""
    second = 10**9
    stamp = Stamp(1, 1, 1, 50 * second, 100 * second)
    assert not stamp.is_settled(100 * second + 1)
    assert not stamp.is_settled(102 * second)
    assert stamp.is_settled(102 * second + 1)
    assert stamp._replace(ctime_ns=100 * second + 7).is_settled(100 * second + 8)


def test_rapid_rewrites_are_always_noticed():
    """With the real clock, a file rewritten hundreds of times in a row never gives a stale digest."""
    cache = StatCache()
    for number in range(600):
        content = b"%04d" % number
        with open("a", "wb") as stream:
            stream.write(content)
        assert cache.hash_file("a")[0] == hash_blob(content)
        assert cache.hash_file("a")[0] == hash_blob(content)


def test_rewrites_in_place_with_a_pinned_mtime_are_always_noticed():
    """The same holds when each rewrite also sets mtime to one fixed moment."""
    cache = StatCache()
    with open("a", "wb") as stream:
        stream.write(b"0000")
    descriptor = os.open("a", os.O_WRONLY)
    for number in range(600):
        content = b"%04d" % number
        os.pwrite(descriptor, content, 0)
        os.utime("a", (1_000_000_000, 1_000_000_000))
        assert cache.hash_file("a")[0] == hash_blob(content)
    os.close(descriptor)


def test_a_file_that_changes_while_it_is_read_is_read_again(write_old):
    """What was read while the file changed is not what is returned."""
    write_old("a", b"old!")

    class ReadsThenChanges(CountingOpener):
        def __call__(self, path):
            stream = super().__call__(path)
            if len(self.opened) > 1:
                return stream
            return _ChangesAtEnd(stream, path)

    opener = ReadsThenChanges()
    cache = StatCache(clock=lambda: FAR_FUTURE_NS, opener=opener)
    assert cache.hash_file("a") == (hash_blob(b"new!!"), 5)
    assert len(opener.opened) == 2


class _ChangesAtEnd:
    """A stream whose file is rewritten by somebody else once its end was read."""

    def __init__(self, stream, path):
        self._stream = stream
        self._path = path

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._stream.close()

    def fileno(self):
        return self._stream.fileno()

    def read(self, size):
        piece = self._stream.read(size)
        if not piece:
            with open(self._path, "wb") as writer:
                writer.write(b"new!!")
        return piece


def test_a_missing_file_is_an_os_error(write_old):
    """A missing file raises, whether it was known or not."""
    cache, _ = make_cache()
    with pytest.raises(FileNotFoundError):
        cache.hash_file("nothing")
    write_old("a", b"x")
    cache.hash_file("a")
    os.remove("a")
    with pytest.raises(FileNotFoundError):
        cache.hash_file("a")


def test_a_relative_path_belongs_to_its_folder(write_old, own_folder, monkeypatch):
    """The same relative path in another working folder is another file."""
    cache, _ = make_cache()
    write_old("a", b"one")
    cache.hash_file("a")
    (own_folder / "sub").mkdir()
    monkeypatch.chdir(own_folder / "sub")
    write_old("a", b"two")
    assert cache.hash_file("a")[0] == hash_blob(b"two")


def test_dots_behind_a_link_are_left_to_the_kernel(write_old, own_folder):
    """``link/../a`` is the file beside what the link points at, not the one beside the link."""
    (own_folder / "far" / "folder").mkdir(parents=True)
    os.symlink(own_folder / "far" / "folder", "link")
    write_old("a", b"near")
    write_old(own_folder / "far" / "a", b"far")
    assert make_cache()[0].hash_file("link/../a")[0] == hash_blob(b"far")


def test_entries_survive_in_the_file(write_old, own_folder):
    """What one process saved, the next one does not read again."""
    write_old("a", b"one")
    first, _ = make_cache(own_folder / "cache" / "stat")
    digest = first.hash_file("a")
    assert first.save()
    second, opener = make_cache(own_folder / "cache" / "stat")
    assert second.hash_file("a") == digest
    assert opener.opened == []
    assert os.listdir(own_folder / "cache") == ["stat"]


@pytest.mark.parametrize("damage", ["empty", "cut", "garbage", "other magic", "other version", "bad row", "folder"])
def test_a_damaged_file_is_an_empty_one(write_old, own_folder, damage):
    """A damaged cache file is ignored, and replaced at the next save if that is possible."""
    path = own_folder / "stat"
    write_old("a", b"one")
    first, _ = make_cache(path)
    first.hash_file("a")
    first.save()
    whole = path.read_bytes()
    rows = msgpack.unpackb(whole)
    damaged = {
        "empty": b"",
        "cut": whole[:-5],
        "garbage": b"\xc1" + whole,
        "other magic": msgpack.packb(["x", *rows[1:]]),
        "other version": msgpack.packb([rows[0], 2, rows[2]]),
        "bad row": msgpack.packb([rows[0], rows[1], [["a", 1, 2, 3, 4, "5", b"x" * 32], ["b"], ["c", 1]]]),
        "folder": None,
    }[damage]
    path.unlink()
    if damaged is None:
        path.mkdir()
    else:
        path.write_bytes(damaged)
    second, opener = make_cache(path)
    assert second.hash_file("a")[0] == hash_blob(b"one")
    assert len(opener.opened) == 1
    assert second.save() is (damaged is not None)


def test_saving_merges_with_what_another_process_wrote(write_old, own_folder):
    """Two processes that started from the same file both find their entries in it at the end."""
    path = own_folder / "stat"
    write_old("a", b"one")
    write_old("b", b"two")
    first, _ = make_cache(path)
    second, _ = make_cache(path)
    first.hash_file("a")
    second.hash_file("b")
    first.save()
    second.save()
    third, opener = make_cache(path)
    third.hash_file("a")
    third.hash_file("b")
    assert opener.opened == []


def test_a_save_does_not_bring_back_older_entries(write_old, own_folder):
    """What was loaded long ago does not take the place of what another process learned since."""
    path = own_folder / "stat"
    write_old("a", b"one")
    write_old("b", b"two")
    first, _ = make_cache(path)
    first.hash_file("a")
    first.save()
    slow, _ = make_cache(path)
    assert slow.hash_file("a")[0] == hash_blob(b"one")
    write_old("a", b"changed")
    quick, _ = make_cache(path)
    quick.hash_file("a")
    quick.save()
    slow.hash_file("b")
    slow.save()
    last, opener = make_cache(path)
    assert last.hash_file("a")[0] == hash_blob(b"changed")
    assert opener.opened == []


def test_concurrent_saves_leave_a_whole_file(write_old, own_folder):
    """Whoever saves last wins, and the file is readable at every moment."""
    path = own_folder / "stat"
    caches = []
    for number in range(6):
        write_old(f"f{number}", b"content %d" % number)
        cache, _ = make_cache(path)
        cache.hash_file(f"f{number}")
        caches.append(cache)
    threads = [threading.Thread(target=cache.save) for cache in caches]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(make_cache(path)[0]) >= 1
    assert os.listdir(own_folder).count("stat") == 1
    assert not [name for name in os.listdir(own_folder) if name.endswith(".tmp")]


def test_a_cache_that_cannot_be_written_is_no_error(write_old, own_folder):
    """Saving below a file, where no folder can be, tells so and raises nothing."""
    (own_folder / "file").write_bytes(b"")
    cache, _ = make_cache(own_folder / "file" / "stat")
    write_old("a", b"one")
    cache.hash_file("a")
    assert cache.save() is False


def test_saving_nothing_new_writes_nothing(write_old, own_folder):
    """A second save leaves the file alone."""
    path = own_folder / "stat"
    cache, _ = make_cache(path)
    write_old("a", b"one")
    cache.hash_file("a")
    cache.save()
    path.unlink()
    assert cache.save() is True
    assert not path.exists()


def test_the_oldest_entries_are_dropped(write_old, own_folder):
    """The number of entries is bounded in memory and on disk."""
    path = own_folder / "stat"
    cache, _ = make_cache(path, max_entries=3)
    for number in range(5):
        write_old(f"f{number}", b"x")
        cache.hash_file(f"f{number}")
    assert len(cache) == 3
    cache.save()
    again, opener = make_cache(path)
    for number in range(5):
        again.hash_file(f"f{number}")
    assert [os.path.basename(name) for name in opener.opened] == ["f0", "f1"]


def test_what_one_process_has_learned_another_takes_over(write_old, own_folder):
    """Once; and what it had learned before stays."""
    path = write_old("a", b"content")
    there, opened_there = make_cache()
    here, opened_here = make_cache()
    assert there.take_fresh() == b""
    there.hash_file(str(path))
    here.adopt(there.take_fresh())
    assert there.take_fresh() == b""
    assert here.hash_file(str(path)) == there.hash_file(str(path)) == (hash_blob(b"content"), 7)
    assert (len(opened_there.opened), len(opened_here.opened)) == (1, 0)


def test_what_cannot_be_read_is_not_taken_over():
    """Bytes of something else."""
    cache, _ = make_cache()
    cache.adopt(b"something else")
    assert len(cache) == 0


def test_many_threads_agree(write_old):
    """Threads that hash the same files at once all get the right digests."""
    for number in range(20):
        write_old(f"f{number}", b"%d" % number)
    cache, _ = make_cache()
    wrong = []

    def work():
        wrong.extend(n for n in range(20) if cache.hash_file(f"f{n}")[0] != hash_blob(b"%d" % n))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert len(cache) == 20


def test_names_that_are_not_utf_8_are_kept(own_folder):
    """A file name of any bytes can be cached and saved."""
    name = os.fsdecode(b"bad\xff name\n")
    with open(name, "wb") as stream:
        stream.write(b"x")
    cache, _ = make_cache(own_folder / "stat")
    cache.hash_file(name)
    assert cache.save()
    again, opener = make_cache(own_folder / "stat")
    again.hash_file(name)
    assert opener.opened == []


def test_the_process_wide_cache_can_be_replaced(stat_cache):
    """``use_stat_cache`` gives back what was in use."""
    other = StatCache()
    assert use_stat_cache(other) is stat_cache
    assert get_stat_cache() is other
    assert use_stat_cache(stat_cache) is other


def test_stamps_lie_between_the_two_clocks():
    """Whether new or rewritten and looked at, a file is stamped between what both clocks read around it."""
    for number in range(300):
        name = f"f{number}" if number % 2 else "again"
        floor = stamp_floor_ns()
        with open(name, "wb") as stream:
            stream.write(b"%d" % number)
        assert floor <= os.stat(name).st_mtime_ns <= stamp_ceiling_ns()
    assert abs(time.time_ns() - stamp_floor_ns()) < 10**9
