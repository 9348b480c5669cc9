"""The tasks that this process knows, by full name.

One registry serves the process: decorators add to it as modules are imported.  Hashes are computed when somebody asks
for them, and `forget_hashes` makes the next question look at the code again: globals may have been bound anew since,
as in a notebook.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from redun.expression import ask_for_tasks
from redun.hashing import Oid
from redun.task.closure import forget_units
from redun.task.own import OWN_NAMESPACE, load_next_module

if TYPE_CHECKING:
    from redun.task.task import Task

ReplaceHook = Callable[["Task[Any, Any]", "Task[Any, Any]"], None]


class TaskRegistry:
    """Tasks by full name."""

    def __init__(self) -> None:
        self._tasks: dict[str, Task[Any, Any]] = {}
        self._by_oid: dict[Oid, Task[Any, Any]] | None = None
        self.on_replace: ReplaceHook | None = None
        """Called with the old and the new task when a definition takes another's full name."""

    def add(self, task: Task[Any, Any]) -> None:
        """Register a task; one of the same full name is replaced."""
        old = self._tasks.get(task.fullname)
        self._tasks[task.fullname] = task
        self._by_oid = None
        if old is not None and old is not task and self.on_replace is not None:
            self.on_replace(old, task)

    def get(self, task_name: str | None = None, hash: str | Oid | None = None) -> Task[Any, Any] | None:
        """Return the task of a full name, or of a hash (hex digits or raw bytes); None when there is none."""
        if task_name is not None:
            found = self._tasks.get(task_name)
            if found is None and task_name.startswith(OWN_NAMESPACE):
                while task_name not in self._tasks and load_next_module():
                    pass
                found = self._tasks.get(task_name)
            return found
        if hash is None:
            raise ValueError("expected a task_name or a hash, found neither")
        oid = Oid(bytes.fromhex(hash)) if isinstance(hash, str) else hash
        return self._oids().get(oid)

    def rename(self, old_name: str, new_name: str) -> Task[Any, Any]:
        """Give a registered task another full name and return it; KeyError when ``old_name`` is unknown."""
        task = self._tasks.pop(old_name)
        task.set_fullname(new_name)
        self.add(task)
        return task

    @property
    def task_hashes(self) -> frozenset[str]:
        """The hash of every registered task, as hex digits."""
        return frozenset(oid.hex() for oid in self._oids())

    def is_current(self, oid: Oid) -> bool:
        """Tell whether some registered task has this hash."""
        return oid in self._oids()

    def find_current(self, fullname: str, oid: Oid) -> Task[Any, Any] | None:
        """Return what a recorded task, of that name then, is now; None when it has changed or is gone.

        A task that is ``compat`` with it may have another name.
        """
        task = self.get(task_name=fullname)
        if task is not None and task.has_hash(oid):
            return task
        return next((task for task in self if task.compat and task.oid == oid), None)

    def forget_hashes(self) -> None:
        """Compute every hash anew when next asked for.  Whoever starts a run calls this once, before the first job."""
        forget_units()
        self._by_oid = None
        for task in self._tasks.values():
            task.forget_hash()

    def clear(self) -> None:
        """Forget every task."""
        self._tasks.clear()
        self._by_oid = None

    @contextmanager
    def isolated(self) -> Iterator[TaskRegistry]:
        """Undo, at the end, whatever is registered meanwhile: what a test that defines tasks runs in."""
        saved = dict(self._tasks)
        try:
            yield self
        finally:
            self._tasks = saved
            self._by_oid = None

    def __iter__(self) -> Iterator[Task[Any, Any]]:
        return iter(list(self._tasks.values()))

    def __len__(self) -> int:
        return len(self._tasks)

    def _oids(self) -> dict[Oid, Task[Any, Any]]:
        by_oid = self._by_oid
        if by_oid is None:
            by_oid = self._by_oid = {task.oid: task for task in self}
        return by_oid


_registry = TaskRegistry()
ask_for_tasks(lambda name: _registry.get(task_name=name) is not None)


def get_task_registry() -> TaskRegistry:
    """Return the registry of this process."""
    return _registry
