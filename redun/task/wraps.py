"""``wraps_task``: decorators that put a task of their own around a task.

The wrapper takes the name of what it wraps, which moves into a namespace below: ``ns.task`` becomes
``ns.wrapper.task``.  The invariant: the wrapper's hash covers that of the task within, so that a change to either runs
both again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from redun.namespace import check_name, join_fullname
from redun.task.registry import get_task_registry
from redun.task.task import P, R, Task


class TaskWrapper(Protocol):
    """A decorator for tasks, and for functions, which it makes tasks."""

    def __call__(self, func: Callable[P, R], /) -> Task[P, R]:
        """Return the task that stands in for the one given."""


def wraps_task(
    wrapper_name: str | None = None,
    wrapper_hash_includes: Sequence[Any] = (),
    use_wrapper_signature: bool = False,
    **options: Any,
) -> Callable[[Callable[[Task[..., Any]], Callable[..., Any]]], TaskWrapper]:
    """Make a decorator for tasks of a function that takes the task within and returns the function around it.

    Args:
        wrapper_name: the namespace that the task within moves into; default the decorated function's name.
        wrapper_hash_includes: further values that the wrapper's hash covers.
        use_wrapper_signature: calls are bound to the signature of the function around, not to that of the task within.
        options: of the wrapper; those of the task within stay its own.

    Raises:
        ValueError: the name, or the value of an option, is not one.
    """

    def decorate(make: Callable[[Task[..., Any]], Callable[..., Any]]) -> TaskWrapper:
        space = check_name(wrapper_name or make.__name__)

        def wrap(func: Callable[P, R], /) -> Task[P, R]:
            inner: Task[P, R] = func if isinstance(func, Task) else Task(func)
            namespace, is_given = inner.namespace, inner.is_namespace_given
            _move(inner, space)
            around: Task[P, R] = Task(
                make(inner),
                name=inner.name,
                namespace=namespace,
                hash_includes=[inner, *wrapper_hash_includes],
                options={
                    "wrapped_task": inner.fullname,
                    "use_wrapper_signature": use_wrapper_signature,
                    "load_module": inner.load_module,
                    **options,
                },
            )
            around.wrapped_task = inner
            around.is_namespace_given = is_given
            get_task_registry().add(around)
            return around

        return wrap

    return decorate


def _move(outermost: Task[Any, Any], space: str) -> None:
    """Move a task, and those that it wraps, each into a namespace below its own."""
    registry = get_task_registry()
    task: Task[Any, Any] | None = outermost
    above: Task[Any, Any] | None = None
    while task is not None:
        fullname = join_fullname(join_fullname(task.namespace, space), task.name)
        if registry.get(task_name=task.fullname) is task:
            registry.rename(task.fullname, fullname)
        else:
            task.set_fullname(fullname)
            registry.add(task)
        task.is_namespace_given = True
        if above is not None:
            above.note_wrapped_name()
        above, task = task, task.wrapped_task
