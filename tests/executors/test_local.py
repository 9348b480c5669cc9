"""The ``local`` type of executor, and how types are found by name."""

from __future__ import annotations

import pytest

from redun.errors import ExecutorError
from redun.executors.registry import make_executor, register_executor
from redun.executors.thread import ThreadExecutor


def make_custom(name, options):
    """Make what a type registered below names."""
    return ThreadExecutor(name, max_workers=int(options["width"]))


def make_nothing(_name, _options):
    """Make what is no executor."""
    return "a text"


@pytest.fixture(autouse=True)
def importable(monkeypatch):
    """Let this module be imported by a name, as a user's is."""
    import sys
    import types

    module = types.ModuleType("custom_executors")
    module.make_custom, module.make_nothing = make_custom, make_nothing
    monkeypatch.setitem(sys.modules, "custom_executors", module)


def test_a_section_without_type_is_a_pool_of_threads():
    """``max_workers`` is read from it."""
    executor = make_executor("default", {"max_workers": "3"})
    assert isinstance(executor, ThreadExecutor)
    assert (executor.name, executor.max_workers) == ("default", 3)


@pytest.mark.parametrize("options", [{"max_workers": "many"}, {"max_workers": "-1"}, {"max_workers": "0"}])
def test_a_pool_without_threads_is_refused(options):
    """What was found is told."""
    with pytest.raises(ExecutorError, match=f"executor 'x'.*found '?{options['max_workers']}"):
        make_executor("x", options)


def test_another_mode_is_refused():
    """Threads are what there is."""
    with pytest.raises(ExecutorError, match="expected mode = thread, found 'process'"):
        make_executor("x", {"mode": "process"})


def test_an_unknown_type_is_refused_and_the_known_ones_are_named():
    """A typing error is easy to see."""
    with pytest.raises(ExecutorError, match=r"executor 'x' has unknown type 'loccal'; known types: .*local"):
        make_executor("x", {"type": "loccal"})


def test_a_registered_type_is_made_by_its_factory():
    """It is given the executor's name and its section."""
    register_executor("custom", "custom_executors.make_custom")
    executor = make_executor("wide", {"type": "custom", "width": "7"})
    assert (executor.name, executor.max_workers) == ("wide", 7)


def test_a_class_may_be_named_in_the_section():
    """``class`` needs no registration."""
    assert make_executor("wide", {"class": "custom_executors.make_custom", "width": "2"}).max_workers == 2


def test_a_factory_that_makes_no_executor_is_refused():
    """The error names the factory and what it made."""
    with pytest.raises(ExecutorError, match=r"custom_executors\.make_nothing made str for executor 'x'"):
        make_executor("x", {"class": "custom_executors.make_nothing"})


@pytest.mark.parametrize("factory", ["nothing", "custom_executors.nothing", "no.such.module", ".", ""])
def test_a_factory_that_cannot_be_found_is_refused(factory):
    """Whether the module or its member is missing, or the name is no dotted one."""
    with pytest.raises(ExecutorError, match="executor 'x'"):
        make_executor("x", {"class": factory, "type": "custom?"})
