"""Repairs of a repository in which several files are damaged: killed between any two calls, or from a damaged remote.

Each round makes its damage and chooses its moment from its number, as in ``test_kill_points.py``:
``REDUN_STRESS_SEED=N REDUN_STRESS_ROUNDS=1`` repeats one.
"""

from __future__ import annotations

import os
import random
import shutil
from functools import partial

import pytest

from redun.remotes.push import push
from redun.remotes.remote import Remote
from redun.remotes.repair import RemoteSource
from redun.store.base import ObjectCorrupt, ObjectMissing
from redun.store.local_storage import LocalStorage
from redun.store.maintain.fsck import check_repository
from redun.store.maintain.mend import mend_repository
from redun.store.repository import Repository
from redun.testing.killing import count_moments, do_and_die
from redun.testing.objects import MadeFile, make_execution

pytestmark = [pytest.mark.stress, pytest.mark.timeout(0)]

LARGE = 1 << 20


def make(folder, chance):
    """Make some executions, and push them to a remote beside it."""
    with Repository.init(folder / "here") as repository:
        for seed in range(chance.randint(1, 4)):
            blobs = [bytes([chance.randrange(3)]) * LARGE] if chance.random() < 0.5 else []
            files = [MadeFile("out.txt", b"content %d" % seed)]
            make_execution(
                repository.store, repository.refs, chance.choice([1, 20, 300]), seed=seed, blobs=blobs, files=files
            )
        Repository.init(folder / "there").close()
        push(repository, Remote("there", LocalStorage(folder / "there")))


def damage(place, chance):
    """Damage up to three files: a wrong byte, a cut, or the file is gone, all but a ref, which leaves no trace."""
    paths = sorted(path for path in place.rglob("*") if path.is_file())
    paths = [path for path in paths if {"pack", "blob", "refs"} & set(path.parts)]
    for path in chance.sample(paths, min(len(paths), chance.randint(1, 3))):
        content = bytearray(path.read_bytes())
        how = chance.choice(["flip", "flip", "cut", "gone"])
        if how == "gone" and "refs" not in path.parts:
            path.unlink()
        elif how == "cut":
            path.write_bytes(content[: chance.randrange(len(content))])
        else:
            content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
            path.write_bytes(content)


def repair(folder):
    with Repository.open(folder / "here") as repository:
        return mend_repository(repository, [RemoteSource(repository, Remote("there", LocalStorage(folder / "there")))])


def read(folder):
    """Return the names of all objects that can be read."""
    found = set()
    with Repository.open(folder / "here", writable=False) as repository:
        for oid, _ in list(repository.store.iter_oids()):
            try:
                repository.store.get(oid)
            except (ObjectCorrupt, ObjectMissing):
                continue
            found.add(oid)
    return found


def test_a_repair_killed_anywhere_is_done_again(tmp_path, rounds):
    """What could be read still can after the kill, and everything is there after the next repair."""
    first = int(os.environ.get("REDUN_STRESS_SEED", "0"))
    for seed in range(first, first + rounds):
        chance = random.Random(f"repair {seed}")
        folder = tmp_path / f"repair {seed}"
        make(folder, chance)
        expected = read(folder)
        damage(folder / "here", chance)
        readable = read(folder)
        tried = shutil.copytree(folder, tmp_path / "tried")
        n_moments = count_moments(partial(repair, tried))
        shutil.rmtree(tried)
        assert do_and_die(partial(repair, folder), chance.randint(1, n_moments)), seed
        assert read(folder) >= readable, seed
        report = repair(folder)
        assert report.is_clean, (seed, report.problems)
        with Repository.open(folder / "here", writable=False) as repository:
            report = check_repository(repository)
            assert report.is_clean, (seed, report.problems)
        assert read(folder) == expected, seed
        shutil.rmtree(folder)


def test_a_repair_from_a_damaged_remote_loses_nothing(tmp_path, rounds):
    """Whatever can be read on either side can be read here afterwards, and a sound remote makes it whole then."""
    first = int(os.environ.get("REDUN_STRESS_SEED", "0"))
    for seed in range(first, first + rounds):
        chance = random.Random(f"damaged remote {seed}")
        folder = tmp_path / f"damaged remote {seed}"
        make(folder, chance)
        expected = read(folder)
        sound = shutil.copytree(folder / "there", tmp_path / "sound")
        damage(folder / "here", chance)
        damage(folder / "there", chance)
        readable = read(folder)
        repair(folder)
        assert expected >= read(folder) >= readable, seed
        shutil.rmtree(folder / "there")
        sound.rename(folder / "there")
        report = repair(folder)
        assert report.is_clean, (seed, report.problems)
        assert read(folder) == expected, seed
        shutil.rmtree(folder)
