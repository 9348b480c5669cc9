"""Expressions as plain values."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections import namedtuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redun import File, Scheduler, task
from redun.expression import QuotedExpression, TaskExpression, quote
from redun.store.memory import MemoryStore
from redun.task.registry import get_task_registry
from redun.value.encoding import ValueUndecodable, decode_value, encode_value

redun_namespace = "test_quoted"

RAN: list = []
Pair = namedtuple("Pair", "left right")


@task(version="1")
def inc(x):
    """Add 1."""
    RAN.append(x)
    return x + 1


@task(version="1")
def take(value):
    """Take a value."""
    return value


@task(version="1")
def evaluate(quoted):
    """Evaluate what is quoted."""
    return quoted.eval()


@task(version="1")
def make_quote(x):
    """Return a quoted call."""
    return quote(inc(x) + 1)


@pytest.fixture(autouse=True)
def _forget():
    RAN.clear()


def round_trip(value):
    """Encode a value and read it back."""
    encoded = encode_value(value)
    objects = {oid: data for oid, data, _ in encoded.parts} | {encoded.oid: encoded.data}
    return decode_value(encoded.oid, objects.__getitem__)


EXPRESSIONS = [
    inc(1),
    [inc(inc(1)), {"a": (inc(2) + 1, 3)}],
    inc.options(limits=["db"]).export_options(memory=3)(x=[1, 2]),
    Pair(inc(1), {inc(2)}),
    1 - take([1, 2])[inc(0)].real,
    take(inc)(3),
    5,
    [1, "text"],
]


@pytest.mark.parametrize("expression", EXPRESSIONS, ids=repr)
def test_a_quoted_expression_is_read_back_as_it_was(expression):
    """Calls, operations, options and containers; and by pickle, for another process."""
    quoted = quote(expression)
    for copy in (round_trip(quoted), pickle.loads(pickle.dumps(quoted))):
        assert isinstance(copy, QuotedExpression)
        assert repr(copy) == repr(quoted) == f"QuotedExpression({expression!r})"
        assert encode_value(copy).oid == encode_value(quoted).oid
    assert quoted.eval() is expression


TREES = st.recursive(
    st.integers() | st.text(max_size=3) | st.none(),
    lambda part: st.one_of(
        st.builds(inc, part),
        st.builds(lambda value: take(value=value), part),
        st.builds(lambda left, right: inc(left) + right, part, part),
        st.lists(part, max_size=3),
        st.dictionaries(st.text(max_size=2), part, max_size=2),
    ),
    max_leaves=12,
)


@given(TREES, TREES)
def test_quotes_are_equal_when_their_expressions_look_alike(first, second):
    """The key follows the structure, whatever is shared within it."""
    keys = [encode_value(quote(expression)).oid for expression in (first, second, [first, first][1])]
    assert (keys[0] == keys[1]) == (repr(first) == repr(second))
    assert keys[0] == keys[2]
    assert repr(round_trip(quote(first)).eval()) == repr(first)


def test_a_quote_has_the_same_key_in_another_process():
    """Under another hash seed: it is no pickle."""
    code = (
        "from redun import task\nfrom redun.expression import quote\nfrom redun.value.encoding import encode_value\n"
        "@task(namespace='test_quoted', version='1')\ndef inc(x): return x + 1\n"
        "print(encode_value(quote([inc(inc(1)), {'a': inc({'x', 'y', 'z'})}])).oid.hex())"
    )
    here = encode_value(quote([inc(inc(1)), {"a": inc({"x", "y", "z"})}])).oid.hex()
    for seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
        assert done.stdout.strip() == here


def test_a_chain_of_30_000_calls_can_be_quoted():
    """It is stored as steps, without recursion."""
    chain = inc(0)
    for _ in range(30_000):
        chain = inc(chain)
    assert repr(round_trip(quote(chain))) == repr(quote(chain))


def test_a_quoted_expression_runs_where_it_is_evaluated():
    """As an argument or a result it is a value like any other."""
    assert Scheduler().run(take(quote(inc(1)))).eval().args == (1,)
    assert RAN == []
    assert Scheduler().run([evaluate(quote([inc(1), 5])), evaluate(make_quote(3)), make_quote(4).eval()]) == [
        [2, 5],
        5,
        6,
    ]
    assert sorted(RAN) == [1, 3, 4]


def test_an_evaluated_quote_is_reused_until_its_task_changes():
    """The call that evaluated it has a call below it like any other."""
    store = MemoryStore()

    def define(text):
        @task(name="quoted", namespace="test_quoted", source=text)
        def quoted(x):
            RAN.append(text)
            return [text, x]

        return quoted

    for text in ("one", "one", "two"):
        assert Scheduler(backend=store).run(evaluate(quote(define(text)(1)))) == [text, 1]
    assert RAN == ["one", "two"]


def test_a_file_in_a_quote_is_part_of_its_key(tmp_path):
    """Its content, as in any argument."""
    file = File(str(tmp_path / "a.txt"))
    keys = set()
    for text in ("one", "two"):
        file.write(text)
        keys.add(encode_value(quote(take(File(file.path)))).oid)
    assert len(keys) == 2


def test_a_recorded_quote_of_a_task_that_is_gone_does_not_serve():
    """Its job runs again, and may name another one."""
    store, registry = MemoryStore(), get_task_registry()
    with registry.isolated():

        @task(name="leaving", namespace="test_quoted", version="1")
        def leaving(x):
            return x

        @task(name="maker", namespace="test_quoted", version="1")
        def maker():
            RAN.append("maker")
            return quote(TaskExpression(NAMES[-1], (1,), {}))

        NAMES = ["test_quoted.leaving"]
        assert Scheduler(backend=store).run(evaluate(maker())) == 1
        registry._tasks.pop("test_quoted.leaving")
        NAMES.append("test_quoted.take")
        assert Scheduler(backend=store).run(evaluate(maker())) == 1
    assert RAN == ["maker", "maker"]


def test_reading_a_quote_of_an_unknown_task_says_its_name():
    """For whoever reads it in a program that lacks the module."""
    encoded = encode_value(quote(TaskExpression("test_quoted.nowhere", (1,), {})))
    with pytest.raises(ValueUndecodable, match=r"test_quoted\.nowhere"):
        decode_value(encoded.oid, {encoded.oid: encoded.data}.__getitem__)
