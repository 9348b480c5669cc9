"""Decorators that put a task around a task."""

from __future__ import annotations

import inspect

import pytest

from redun import Scheduler, get_task_registry, task
from redun.cli.params import parse_arguments
from redun.cli.render.task import task_help_lines, task_list_lines
from redun.store.memory import MemoryStore
from redun.task import Task, wraps_task

redun_namespace = "test_wraps"


def define(factor=2, version="1", **options):
    """Return a decorator that repeats what a task returns."""

    @wraps_task(wrapper_name="repeat", wrapper_hash_includes=[factor], **options)
    def repeated(inner):
        def around(*args, **kwargs):
            return [inner(*args, **kwargs)] * factor

        return around

    return repeated


def test_the_wrapper_takes_the_name_and_the_inner_task_moves_below():
    """``ns.task`` is the wrapper, ``ns.wrapper.task`` is what it wraps, and both are registered."""

    @define()
    @task(version="1")
    def add(x, y=1):
        return x + y

    assert (add.fullname, add.name, add.namespace) == ("test_wraps.add", "add", "test_wraps")
    assert add.wrapped_task.fullname == add.inner_task.fullname == "test_wraps.repeat.add"
    registry = get_task_registry()
    assert registry.get(task_name="test_wraps.add") is add
    assert registry.get(task_name="test_wraps.repeat.add") is add.inner_task
    assert Scheduler().run(add(1)) == [2, 2]


def test_the_wrapper_name_is_that_of_the_decorator_by_default():
    """A decorator needs no name of its own."""

    @wraps_task()
    def quoted(inner):
        def around(*args):
            return inner(*args)

        return around

    @quoted
    @task(name="other", namespace="a.b", version="1")
    def one(x):
        return x

    assert (one.fullname, one.inner_task.fullname) == ("a.b.other", "a.b.quoted.other")


def test_a_plain_function_may_be_wrapped():
    """It becomes a task on the way."""

    @define()
    def one():
        return 1

    assert isinstance(one.inner_task, Task)
    assert Scheduler().run(one()) == [1, 1]


def test_wrappers_nest():
    """Each wrapper moves all tasks below it; the innermost is in the deepest namespace."""

    @wraps_task()
    def outer(inner):
        return lambda *args: (inner(*args), "outer")

    @outer
    @define()
    @task(version="1")
    def one(x):
        return x

    names = [one.fullname, one.wrapped_task.fullname, one.inner_task.fullname]
    assert names == ["test_wraps.one", "test_wraps.outer.one", "test_wraps.repeat.outer.one"]
    assert one.wrapped_task.wrapped_task is one.inner_task
    assert one.inner_task.inner_task is one.inner_task
    assert one.inner_task.wrapped_task is None
    assert one.wrapped_task.get_task_option("wrapped_task") == "test_wraps.repeat.outer.one"
    assert Scheduler().run(one(1)) == ([1, 1], "outer")
    known = {found.fullname for found in get_task_registry() if found.fullname.startswith("test_wraps.")}
    assert set(names) <= known


def test_options_of_wrapper_and_inner_task_are_apart():
    """The wrapper has those of ``wraps_task``, the inner task those of ``task``; ``.options`` goes to the wrapper."""

    @define(memory=8)
    @task(version="1", memory=3, load_module="elsewhere")
    def one():
        return 1

    assert (one.get_task_option("memory"), one.inner_task.get_task_option("memory")) == (8, 3)
    assert one.load_module == "elsewhere"
    changed = one.options(memory=9)
    assert (changed.get_task_option("memory"), changed.inner_task.get_task_option("memory")) == (9, 3)
    assert changed.fullname == one.fullname


def test_calls_are_bound_to_the_signature_of_the_inner_task():
    """``f(1)`` and ``f(x=1, y=2)`` are one call of the wrapper, and wrong arguments are told by it."""
    ran = []

    @wraps_task()
    def noted(inner):
        def around(*args, **kwargs):
            ran.append((args, kwargs))
            return inner(*args, **kwargs)

        return around

    @noted
    @task(version="1")
    def add(x, y=2):
        return x + y

    assert str(add.signature) == "(x, y=2)"
    assert Scheduler().run([add(1), add(x=1, y=2), add(y=2, x=1)]) == [3, 3, 3]
    assert ran == [((1, 2), {})]
    with pytest.raises(TypeError, match=r"test_wraps\.add: .*'z'.*add\(x, y=2\)"):
        Scheduler().run(add(1, z=3))


def test_the_wrapper_may_have_a_signature_of_its_own():
    """With use_wrapper_signature the function around says what arguments there are."""

    @wraps_task(use_wrapper_signature=True)
    def scaled(inner):
        def around(x, by=10):
            return inner(x * by)

        return around

    @scaled
    @task(version="1")
    def same(value):
        return value

    assert list(inspect.signature(same.func).parameters) == list(same.signature.parameters) == ["x", "by"]
    assert Scheduler().run([same(1), same(x=1, by=2)]) == [10, 2]


def test_the_wrapper_hash_covers_the_inner_task():
    """Another version of the task within, other included values or other code around give another hash."""

    def make(factor=2, version="1"):
        @define(factor)
        @task(version=version)
        def one():
            return 1

        return one.hash, one.inner_task.hash

    base = make()
    assert make() == base
    assert make(version="2")[0] != base[0]
    assert make(version="2")[1] != base[1]
    other = make(factor=3)
    assert other[0] != base[0]
    assert other[1] == base[1]


def test_a_change_to_the_inner_task_runs_the_wrapper_again():
    """Also when the wrapper calls the function itself instead of the task."""
    store = MemoryStore()

    def make(version, result):
        @wraps_task()
        def direct(inner):
            def around():
                return inner.func()

            return around

        @direct
        @task(version=version)
        def one():
            return result

        return one

    assert Scheduler(backend=store).run(make("1", "first")()) == "first"
    assert Scheduler(backend=store).run(make("1", "not run")()) == "first"
    assert Scheduler(backend=store).run(make("2", "second")()) == "second"


def test_bad_names_and_options_are_refused():
    """A wrapper's name is a task name, and its options are checked as those of a task."""
    with pytest.raises(ValueError, match="'a-b'"):

        @wraps_task(wrapper_name="a-b")
        def _one(inner):
            return inner

    with pytest.raises(ValueError, match="cache_scope"):

        @define(cache_scope="SOMETIMES")
        @task(version="1")
        def _two():
            return 1


def test_the_command_line_sees_the_inner_function():
    """Annotations, which stand as text here, and the docstring are those of the task within."""

    @define()
    @task(version="1")
    def add(x: int, y: bool = False):
        """Add them."""
        return x + y

    assert add.visible_func is add.inner_task.func
    assert parse_arguments(add, ["--x", "3", "--y", "true"]) == {"x": 3, "y": True}
    assert [line for line in task_list_lines("wf", [add]) if line.endswith("test_wraps.add  Add them.")]
    assert "  Add them." in task_help_lines(add)
