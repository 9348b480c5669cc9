"""The ``task`` decorator: makes a Task of a function and registers it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, overload

from redun.task.registry import get_task_registry
from redun.task.task import P, R, Task


@overload
def task(func: Callable[P, R], /) -> Task[P, R]: ...


@overload
def task(
    *,
    name: str | None = ...,
    namespace: str | None = ...,
    version: str | None = ...,
    compat: Sequence[str] | None = ...,
    script: bool = ...,
    hash_includes: Sequence[Any] | None = ...,
    source: str | None = ...,
    export_options: Mapping[str, Any] | None = ...,
    **options: Any,
) -> Callable[[Callable[P, R]], Task[P, R]]: ...


def task(
    func: Callable[..., Any] | None = None,
    *,
    name: str | None = None,
    namespace: str | None = None,
    version: str | None = None,
    compat: Sequence[str] | None = None,
    script: bool = False,
    hash_includes: Sequence[Any] | None = None,
    source: str | None = None,
    export_options: Mapping[str, Any] | None = None,
    **options: Any,
) -> Any:
    """Make a function a task: ``@task``, or ``@task(...)`` with options.

    Args:
        func: the function, when used without parentheses.
        name: the task's name; default the function's.
        namespace: what stands before the name; default the module's ``redun_namespace``, else that of
            ``redun.namespace``.
        version: text that stands for the source in the task's hash.
        compat: task hashes; the first one is used as the task's hash.
        script: the function returns the text of a shell script, which the executor runs.
        hash_includes: further values that the hash covers, in any order.
        source: text to hash instead of the function's source.
        export_options: options that all jobs below inherit.
        options: ``executor``, ``cache``, ``limits``, ... and whatever the executor takes; none enters the hash.

    Raises:
        ValueError: a name, or the value of an option, is not one.
        TypeError: ``nout`` is not an int of 0 or more.
    """

    def decorate(function: Callable[..., Any]) -> Task[..., Any]:
        made = Task(
            function,
            name=name,
            namespace=namespace,
            version=version,
            compat=compat,
            script=script,
            hash_includes=hash_includes,
            source=source,
            options=options,
            export_options=export_options,
        )
        get_task_registry().add(made)
        return made

    return decorate if func is None else decorate(func)
