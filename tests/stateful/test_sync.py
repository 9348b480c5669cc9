"""Push, fetch and pull of executions and edits of tags between repositories, in any order, against sets."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from redun.objects.execution_records import RunSubject, TagRecord
from redun.objects.ids import parse_id
from redun.remotes.fetch import fetch
from redun.remotes.pull import pull
from redun.remotes.push import push
from redun.remotes.remote import Remote
from redun.store.maintain.fsck import check_repository
from redun.store.repository import Repository
from redun.store.tagging import write_tag_edit
from redun.testing.objects import MadeFile, build_execution, execution_id, make_execution
from redun.testing.probed import Crash, ProbedStorage

NAMES = ("a", "b", "c")
places = st.sampled_from(NAMES)
limits = st.sampled_from([1, 20, 250_000])  # objects in a batch: an execution has some twenty


class Sync(RuleBasedStateMachine):
    """Three repositories, each a remote of the others; the model is which executions each one has."""

    runs = Bundle("runs")

    @initialize()
    def make(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.repositories = {name: Repository.init(self.folder / name) for name in NAMES}
        self.own: dict[str, set[int]] = {name: set() for name in NAMES}
        self.next_seed = 0

    @rule(target=runs, place=places, has_file=st.booleans())
    def run(self, place: str, has_file: bool) -> int:
        """A workflow runs in one place."""
        seed, self.next_seed = self.next_seed, self.next_seed + 1
        files = [MadeFile("f", b"%d" % (seed % 3))] if has_file else []
        make_execution(self.repositories[place].store, self.repositories[place].refs, 2, seed=seed, files=files)
        self.own[place].add(seed)
        return seed

    @rule(place=places, seed=runs)
    def tag(self, place: str, seed: int) -> None:
        """An execution is tagged in one place, and where it is, its call as well."""
        repository = self.repositories[place]
        run = RunSubject(parse_id(execution_id(seed)), 0)
        records = [TagRecord(run, [], f"{place}{len(self._edits(place))}", "1", is_deleted=False)]
        root = build_execution(2, seed=seed).record
        if root is not None and root.root is not None and repository.store.has(root.root):
            records.append(TagRecord(root.root, [], "checked", "true", is_deleted=False))
        write_tag_edit(repository, records)

    @rule(source=places, other=places, limit=limits)
    def push(self, source: str, other: str, limit: int) -> None:
        """Everything in one place goes to another."""
        report = push(self.repositories[source], self._remote(other), batch_objects=limit)
        assert report.executions == len(self.own[source] - self.own[other])
        assert not report.skipped
        assert self._edits(source) <= self._edits(other)
        self.own[other] |= self.own[source]

    @rule(source=places, other=places, seed=runs)
    def push_one(self, source: str, other: str, seed: int) -> None:
        """One execution goes to another place, if it is there."""
        names = self.repositories[source].refs.find(execution_id(seed))
        push(self.repositories[source], self._remote(other), names)
        if seed in self.own[source]:
            self.own[other].add(seed)

    @rule(source=places, other=places, at=st.integers(0, 8), limit=limits)
    def push_cut_off(self, source: str, other: str, at: int, limit: int) -> None:
        """A push dies before one of its writes; the refs that were written stand."""
        remote = self._remote(other)
        probed = ProbedStorage(remote.storage)
        probed.crash_at_write = at
        try:
            push(self.repositories[source], Remote(other, probed), batch_objects=limit)
        except Crash:
            written = {name[-36:] for name in probed.names("write") if name.startswith("refs/")}
            self.own[other] |= {seed for seed in self.own[source] if execution_id(seed) in written}
        else:
            self.own[other] |= self.own[source]

    @rule(source=places, other=places, limit=limits)
    def pull(self, source: str, other: str, limit: int) -> None:
        """Everything in another place, and what was seen there before, becomes our own."""
        pull(self.repositories[other], self._remote(source), batch_objects=limit)
        assert self._edits(source) <= self._edits(other)
        self.own[other] |= self.own[source]

    @rule(source=places, other=places, seed=runs, limit=limits)
    def fetch_one(self, source: str, other: str, seed: int, limit: int) -> None:
        """One execution is fetched; it stays apart."""
        fetch(self.repositories[other], self._remote(source), [execution_id(seed)], batch_objects=limit)

    @invariant()
    def refs_are_as_the_model_says(self) -> None:
        """Each place has just the executions that it should have."""
        for name in NAMES:
            found = {ref[-36:] for ref in self.repositories[name].refs.iter_names()}
            assert found == {execution_id(seed) for seed in self.own[name]}

    def teardown(self) -> None:
        """Everything is sound in the end, and one more push to each place makes them equal."""
        for name in NAMES:
            # A push that died between a pack and its idx leaves a pack without one: that much, and no more, is mended.
            found = check_repository(self.repositories[name], repair=True).problems
            assert all((problem.what, problem.why) == ("idx", "it is missing") for problem in found), found
            report = check_repository(self.repositories[name])
            assert report.is_clean, report.problems
        for _ in range(2):
            for source, other in (("a", "b"), ("b", "c"), ("c", "a")):
                push(self.repositories[source], self._remote(other))
        refs = [{(ref.name, ref.object) for ref in self.repositories[name].refs.iter_refs()} for name in NAMES]
        assert refs[0] == refs[1] == refs[2]
        assert self._edits("a") == self._edits("b") == self._edits("c")
        for repository in self.repositories.values():
            repository.close()
        shutil.rmtree(self.folder)

    def _edits(self, name: str) -> set[str]:
        return set(self.repositories[name].refs.iter_tag_names())

    def _remote(self, name: str) -> Remote:
        return Remote(name, self.repositories[name].storage)


def test_repositories_converge_whatever_the_order() -> None:
    """Any order of runs, tags, pushes, pulls, fetches and crashes leaves what the sets say, and sound repositories."""
    run_state_machine_as_test(Sync, settings=settings(max_examples=20, stateful_step_count=15))
