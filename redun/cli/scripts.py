"""From the words SCRIPT and TASK of a command line to a task."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from difflib import get_close_matches
from importlib import import_module
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

from redun.errors import RedunError, TaskError
from redun.task import Task, get_task_registry


class ScriptError(RedunError):
    """A workflow script cannot be found, or raises while it is imported."""


class NoSuchTask(TaskError):
    """A script defines no task of this name."""


class _ScriptLoader(SourceFileLoader):
    """Compiles a script anew at each run, as ``python FILE`` does.

    Cached bytecode is told from stale by size and whole seconds: after a run, an edit of the same length within the
    same second would not be seen until the next one.
    """

    def path_stats(self, path: str) -> Mapping[str, Any]:
        # The import system's own word for: there is nothing to compare a cache with.
        raise OSError(f"{path} is compiled anew")


def load_script(name: str) -> ModuleType:
    """Import a workflow: a path of a Python file, or the dotted name of a module.

    The folder of a file comes first on the import path, as for ``python FILE``.

    Raises:
        ScriptError: there is no such file or module, or importing it fails.
    """
    path = Path(name)
    if path.suffix != ".py" and not path.is_file():
        return _import_module(name)
    if not path.is_file():
        raise ScriptError(f"there is no script {name}", hint=_near_scripts(path))
    sys.path.insert(0, str(path.resolve().parent))
    module_name = path.stem
    loader = _ScriptLoader(module_name, str(path.resolve()))
    spec = spec_from_file_location(module_name, path.resolve(), loader=loader)
    if path.suffix != ".py" or spec is None:
        raise ScriptError(f"{name} is no Python file")
    module = module_from_spec(spec)
    sys.modules[module_name] = module
    try:
        loader.exec_module(module)
    except (Exception, SystemExit) as error:
        del sys.modules[module_name]
        raise _import_failed(name, error) from error
    return module


def _import_module(name: str) -> ModuleType:
    sys.path.insert(0, str(Path.cwd()))
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and name.startswith(error.name):
            raise ScriptError(f"there is no script or module {name}", hint=_near_scripts(Path(name))) from error
        raise _import_failed(name, error) from error
    except (Exception, SystemExit) as error:
        raise _import_failed(name, error) from error


def _import_failed(name: str, error: BaseException) -> ScriptError:
    from redun.scheduler.errors import describe_error
    from redun.scheduler.trace_frames import frames_of

    lines = [f"importing {name} failed"]
    for frame in frames_of(error.__traceback__):
        if not frame.filename.startswith("<frozen importlib") and frame.filename != import_module.__code__.co_filename:
            lines.append(f'  File "{frame.filename}", line {frame.lineno}, in {frame.name}')
            if frame.line:
                lines.append(f"    {frame.line}")
    # A file has no package around it, as with ``python FILE``.
    is_relative = isinstance(error, ImportError) and "no known parent package" in str(error)
    hint = f"name it as a module: redun run {name.removesuffix('.py').replace('/', '.')}" if is_relative else ""
    return ScriptError("\n".join([*lines, describe_error(error)]), hint=hint)


def _near_scripts(path: Path) -> str:
    folder = path.parent if path.parent.is_dir() else Path()
    names = sorted(entry.name for entry in folder.glob("*.py"))
    near = get_close_matches(path.name, names, n=3, cutoff=0.5) or names[:5]
    return f"Python files in {folder.resolve()}: {', '.join(near)}" if near else ""


def tasks_of(module: ModuleType) -> list[Task[..., Any]]:
    """Return the tasks that a module defines or imports by name, by full name, without those that redun brings."""
    known = {id(value) for value in vars(module).values()}
    tasks = [
        task
        for task in get_task_registry()
        if task.func.__module__ == module.__name__
        or (id(task) in known and not task.func.__module__.startswith("redun."))
    ]
    return sorted(tasks, key=lambda task: task.fullname)


def find_task(module: ModuleType, name: str) -> Task[..., Any]:
    """Return a task by its full name, or by its name in the module's namespace.

    Raises:
        NoSuchTask: there is none; the message lists those there are.
    """
    registry = get_task_registry()
    namespace = getattr(module, "redun_namespace", "")
    for candidate in ([f"{namespace}.{name}"] if namespace else []) + [name]:
        task = registry.get(task_name=candidate)
        if task is not None:
            return task
    tasks = tasks_of(module)
    by_name = [task for task in tasks if task.name == name]
    if len(by_name) == 1:
        return by_name[0]
    names = [task.name if task.namespace == namespace else task.fullname for task in tasks]
    near = get_close_matches(name, names, n=3, cutoff=0.5)
    there = f"tasks there: {', '.join(names)}" if names else "it defines no tasks; decorate a function with @task()"
    hint = f"did you mean {' or '.join(near)}? {there}" if near else there
    raise NoSuchTask(f"{module.__name__} has no task {name!r}", hint=hint)
