"""Finds the task that a call names: imports its module, and refuses a task whose code is another.

The invariant: what runs has the hash that the scheduler recorded the call under.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from contextlib import suppress
from functools import lru_cache
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

from redun.errors import TaskError
from redun.hashing import Oid
from redun.objects.headers import MAIN, TaskPlace
from redun.objects.oid import short
from redun.task.registry import get_task_registry
from redun.task.task import Task

_ASIDE = "__redun_main__"
"""What a script is called while it is imported, so that the block under ``if __name__ == "__main__"`` does not run."""


class CodeMissing(TaskError):
    """A worker lacks the module of a task, or the module lacks the task."""

    def __init__(self, task_name: str, module: str, why: str) -> None:
        super().__init__(
            f"a worker cannot load task {task_name!r} from module {module!r}: {why}",
            hint="the module must be in the code package, or installed where the worker runs",
        )
        self.task_name = task_name
        self.module = module
        self.why = why


class CodeDiffers(TaskError):
    """The task that a worker has is not the one that was called."""

    def __init__(self, task_name: str, expected: Oid, found: Oid) -> None:
        super().__init__(
            f"a worker has other code for task {task_name!r}: "
            f"expected task hash {short(expected)}, found {short(found)}",
            hint="the code there is of another version, or changed while the workflow ran",
        )
        self.task_name = task_name
        self.expected = expected
        self.found = found


def find_task(place: TaskPlace) -> Task[..., Any]:
    """Return the task that a call names.

    Raises:
        CodeMissing: its module cannot be imported, or does not define it.
        CodeDiffers: it is another version of it.
    """
    task = _registered(place)
    if task is not None:
        return task
    _add_paths(place.import_paths)
    try:
        if place.main_path:
            load_main(str(Path(place.main_path).resolve()))
        else:
            import_module(place.module)
    except (Exception, SystemExit) as error:
        raise CodeMissing(place.fullname, place.module, f"{type(error).__name__}: {error}") from error
    found = get_task_registry().get(task_name=place.fullname)
    if found is None:
        raise CodeMissing(place.fullname, place.module, "the module defines no such task")
    if found.oid != place.oid:
        raise CodeDiffers(place.fullname, place.oid, found.oid)
    return found


def load_others(place: TaskPlace) -> None:
    """Import what defines the tasks that the arguments name; one that is not there shows when it is asked for."""
    if place.also:
        _add_paths(place.import_paths)
    for module, main_path in place.also:
        with suppress(Exception, SystemExit):
            if main_path:
                load_main(str(Path(main_path).resolve()))
            else:
                import_module(module)


def _registered(place: TaskPlace) -> Task[..., Any] | None:
    """Return the task if it is here already, as in a process that was forked from the scheduler's."""
    found = get_task_registry().get(task_name=place.fullname)
    return found if found is not None and found.oid == place.oid else None


def _add_paths(paths: Iterable[str]) -> None:
    """Look for modules where the scheduler does; behind what this process has already."""
    known = {os.path.realpath(path or ".") for path in sys.path}
    for path in paths:
        absolute = str(Path(path).resolve())
        if absolute not in known and Path(absolute).is_dir():
            sys.path.append(absolute)
            known.add(absolute)


@lru_cache(maxsize=1)
def load_main(path: str) -> ModuleType:
    """Import a script as the module ``__main__``, without running what only a main program does.

    Classes and functions that it defines are named as they are in the process that runs the script: values that hold
    some must be found by the same name on both sides.
    """
    spec = spec_from_file_location(_ASIDE, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is no Python file")
    module = module_from_spec(spec)
    sys.modules[_ASIDE] = sys.modules[MAIN] = module
    spec.loader.exec_module(module)
    module.__name__, module.__spec__ = MAIN, None
    for value in vars(module).values():
        if isinstance(value, (type, FunctionType)) and value.__module__ == _ASIDE:
            value.__module__ = MAIN
        elif isinstance(value, Task) and value.func.__module__ == _ASIDE:
            value.func.__module__ = MAIN
    get_task_registry().forget_hashes()
    return module
