import inspect
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redun.task import TaskArgumentError, bind_arguments, task
from redun.task.binding import Binder


def make_binder(func, config_args=()):
    return Binder("f", inspect.signature(func), config_args)


def test_positional_and_named_arguments_agree():
    """``f(1)``, ``f(x=1)`` and ``f(1, 2)`` with 2 the default are one call."""

    @task
    def f(x, y=2):
        return x

    assert bind_arguments(f, (1,), {}).hashed() == [("x", 1), ("y", 2)]
    assert bind_arguments(f, (), {"y": 2, "x": 1}).hashed() == [("x", 1), ("y", 2)]
    assert f.bind((1, 2), {}).hashed() == [("x", 1), ("y", 2)]


def test_variadic_arguments_are_named_by_index_and_by_name():
    """Items of ``*args`` go by their index; novel keywords are sorted by name."""
    bound = make_binder(lambda a, *rest, k=0, **more: None).bind((1, 2, 3), {"z": 9, "b": 8})
    assert bound.hashed() == [("a", 1), (0, 2), (1, 3), ("k", 0), ("b", 8), ("z", 9)]
    assert bound.call_args() == ((1, 2, 3), {"k": 0, "b": 8, "z": 9})


def test_config_args_are_passed_but_not_hashed():
    """What ``config_args`` names reaches the function and no key."""
    bound = make_binder(lambda a, b, c=1: None, ["b"]).bind((1, 2), {})
    assert bound.hashed() == [("a", 1), ("c", 1)]
    assert bound.call_args() == ((1, 2, 1), {})


def test_values_can_be_replaced_by_what_they_evaluate_to():
    """Arguments are bound before they are evaluated."""
    bound = make_binder(lambda a, *, k: None).bind(("expr",), {"k": "expr2"})
    done = bound.replace([1, 2])
    assert done.call_args() == ((1,), {"k": 2})
    assert done.hashed() == [("a", 1), ("k", 2)]


def test_a_keyword_may_repeat_the_name_of_a_positional_only_parameter():
    """A positional-only parameter leaves its name free."""
    namespace = {}
    exec("def f(a, /, **more): return a, more", namespace)
    bound = make_binder(namespace["f"]).bind((1,), {"a": 2})
    assert bound.hashed() == [("a", 1), ("a", 2)]
    assert bound.call_args() == ((1,), {"a": 2})


@pytest.mark.parametrize(
    ("args", "kwargs", "message"),
    [
        ((), {}, "misses the argument 'a'"),
        ((1, 2, 3), {}, "takes 2 positional arguments, 3 were given"),
        ((1,), {"a": 1}, "got two values for 'a'"),
        ((1,), {"c": 1, "d": 2}, "has no parameter 'c', 'd'"),
    ],
)
def test_a_call_that_does_not_fit_says_how_to_call(args, kwargs, message):
    """The error names the task, what is wrong and the signature; it is a TypeError, as Python's own is."""
    with pytest.raises(TaskArgumentError) as caught:
        make_binder(lambda a, b=1: None).bind(args, kwargs)
    assert caught.value.message == message
    assert caught.value.usage == "f(a, b=1)"
    assert isinstance(caught.value, TypeError)
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


def python_binds(func, args, kwargs):
    try:
        bound = inspect.signature(func).bind(*args, **kwargs)
    except TypeError:
        return None
    bound.apply_defaults()
    return bound.args, bound.kwargs


FUNCS = [
    lambda a: 0,
    lambda a, b=1: 0,
    lambda a=1, b=2, *, c=3: 0,
    lambda *a, b: 0,
    lambda a, *b, c=1, **d: 0,
    lambda **d: 0,
]


@given(
    st.sampled_from(FUNCS),
    st.lists(st.integers(), max_size=4),
    st.dictionaries(st.sampled_from("abcd"), st.integers(), max_size=4),
)
def test_binding_agrees_with_pythons_own(func, args, kwargs):
    """The same calls fit, and the function is called with the same arguments."""
    expected = python_binds(func, args, kwargs)
    try:
        found = make_binder(func).bind(args, kwargs).call_args()
    except TaskArgumentError:
        found = None
    assert found == expected
