"""Disks that write less than they are given, each time: half of it, and say so, as POSIX allows."""

from __future__ import annotations

import shutil
import subprocess
import sys

import pytest

pytestmark = [pytest.mark.stress, pytest.mark.timeout(600)]

SHORT_WRITES = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

static size_t half(int fd, size_t n) {
    struct stat found;
    return n > 1 && fd > 2 && !fstat(fd, &found) && S_ISREG(found.st_mode) ? (n + 1) / 2 : n;
}

ssize_t write(int fd, const void *bytes, size_t n) {
    return ((ssize_t (*)(int, const void *, size_t))dlsym(RTLD_NEXT, "write"))(fd, bytes, half(fd, n));
}

ssize_t pwrite64(int fd, const void *bytes, size_t n, off64_t at) {
    ssize_t (*next)(int, const void *, size_t, off64_t) = dlsym(RTLD_NEXT, "pwrite64");
    return next(fd, bytes, half(fd, n), at);
}

ssize_t pwrite(int fd, const void *bytes, size_t n, off_t at) { return pwrite64(fd, bytes, n, at); }
"""
PROBE = "import os; print(os.write(os.open('probe', os.O_CREAT | os.O_WRONLY), bytes(10)))"
SIZE = 20


@pytest.fixture
def preloaded(tmp_path):
    """The environment in which each write to a file is cut short."""
    if shutil.which("gcc") is None:
        pytest.skip("there is no compiler: apt-get install gcc")
    source, library = tmp_path / "short_writes.c", tmp_path / "short_writes.so"
    source.write_text(SHORT_WRITES)
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True)
    found = {"LD_PRELOAD": str(library)}
    probe = [sys.executable, "-c", PROBE]
    assert subprocess.run(probe, cwd=tmp_path, env=found, capture_output=True, check=True).stdout == b"5\n"
    return found


def test_what_is_written_in_halves_is_whole(make_project, tmp_path, preloaded):
    """Runs, transfers, bundles, merges and collections come to what they come to elsewhere, on both sides."""
    project, other = make_project("project"), make_project("other")
    for each in (project, other):
        each.environment = {**each.environment, **preloaded}
        each.redun("remote", "add", "origin", str(tmp_path / "remote"))
    other.redun("init")
    for base in (0, 100, 200):
        done = project.redun("-q", *project.run_words(SIZE, base, 0.0))
        assert done.stdout.strip() == str(sum(range(base, base + SIZE)))
    project.redun("push")
    other.redun("pull")
    project.redun("bundle", "create", str(tmp_path / "all.bundle"))
    other.redun("bundle", "apply", str(tmp_path / "all.bundle"))
    for each in (project, other):
        each.redun("repack", "--all")
        each.redun("gc", "--keep-executions", "2", "--grace", "0", "--apply")
        assert each.redun("fsck").stdout.endswith("Clean.\n")
    assert other.redun("-r", "origin", "fsck").stdout.endswith("Clean.\n")
    before = len(other.notes())
    other.redun("-q", *other.run_words(SIZE, 200, 0.0))
    assert len(other.notes()) == before, "what was pulled ran again"
    project.check_outputs(SIZE, 200)
    other.check_outputs(SIZE, 200)
