"""Facts about what a job produced."""

import asyncio
import os
import threading

from redun.file import File
from redun.file.identity import identify
from redun.file.produced import is_executable, mark_end, mark_start, track_writes, was_produced

SECOND_NS = 10**9


def put(path, content="x"):
    with open(path, "w") as stream:
        stream.write(content)


def set_mtime_ns(path, mtime_ns):
    os.utime(path, ns=(mtime_ns, mtime_ns))


def test_a_file_written_while_the_job_ran_was_produced():
    """However the job wrote it: here by plain Python, many times at once after the start."""
    for number in range(50):
        start = mark_start()
        put(f"f{number}")
        assert was_produced(File(f"f{number}"), start, mark_end())


def test_a_file_from_before_the_job_was_not_produced():
    """A source that the result merely names is not the job's."""
    put("a")
    set_mtime_ns("a", mark_start() - SECOND_NS)
    assert not was_produced(File("a"), mark_start(), mark_end())


def test_a_file_from_after_the_job_was_not_produced():
    """Somebody else wrote it."""
    put("a")
    start, end = mark_start(), mark_end()
    set_mtime_ns("a", end + 1)
    assert not was_produced(File("a"), start, end)
    set_mtime_ns("a", end)
    assert was_produced(File("a"), start, end)
    set_mtime_ns("a", start)
    assert was_produced(File("a"), start, end)
    set_mtime_ns("a", start - 1)
    assert not was_produced(File("a"), start, end)
    assert end >= start


def test_a_file_written_through_the_api_was_produced_whatever_its_mtime():
    """An mtime set by hand hides nothing that redun wrote itself."""
    start = mark_start()
    with track_writes() as writes:
        File("a").write("x")
        File("a").touch(1000)
        assert was_produced(File("a"), start, mark_end())
    assert was_produced(File("a"), start, mark_end(), writes)
    assert not was_produced(File("a"), start, mark_end())


def test_another_spelling_of_a_written_path_was_produced():
    """The file counts, not how its path is written."""
    with track_writes() as writes:
        File("a").write("x")
    os.utime("a", (5, 5))
    for path in ("./a", os.path.abspath("a"), f"file://{os.path.abspath('a')}"):
        assert was_produced(File(path), 0, 1, writes)


def test_writes_of_another_thread_are_not_this_jobs():
    """Jobs run in threads beside each other, each with writes of its own."""
    with track_writes() as writes:
        thread = threading.Thread(target=lambda: File("a").write("x"))
        thread.start()
        thread.join()
    assert writes == set()


def test_writes_of_another_async_task_are_not_this_jobs():
    """Async jobs share a thread, and still have writes of their own."""

    async def job(name, barrier):
        with track_writes() as writes:
            await barrier.wait()
            File(name).write("x")
            await asyncio.sleep(0)
            return {os.path.basename(path) for path in writes}

    async def main():
        gate = asyncio.Event()
        tasks = [asyncio.create_task(job(name, gate)) for name in "ab"]
        await asyncio.sleep(0)
        gate.set()
        return await asyncio.gather(*tasks)

    assert asyncio.run(main()) == [{"a"}, {"b"}]


def test_nested_jobs_keep_their_writes_apart():
    """An inner run gives the outer one back when it ends."""
    with track_writes() as outer:
        with track_writes() as inner:
            File("a").write("x")
        File("b").write("x")
    assert [os.path.basename(path) for path in inner] == ["a"]
    assert [os.path.basename(path) for path in outer] == ["b"]


def test_what_is_no_file_was_not_produced():
    """Absent files, folders, devices and listings are nothing that could be restored."""
    start = mark_start()
    os.mkdir("d")
    put("d/a")
    os.mkfifo("pipe")
    end = mark_end()
    assert not was_produced(File("none"), start, end)
    assert not was_produced(File("pipe"), start, end)
    assert not was_produced(identify("d", "tree"), start, end)
    assert not was_produced(identify("d/a", "glob"), start, end)
    assert was_produced(identify("d/a"), start, end)


def test_a_remote_file_was_produced_only_through_the_api():
    """Nobody's clock but its server's stamps a remote file."""
    with track_writes() as writes:
        File("memory://produced/a").write("x")
    File("memory://produced/b").write("x")
    assert was_produced(File("memory://produced/a"), 0, mark_end(), writes)
    assert not was_produced(File("memory://produced/b"), 0, mark_end(), writes)


def test_an_executable_file_is_one_that_its_owner_may_execute():
    """The owner's bit counts; a missing file has none."""
    put("a")
    assert not is_executable("a")
    os.chmod("a", 0o700)
    assert is_executable("a")
    assert not is_executable("none")
