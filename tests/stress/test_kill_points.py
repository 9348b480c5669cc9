"""SIGKILL between any two calls of seal, merge, push, pull, gc and run: rounds whose numbers are their seeds.

Each round makes a small world from its seed, kills one piece of work in it, checks that everything is whole, and does
the work again to its end.  The same seed makes the same world and the same kill, so a seed that once found something
finds it again: ``REDUN_STRESS_SEED=N REDUN_STRESS_ROUNDS=1``.
"""

from __future__ import annotations

import os
import random
import shutil
import sys
import time
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pytest

from redun.cli.main import main
from redun.objects.execution_records import RunSubject, TagRecord
from redun.objects.links import walk
from redun.remotes.pull import pull
from redun.remotes.push import push
from redun.remotes.remote import Remote
from redun.store.local_storage import LocalStorage
from redun.store.maintain.fsck import check_repository
from redun.store.maintain.gc import collect
from redun.store.maintain.gc_policy import GcPolicy
from redun.store.maintain.repack import consolidate
from redun.store.repository import Repository
from redun.store.tagging import write_tag_edit
from redun.testing.killing import count_moments, do_and_die
from redun.testing.objects import build_execution, execution_id, made_ref, make_execution

pytestmark = [pytest.mark.stress, pytest.mark.timeout(0)]

LARGE = 1 << 20


@dataclass
class World:
    """Two repositories, here and there, of a seed; and which executions each one must have whole."""

    folder: Path
    chance: random.Random
    own: dict[str, set[int]] = field(default_factory=lambda: {"here": set(), "there": set()})
    batch_objects: int = 250_000

    def path(self, place):
        return self.folder / place / ".redun"

    def make(self, place, n_runs, first):
        """Make some executions in a place, some with large contents, some tagged later, perhaps merged."""
        with Repository.init(self.path(place)) as repository:
            for seed in range(first, first + n_runs):
                blobs = [bytes([self.chance.randrange(3)]) * LARGE] if self.chance.random() < 0.2 else []
                n_jobs = self.chance.choice([1, 3, 20, 120])
                make_execution(repository.store, repository.refs, n_jobs, seed=seed, blobs=blobs)
                self.own[place].add(seed)
                if self.chance.random() < 0.3:
                    subject = RunSubject(made_id(seed), 0)
                    write_tag_edit(repository, [TagRecord(subject, [], "checked", "true", is_deleted=False)])
                if self.chance.random() < 0.3:
                    consolidate(repository.store)

    def remote(self, place):
        cache = LocalStorage(self.folder / "cache of remotes" / place) if self.chance.random() < 0.5 else None
        return Remote(place, LocalStorage(self.path(place)), cache)

    def copy(self):
        """Return the same world once more, in another folder, to try the work in."""
        other = self.folder.with_name(f"{self.folder.name} tried")
        shutil.copytree(self.folder, other)
        return World(other, self.chance, self.own, self.batch_objects)

    def check(self, place):
        """Check that a place is clean, or was only left half done, and has all executions that it must have, whole."""
        if not (self.path(place) / "objects" / "format").exists():
            assert not self.own[place]
            return
        with Repository.open(self.path(place)) as repository:
            check_repository(repository, repair=True)
            report = check_repository(repository)
            assert report.is_clean, (place, report.problems)
            refs = {ref.name[-36:]: ref for ref in repository.refs.iter_refs()}
            missing = {seed for seed in self.own[place] if execution_id(seed) not in refs}
            assert not missing, (place, missing)
            roots = [ref.object for ref in refs.values() if ref.object is not None]
            for _ in walk(roots, repository.store.find_kind_and_data):
                pass


def made_id(seed):
    record = build_execution(1, seed=seed).record
    return record.execution_id


@pytest.fixture
def seeds(rounds):
    """The seeds of an attack: always the same ones."""
    first = int(os.environ.get("REDUN_STRESS_SEED", "0"))
    return range(first, first + rounds)


def attack(world, work):
    """Kill a piece of work at a moment of the world's choice; ``work(world)`` does it."""
    tried = world.copy()
    n_moments = count_moments(lambda: work(tried))
    shutil.rmtree(tried.folder)
    assert do_and_die(lambda: work(world), world.chance.randint(1, n_moments))


def iter_worlds(tmp_path, seeds, verb):
    """Yield a world of each seed, with something in it; the folder of one that was sound goes."""
    for seed in seeds:
        chance = random.Random(f"{verb} {seed}")
        world = World(tmp_path / f"{verb} {seed}", chance)
        if seed % 2:
            world.batch_objects = 40  # transfers in several batches
        world.make("here", chance.randint(1, 5), 0)
        yield world
        shutil.rmtree(world.folder)


def test_a_seal_killed_anywhere_loses_nothing_that_was_flushed(tmp_path, seeds):
    """What was flushed is found by whoever opens next, and a run whose ref was written is there whole."""

    def work(world):
        with Repository.open(world.path("here")) as repository:
            store = repository.store
            made = build_execution(60, seed=50, blobs=[b"5" * LARGE])
            for number, (oid, data, kind) in enumerate(made.objects):
                store.put(oid, data, kind)
                if number == len(made.objects) // 2:
                    store.flush()
                    (world.folder / "flushed").touch()
            made.ref = made_ref(made, tuple(store.seal()))
            repository.refs.write(made.ref)
            (world.folder / "written").touch()
            store.finish()

    for world in iter_worlds(tmp_path, seeds, "seal"):
        attack(world, work)
        if (world.folder / "written").exists():
            world.own["here"].add(50)
        world.check("here")
        if (world.folder / "flushed").exists():
            made = build_execution(60, seed=50, blobs=[b"5" * LARGE])
            with Repository.open(world.path("here")) as repository:
                flushed = made.objects[: len(made.objects) // 2 + 1]
                assert all(repository.store.get(oid) == data for oid, data, _ in flushed)
        work(world)
        world.own["here"].add(50)
        world.check("here")


def test_a_merge_killed_anywhere_loses_nothing(tmp_path, seeds):
    """All executions are whole, and the next merge goes on."""

    def work(world):
        with Repository.open(world.path("here")) as repository:
            consolidate(repository.store)

    for world in iter_worlds(tmp_path, seeds, "merge"):
        attack(world, work)
        world.check("here")
        work(world)
        world.check("here")


def test_a_push_killed_anywhere_leaves_both_sides_whole(tmp_path, seeds):
    """The remote has what it had, and the next push brings the rest."""

    def work(world):
        with Repository.open(world.path("here")) as repository:
            push(repository, world.remote("there"), batch_objects=world.batch_objects)

    for world in iter_worlds(tmp_path, seeds, "push"):
        if world.chance.random() < 0.7:
            world.make("there", world.chance.randint(0, 3), 2)
        attack(world, work)
        world.check("here")
        world.check("there")
        work(world)
        world.own["there"] |= world.own["here"]
        world.check("there")
        with Repository.open(world.path("here")) as repository:
            assert push(repository, world.remote("there")).is_up_to_date


def test_a_pull_killed_anywhere_leaves_both_sides_whole(tmp_path, seeds):
    """The repository has what it had, and the next pull brings the rest."""

    def work(world):
        with Repository.open(world.path("here")) as repository:
            pull(repository, world.remote("there"), batch_objects=world.batch_objects)

    for world in iter_worlds(tmp_path, seeds, "pull"):
        world.make("there", world.chance.randint(1, 5), 3)
        attack(world, work)
        world.check("here")
        world.check("there")
        work(world)
        world.own["here"] |= world.own["there"]
        world.check("here")


def test_a_collection_killed_anywhere_leaves_what_is_kept(tmp_path, seeds):
    """What the policy keeps is whole after the kill, and after the next collection nothing else is left."""

    def work(world, *, n_kept, grace_seconds):
        with Repository.open(world.path("here")) as repository:
            collect(repository, GcPolicy(keep_executions=n_kept, grace_seconds=grace_seconds))

    for world in iter_worlds(tmp_path, seeds, "gc"):
        n_kept = world.chance.randint(0, 3)
        if world.chance.random() < 0.5:  # some things are condemned already
            work(world, n_kept=n_kept + 1, grace_seconds=3600.0)
            world.own["here"] = set(sorted(world.own["here"])[-n_kept - 1 :])
            make_again(world)
        grace_seconds = world.chance.choice([0.0, 0.0, 3600.0])
        world.own["here"] = set(sorted(world.own["here"])[-n_kept:] if n_kept else ())
        attack(world, partial(work, n_kept=n_kept, grace_seconds=grace_seconds))
        world.check("here")
        for _ in range(2):
            work(world, n_kept=n_kept, grace_seconds=0.0)
        world.check("here")
        with Repository.open(world.path("here")) as repository:
            assert len(list(repository.refs.iter_names())) == len(world.own["here"])
            assert n_kept or not list(repository.store.iter_oids())


def make_again(world):
    """Run some of what was dropped again, while it is condemned."""
    with Repository.open(world.path("here")) as repository:
        seed = world.chance.randrange(3)
        make_execution(repository.store, repository.refs, 20, seed=seed)
        world.own["here"].add(seed)


def test_a_run_killed_anywhere_keeps_what_is_on_record(project, seeds):
    """What the record says is finished is not done again, the result is right, and fsck is content."""

    def run(words):
        os.chdir(project.folder)
        sink = os.open(os.devnull, os.O_WRONLY)
        os.dup2(sink, 1)
        os.dup2(sink, 2)
        sys.argv = ["redun", *words]
        assert main(list(words)) == 0

    project.redun("-q", *project.run_words(1, 0, 0.0))
    for seed in seeds:
        chance = random.Random(f"run {seed}")
        size, base = chance.choice([1, 5, 40]), 1000 * (seed + 1)
        words = project.run_words(size, base, 0.0)
        kept = project.folder.with_name("kept")
        shutil.copytree(project.folder, kept)
        n_moments = count_moments(lambda words=words: run(words))
        shutil.rmtree(project.folder)
        kept.rename(project.folder)
        do_and_die(lambda words=words: run(words), chance.randint(n_moments // 3, n_moments))
        project.check_rerun(size, base, 0.0, time.time())
        project.check_sound()
