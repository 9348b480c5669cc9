"""The pure plan: claims, limits, stopping."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from redun.scheduler.plan import BadLimit, Claim, Plan


def test_the_first_claim_of_a_key_leads():
    """Only the first of several equal calls goes on to run."""
    plan = Plan()
    assert plan.claim("k", "a") == (Claim.LEAD, None)
    assert plan.claim("k", "b") == (Claim.FOLLOW, None)
    assert plan.claim("other", "c") == (Claim.LEAD, None)


def test_followers_are_answered_in_the_order_of_their_claims():
    """Settling a key returns the callers that followed its leader."""
    plan = Plan()
    plan.claim("k", "a")
    plan.claim("k", "b")
    plan.claim("k", "c")
    assert plan.settle("k", "outcome") == ["b", "c"]


def test_a_settled_key_is_replayed():
    """A claim after the end gets the outcome at once, also when that is an error."""
    plan = Plan()
    plan.claim("k", "a")
    error = ValueError("x")
    plan.settle("k", error)
    assert plan.claim("k", "b") == (Claim.REPLAY, error)


def test_a_job_without_limits_is_always_admitted():
    """Nothing but limits and stopping holds a job back."""
    plan = Plan({"db": 1})
    assert all(plan.admit(number) for number in range(100))
    assert plan.n_running == 100


def test_units_of_a_limit_bound_what_runs():
    """Jobs beyond the units wait in line and are named when units come back, in order."""
    plan = Plan({"db": 2})
    needs = {"db": 1}
    assert [plan.admit(job, needs) for job in "abcd"] == [True, True, False, False]
    assert plan.release(needs) == ["c"]
    assert plan.release(needs) == ["d"]
    assert plan.release(needs) == []


def test_an_undeclared_limit_has_one_unit():
    """A task may name a limit that no config declares."""
    plan = Plan()
    assert plan.admit("a", {"gpu": 1})
    assert not plan.admit("b", {"gpu": 1})


def test_a_job_that_needs_other_limits_may_pass():
    """The line is no queue across limits: who has room goes."""
    plan = Plan({"db": 1, "net": 1})
    plan.admit("a", {"db": 1})
    plan.admit("b", {"db": 1})
    assert plan.admit("c", {"net": 1})


def test_a_need_beyond_the_limit_is_refused_at_once():
    """A job that could never start is an error, not a run that hangs."""
    with pytest.raises(BadLimit, match="needs 3 units of limit 'db', which has 2"):
        Plan({"db": 2}).admit("a", {"db": 3})


@pytest.mark.parametrize("units", [0, -1])
def test_a_limit_below_one_is_refused(units):
    """A limit that lets nothing run is a mistake in the settings."""
    with pytest.raises(BadLimit, match="must be at least 1"):
        Plan({"db": units})


def test_a_stopped_plan_admits_nothing():
    """After a failure or Ctrl-C nothing starts, and nothing that waits is named."""
    plan = Plan({"db": 1})
    plan.admit("a", {"db": 1})
    plan.admit("b", {"db": 1})
    plan.stop()
    assert not plan.admit("c")
    assert plan.release({"db": 1}) == []
    assert plan.n_running == 0


@given(st.lists(st.tuples(st.integers(0, 3), st.booleans()), max_size=60))
def test_every_key_is_led_once_and_every_caller_answered_once(events):
    """Whatever the order of claims and ends, each caller leads, is returned by settle, or is replayed."""
    plan = Plan()
    answered: list[int] = []
    leaders: dict[int, int] = {}
    for caller, (key, is_end) in enumerate(events):
        if is_end and key in leaders:
            answered += plan.settle(key, f"outcome {key}")
            answered.append(leaders.pop(key))
            continue
        claim, outcome = plan.claim(key, caller)
        if claim is Claim.LEAD:
            leaders[key] = caller
        elif claim is Claim.REPLAY:
            assert outcome == f"outcome {key}"
            answered.append(caller)
    for key, leader in leaders.items():
        answered += [*plan.settle(key, "end"), leader]
    assert len(answered) == len(set(answered))


class LimitsMachine(RuleBasedStateMachine):
    """Admits and releases jobs at random; the units in use never exceed the limits, and nobody waits for nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.limits = {"a": 2, "b": 3}
        self.plan = Plan(self.limits)
        self.running: dict[int, dict[str, int]] = {}
        self.waiting: dict[int, dict[str, int]] = {}
        self.count = 0

    @rule(a=st.integers(0, 2), b=st.integers(0, 3))
    def ask(self, a, b):
        """A job asks to start."""
        self.count += 1
        needs = {name: units for name, units in (("a", a), ("b", b)) if units}
        (self.running if self.plan.admit(self.count, needs) else self.waiting)[self.count] = needs

    @rule(data=st.data())
    def end(self, data):
        """A running job ends."""
        if self.running:
            job = data.draw(st.sampled_from(sorted(self.running)))
            for admitted in self.plan.release(self.running.pop(job)):
                self.running[admitted] = self.waiting.pop(admitted)

    @invariant()
    def units_are_within_the_limits(self):
        """The sum of units held is at most each limit."""
        for name, units in self.limits.items():
            assert sum(needs.get(name, 0) for needs in self.running.values()) <= units
        assert self.plan.n_running == len(self.running)
        assert self.plan.n_waiting == len(self.waiting)


TestLimits = LimitsMachine.TestCase
