"""The registry of tasks."""

from __future__ import annotations

import pytest

from redun.scheduler import Scheduler
from redun.task import TaskRegistry, get_task_registry, task


def define(value=1, **options):
    @task(**options)
    def main():
        return value

    return main


def define_reader():
    namespace = {"__name__": "notebook", "task": task}
    exec("LIMIT = 1\ndef helper(): return LIMIT\n@task\ndef main(): return helper()", namespace)
    return namespace["main"]


def test_tasks_are_found_by_name_and_by_hash():
    """A full name, hex digits and raw bytes all lead to the task; an unknown one to None."""
    registry = get_task_registry()
    main = define(version="registry test")
    assert registry.get("main") is registry.get(task_name="main") is main
    assert registry.get(hash=main.hash) is registry.get(hash=main.oid) is main
    assert registry.get("unheard") is None
    assert registry.get(hash="00" * 32) is None
    assert main.hash in registry.task_hashes
    assert registry.is_current(main.oid)
    assert main in list(registry)


def test_asking_for_nothing_is_an_error():
    """A name or a hash must be given."""
    with pytest.raises(ValueError, match="task_name or a hash"):
        get_task_registry().get()


def test_a_second_task_of_a_name_takes_the_place_of_the_first():
    """Whoever wants to warn is told."""
    registry = get_task_registry()
    told = []
    registry.on_replace = lambda old, new: told.append((old, new))
    try:
        first = define(version="1")
        old_hash = first.hash
        assert registry.is_current(first.oid)
        second = define(version="2")
    finally:
        registry.on_replace = None
    assert told == [(first, second)]
    assert registry.get("main") is second
    assert old_hash not in registry.task_hashes


def test_a_run_looks_at_globals_anew():
    """A global bound anew between two runs of one process, as in a notebook, makes the second run the task again."""
    main = define_reader()
    scheduler = Scheduler()
    assert scheduler.run(main()) == 1
    main.func.__globals__["LIMIT"] = 2
    assert scheduler.run(main()) == 2


def test_a_task_can_be_renamed():
    """It is found under its new name alone, and its hash follows."""
    registry = get_task_registry()
    main = define(version="1")
    before = main.hash
    assert registry.rename("main", "inner.main") is main
    assert registry.get("main") is None
    assert (main.namespace, main.name, main.fullname) == ("inner", "main", "inner.main")
    assert registry.get(hash=main.hash) is main
    assert main.hash != before


def test_what_is_registered_in_isolation_does_not_stay():
    """Tests define tasks as they like."""
    registry = TaskRegistry()
    with registry.isolated():
        registry.add(define())
        assert len(registry) == 1
    assert len(registry) == 0
    registry.add(define())
    registry.clear()
    assert list(registry) == []
