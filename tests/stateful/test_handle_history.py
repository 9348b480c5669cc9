"""Edits, rollbacks, failures and re-runs of calls on a handle, in two repositories that meet, against a small model.

The outside is a database of three tables.  The model needs no lineage: a step has to run when its table does not hold
exactly what this version of it and of all steps before it would have left.
"""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from redun import Handle, Scheduler, merge_handles, task
from redun.store.memory import MemoryStore

redun_namespace = "test_handle_history"

BRANCHES = ("left", "right")
N_STEPS = 3
STEPS = [(branch, at) for branch in BRANCHES for at in range(N_STEPS)]
JOIN = ("join", 0)
CLOCK_SKEW_US = 3_600_000_000

Step = tuple[str, int]


class World:
    """The outside: what each table holds, which step fails now, and what ran."""

    tables: dict = {}
    failing: Step | None = None
    ran: list = []


class Database(Handle):
    """A connection to the world."""

    def __init__(self, name):
        self.tables = World.tables

    def write(self, step, version):
        """Take a table back to where a step finds it, and do the step; the joined table goes with any other."""
        World.ran.append(step)
        branch, at = step
        self.tables["join"] = []
        if step == JOIN:
            self.tables["join"] = [dict.copy(self.tables) | {"join": version}]
            return
        self.tables[branch] = self.tables[branch][:at]
        if step == World.failing:
            self.tables[branch] = [*self.tables[branch], "half"]
            raise RuntimeError("failed half way")
        self.tables[branch] = [*self.tables[branch], version]


def define(versions):
    """Define the workflow in the versions of its steps; return its main task."""

    def define_step(step):
        name = f"{step[0]}_{step[1]}"

        @task(name=name, version=str(versions[step]))
        def run_step(database):
            database.write(step, versions[step])
            return database

        return run_step

    steps = {step: define_step(step) for step in (*STEPS, JOIN)}

    @task(version=str(versions["main"]))
    def main():
        database = Database("world")
        ends = []
        for branch in BRANCHES:
            state = database
            for at in range(N_STEPS):
                state = steps[branch, at](state)
            ends.append(state)
        return steps[JOIN](merge_handles(ends))

    return main


class Model:
    """What the world should hold, and what should run."""

    def __init__(self):
        self.tables = {"left": [], "right": [], "join": []}

    def run(self, versions, failing, *, use_cache):
        """Return the steps that have to run, having run them."""
        ran, blocked = [], False
        for branch in BRANCHES:
            wanted = [versions[branch, at] for at in range(N_STEPS)]
            for at in range(N_STEPS):
                if use_cache and self.tables[branch][: at + 1] == wanted[: at + 1]:
                    continue
                ran.append((branch, at))
                self.tables["join"] = []
                self.tables[branch] = self.tables[branch][:at]
                if (branch, at) == failing:
                    self.tables[branch].append("half")
                    blocked = True
                    break
                self.tables[branch].append(wanted[at])
        if not blocked:
            joined = [{branch: self.tables[branch] for branch in BRANCHES} | {"join": versions[JOIN]}]
            if not use_cache or self.tables["join"] != joined:
                ran.append(JOIN)
                self.tables["join"] = joined
        return ran


class History(RuleBasedStateMachine):
    """One world, two repositories that exchange all they have before each run; one has a clock that is behind."""

    @initialize()
    def make(self) -> None:
        World.tables = {"left": [], "right": [], "join": []}
        self.stores = [MemoryStore(), MemoryStore()]
        self.versions = dict.fromkeys([*STEPS, JOIN, "main"], 1)
        self.model = Model()
        self.now_us = 1_750_000_000_000_000
        self.has_run = False

    @rule(step=st.sampled_from([*STEPS, JOIN, "main"]), version=st.sampled_from([1, 2]))
    def edit(self, step: Step, version: int) -> None:
        """Give a step the code that it has, had or will have."""
        self.versions[step] = version

    @rule(place=st.sampled_from([0, 1]), failing=st.sampled_from([None, None, *STEPS]), use_cache=st.booleans())
    def run(self, place: int, failing: Step | None, use_cache: bool) -> None:
        """Run the workflow: just those steps run that have to."""
        self._exchange()
        World.ran, World.failing = [], failing
        expected = self.model.run(self.versions, failing, use_cache=use_cache)
        main = define(self.versions)
        scheduler = Scheduler(backend=self.stores[place], clock=lambda: self._tick(place))
        try:
            scheduler.run(main(), cache=use_cache, keep_going=True)
        except RuntimeError:
            assert failing in expected
        else:
            assert failing not in expected
        assert sorted(World.ran) == sorted(expected)
        assert World.tables == self.model.tables
        self.has_run = True

    @precondition(lambda self: self.has_run)
    @rule(place=st.sampled_from([0, 1]))
    def run_again(self, place: int) -> None:
        """Run until nothing fails, and once more: the second time nothing runs."""
        self.run(place, None, True)
        self.run(1 - place, None, True)
        assert World.ran == []

    def _tick(self, place: int) -> int:
        self.now_us += 1
        return self.now_us - place * CLOCK_SKEW_US

    def _exchange(self) -> None:
        for store, other in (self.stores, self.stores[::-1]):
            for oid, kind in list(other.iter_oids()):
                store.put(oid, other.get(oid), kind)


def test_what_runs_is_what_the_world_lacks():
    """However code is edited, undone, run in either repository or failed in between, no step is stale or needless."""
    run_state_machine_as_test(History, settings=settings(max_examples=60, stateful_step_count=14, deadline=None))
