"""Collections among runs, pushes and pulls, in any order: what is kept is whole, whoever has begun what before."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from redun.objects.links import walk
from redun.remotes.pull import pull
from redun.remotes.push import push
from redun.remotes.remote import Remote
from redun.store.maintain.fsck import check_repository
from redun.store.maintain.gc import collect
from redun.store.maintain.gc_policy import GcPolicy
from redun.store.maintain.repack import consolidate
from redun.store.repository import Repository
from redun.testing.objects import execution_id, make_execution

NAMES = ("a", "b")
places = st.sampled_from(NAMES)
GRACE_SECONDS = 3600.0
_OTHER = {"a": "b", "b": "a"}


class Collecting(RuleBasedStateMachine):
    """Two repositories, each the other's remote; the model is which executions each one has."""

    @initialize()
    def make(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.repositories = {name: Repository.init(self.folder / name) for name in NAMES}
        self.own: dict[str, set[int]] = {name: set() for name in NAMES}
        self.next_seed = 0

    @rule(place=places, n_jobs=st.integers(1, 30), is_large=st.booleans(), shared=st.integers(0, 2))
    def run(self, place: str, n_jobs: int, is_large: bool, shared: int) -> None:
        """A workflow runs; large contents are shared by some runs."""
        seed, self.next_seed = self.next_seed, self.next_seed + 1
        repository = self.repositories[place]
        blobs = [b"%d" % shared * (1 << 20)] if is_large else []
        make_execution(repository.store, repository.refs, n_jobs, seed=seed, blobs=blobs)
        self.own[place].add(seed)

    @rule(place=places, seed=st.integers(0, 20))
    def run_again(self, place: str, seed: int) -> None:
        """What ran once, and may be condemned by now, runs again and comes to the same."""
        seed = min(seed, self.next_seed)
        self.next_seed = max(self.next_seed, seed + 1)
        repository = self.repositories[place]
        make_execution(repository.store, repository.refs, 4, seed=seed)
        self.own[place].add(seed)

    @rule(source=places)
    def push(self, source: str) -> None:
        """Everything in one place goes to the other."""
        other = _OTHER[source]
        report = push(self.repositories[source], self._remote(other))
        assert not report.skipped
        self.own[other] |= self.own[source]

    @rule(source=places)
    def pull(self, source: str) -> None:
        """Everything in the other place, and what was seen there before, becomes our own."""
        other = _OTHER[source]
        repository = self.repositories[other]
        seen = {self._seed(ref.name) for ref in repository.refs.iter_refs(remote=source)}
        pull(repository, self._remote(source))
        self.own[other] |= self.own[source] | seen

    @rule(place=places)
    def drop_and_pull(self, place: str) -> None:
        """All is dropped in one place, and what the other has comes back while it is condemned."""
        self.collect(place=place, n_kept=0, waits=False)
        self.push(source=place)
        self.pull(source=_OTHER[place])

    @rule(place=places)
    def merge(self, place: str) -> None:
        """Packs are merged, as after each run."""
        consolidate(self.repositories[place].store)

    @rule(place=places, n_kept=st.none() | st.integers(0, 1), waits=st.booleans())
    def collect(self, *, place: str, n_kept: int | None, waits: bool) -> None:
        """A collection keeps the newest of what is here or was seen elsewhere, perhaps after the grace period."""
        if waits:
            self._wait(place)
        repository = self.repositories[place]
        names = {ref.name for remote in (None, *NAMES) for ref in repository.refs.iter_refs(remote=remote)}
        kept = sorted(names, reverse=True)[:n_kept]
        collect(repository, GcPolicy(keep_executions=n_kept, grace_seconds=GRACE_SECONDS))
        self.own[place] &= {self._seed(name) for name in kept}

    @rule(place=places)
    def reopen(self, place: str) -> None:
        """Another process goes on."""
        self.repositories[place].close()
        self.repositories[place] = Repository.open(self.folder / place)

    @invariant()
    def what_is_kept_is_whole(self) -> None:
        """Each place has just the executions that it should have, and all that they consist of."""
        for name in NAMES:
            repository = self.repositories[name]
            assert {self._seed(ref.name) for ref in repository.refs.iter_refs()} == self.own[name]
            repository.store.refresh(force=True)
            roots = [ref.object for ref in repository.refs.iter_refs() if ref.object is not None]
            for _ in walk(roots, repository.store.find_kind_and_data):
                pass

    def teardown(self) -> None:
        """Everything is sound in the end, and collecting all of it leaves nothing."""
        for name in NAMES:
            repository = self.repositories[name]
            collect(repository, GcPolicy(keep_executions=0, grace_seconds=0.0))
            collect(repository, GcPolicy(keep_executions=0, grace_seconds=0.0))
            assert list(repository.store.iter_oids()) == []
            report = check_repository(repository)
            assert report.problems == (), report.problems
            repository.close()
        shutil.rmtree(self.folder)

    def _wait(self, place: str) -> None:
        """Let the grace period pass: what is written from now on is younger than what is here."""
        for path in (self.folder / place / "objects").rglob("*"):
            if path.is_file():
                moment = path.stat().st_mtime - 2 * GRACE_SECONDS
                os.utime(path, (moment, moment))

    def _seed(self, name: str) -> int:
        return next(seed for seed in range(self.next_seed) if execution_id(seed) == name[-36:])

    def _remote(self, name: str) -> Remote:
        return Remote(name, self.repositories[name].storage)


def test_collections_never_take_what_is_kept() -> None:
    """Any order of runs, pushes, pulls, merges and collections leaves whole what the sets say."""
    run_state_machine_as_test(Collecting, settings=settings(max_examples=40, stateful_step_count=15))
