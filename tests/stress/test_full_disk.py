"""A disk that fills up under the repository: a real, small file system mounted on ``.redun``."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

pytestmark = [
    pytest.mark.stress,
    pytest.mark.timeout(0),
    pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small disk needs root"),
]

SIZE = 200
SIZES_KIB = (8, 16, 24, 40, 60, 90, 130, 200, 300)


@contextmanager
def small_disk(folder: Path, size_kib: int) -> Iterator[None]:
    """Mount a file system of so many KiB on a folder."""
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size_kib}k", "tmpfs", folder], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


@pytest.mark.parametrize("size_kib", SIZES_KIB)
def test_a_full_disk_is_told_and_nothing_on_record_is_lost(project, size_kib):
    """The run ends with its result or with one clear line; with space again, the next one goes on from there."""
    with small_disk(project.store, size_kib):
        words = project.run_words(SIZE, 0, 0.0)
        for _ in range(2):
            done = project.redun("-q", *words, code=None)
            assert done.code in (0, 1)
            if done.code:
                assert "No space left on device" in done.stderr
                assert "free some space" in done.stderr
            else:
                assert done.stdout.strip() == str(sum(range(SIZE)))
            if (project.store / "objects" / "format").exists():
                project.redun("fsck")
                project.redun("log")
        kept = project.finished_leaves()
        subprocess.run(["mount", "-o", "remount,size=20m", project.store], check=True)
        before = len(project.notes())
        assert project.redun("-q", *words).stdout.strip() == str(sum(range(SIZE)))
        again = {n for word, n, _ in project.notes()[before:] if word == "start"}
        assert not again & kept, "on record as finished, and run again"
        project.check_outputs(SIZE, 0)
        assert "note" not in project.redun("fsck").stdout
        assert not list((project.store / "objects" / "journal").iterdir())


@pytest.mark.parametrize("verb", ["push", "pull"])
@pytest.mark.parametrize("size_kib", [8, 40])
def test_a_transfer_to_a_full_disk_is_taken_up_again(project, make_project, tmp_path, verb, size_kib):
    """It fails with one clear line, what is there is whole, and with space again the next one brings the rest."""
    other = make_project("other")
    project.redun("-q", *project.run_words(SIZE, 0, 0.0))
    target = tmp_path / "remote" if verb == "push" else other.store
    project.redun("remote", "add", "origin", "../remote")
    if verb == "pull":
        project.redun("push")
    with small_disk(target, size_kib):
        if verb == "pull":
            (target / "redun.ini").write_text("[remotes.origin]\nurl = ../remote\n")
            other.redun("init", code=None)
        actor = project if verb == "push" else other
        done = actor.redun(verb, code=None)
        assert done.code == 1
        assert "No space left on device" in done.stderr
        subprocess.run(["mount", "-o", "remount,size=20m", target], check=True)
        if verb == "pull":
            other.redun("init")
        actor.redun(verb)
        actor.redun("-c", str(target), "fsck")
