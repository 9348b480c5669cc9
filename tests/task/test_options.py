"""Options, checked and brought to one form."""

from __future__ import annotations

import pytest

from redun.expression import ValueExpression
from redun.task import CacheCheckValid, CacheScope, task
from redun.task.options import normalize_options


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"cache": True}, {"cache_scope": CacheScope.BACKEND}),
        ({"cache": False}, {"cache_scope": CacheScope.CSE}),
        ({"cache_scope": "NONE"}, {"cache_scope": CacheScope.NONE}),
        ({"cache_scope": CacheScope.CSE, "cache": True}, {"cache_scope": CacheScope.CSE}),
        ({"check_valid": "shallow"}, {"check_valid": CacheCheckValid.SHALLOW}),
        ({"limits": ["a", "b"]}, {"limits": {"a": 1, "b": 1}}),
        ({"limits": {"a": 2}}, {"limits": {"a": 2}}),
        ({"config_args": ("a",)}, {"config_args": ["a"]}),
        ({"memory": 4, "image": None}, {"memory": 4, "image": None}),
    ],
)
def test_options_have_one_form(given, expected):
    """Enums for texts, counts for limits; what redun does not know passes through."""
    assert normalize_options(given) == expected


@pytest.mark.parametrize(
    "given",
    [
        {"cache": "yes"},
        {"cache_scope": "ALL"},
        {"check_valid": "deep"},
        {"limits": "db"},
        {"limits": {"db": "2"}},
        {"limits": {"db": -1}},
        {"limits": [1]},
        {"config_args": "a"},
        {"config_args": 3},
    ],
)
def test_a_value_that_an_option_cannot_take_is_refused(given):
    """The message says what was expected and what was found."""
    with pytest.raises(ValueError, match=r"expected .*, found"):
        normalize_options(given)


@pytest.mark.parametrize("name", ["cache", "cache_scope", "check_valid", "limits"])
def test_an_expression_passes_through(name):
    """The scheduler evaluates it before the job runs."""
    expression = ValueExpression(1)
    assert any(value is expression for value in normalize_options({name: expression}).values())


@pytest.mark.parametrize("nout", [-1, 1.0, "2", True])
def test_nout_is_a_natural_number(nout):
    """Anything else is a TypeError."""
    with pytest.raises(TypeError, match="nout"):
        normalize_options({"nout": nout})


@pytest.mark.parametrize(
    ("options", "is_allowed"),
    [
        ({}, False),
        ({"cache": True}, False),
        ({"check_valid": "shallow"}, False),
        ({"cache": False}, True),
        ({"cache_scope": "NONE"}, True),
        ({"cache": True, "check_valid": "shallow"}, True),
    ],
)
def test_an_async_task_cannot_be_replayed_step_by_step(options, is_allowed):
    """It needs ``cache=False``, or ``cache=True`` with a shallow check."""

    async def f():
        return 1

    if is_allowed:
        assert task(**options)(f).is_async()
    else:
        with pytest.raises(ValueError, match="async task f"):
            task(**options)(f)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"executor": 5}, "executor to be a text, found 5"),
        ({"load_module": ["m"]}, "load_module to be a text"),
        ({"prov": "no"}, "prov to be True or False, found 'no'"),
    ],
)
def test_a_value_of_another_type_is_refused_where_the_task_is_defined(options, message):
    """By name; None says nothing, and an expression is judged once it is evaluated."""
    with pytest.raises(ValueError, match=message):
        normalize_options(options)
    (name,) = options
    assert normalize_options({name: None}) == {name: None}
    assert name in normalize_options({name: ValueExpression(options[name])})
