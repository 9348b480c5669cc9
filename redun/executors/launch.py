"""Starting a whole command, mostly ``redun run ...``, on an executor, and leaving it to itself.

An executor of a cluster makes it a job there; one of this machine starts a program in a session of its own, which goes
on when whoever started it has ended.  The invariant: a command is begun once, or an error says why not.
"""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from redun.config import Config
from redun.errors import ExecutorError
from redun.executors.alias import resolve_section
from redun.executors.base import Executor
from redun.executors.registry import make_executor
from redun.executors.remote.submitter import RemoteState, RemoteStatus
from redun.executors.thread import ThreadExecutor

REDUN = "redun"


class CannotLaunch(ExecutorError):
    """An executor starts no commands, or could not start this one."""


@runtime_checkable
class Launcher(Protocol):
    """What an executor has that starts commands elsewhere; ``RemoteExecutor`` says what these do."""

    def launch(self, command: Sequence[str], options: Mapping[str, Any], *, sends_code: bool = False) -> str:
        """Start a command as one job; return its id."""

    def wait_for(self, job_id: str) -> RemoteState:
        """Wait until a job has ended; return how."""


@dataclass(frozen=True, slots=True)
class Launched:
    """A command that was begun."""

    executor: str
    job_id: str
    """The cluster's id of the job, or the id of the process."""
    wait: Callable[[], str]
    """Waits until it has ended; returns what went wrong, an empty text when nothing did."""


def launch_script(
    config: Config,
    script_command: str | Sequence[str],
    executor: Executor | None = None,
    executor_name: str | None = None,
    task_options: Mapping[str, Any] | None = None,
    execution_id: str | None = None,
    *,
    sends_code: bool = False,
    folder: Path | None = None,
    is_heard: bool = False,
) -> Launched:
    """Start a command on an executor.

    Args:
        config: settings that tell of the executor.
        script_command: the words, or one text as a shell takes it.  A first word ``redun`` is the redun of wherever it
            runs.
        executor: the executor itself, instead of its name.
        executor_name: its name in the settings; ``default`` when neither is given.
        task_options: what a call would say: memory, image...
        execution_id: the UUID to run under: added to a command ``redun run`` that says none.
        sends_code: whether the code of the project goes along to the cluster, and the command runs in it.
        folder: where a program of this machine runs; the working directory when None.
        is_heard: whether such a program shares the terminal.

    Raises:
        CannotLaunch: the executor starts no commands, or could not.
        ExecutorError: the settings tell of no such executor, or the cluster refuses.
        OSError: the cluster cannot be reached.
    """
    words = shlex.split(script_command) if isinstance(script_command, str) else list(script_command)
    if not words:
        raise CannotLaunch("expected a command to launch, found none")
    if execution_id is not None:
        words = _with_execution_id(words, execution_id)
    found = executor if executor is not None else _make(config, executor_name or "default")
    if isinstance(found, Launcher):
        job_id = found.launch(words, task_options or {}, sends_code=sends_code)
        return Launched(found.name, job_id, lambda: _told(found.wait_for(job_id)))
    if isinstance(found, ThreadExecutor) or _is_of_processes(found):
        return _launch_here(found.name, words, folder, is_heard=is_heard)
    raise CannotLaunch(
        f"executor {found.name!r} ({type(found).__name__}) starts no commands",
        hint="name one of a cluster, or one of type local",
    )


def _make(config: Config, name: str) -> Executor:
    sections: dict[str, Mapping[str, Any]] = {"default": {}, "process": {"mode": "process"}, **config.executors}
    if name not in sections:
        raise ExecutorError(f"expected a section [executors.{name}], found executors: {', '.join(sorted(sections))}")
    return make_executor(*resolve_section(sections, name))


def _with_execution_id(words: list[str], execution_id: str) -> list[str]:
    is_run = words[0].rpartition("/")[2] == REDUN and "run" in words
    if not is_run or "--execution-id" in words:
        return words
    place = words.index("run") + 1
    return [*words[:place], "--execution-id", execution_id, *words[place:]]


def _launch_here(name: str, words: list[str], folder: Path | None, *, is_heard: bool) -> Launched:
    command = [sys.executable, "-m", "redun", *words[1:]] if words[0] == REDUN else words
    stream = None if is_heard else subprocess.DEVNULL
    try:
        process = subprocess.Popen(
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=stream,
            start_new_session=not is_heard,  # Ctrl-C is for whoever shares the terminal
        )
    except OSError as error:
        raise CannotLaunch(f"executor {name!r} could not start {words[0]}: {error}") from error

    def wait() -> str:
        code = process.wait()
        return f"exit code {code}" if code else ""

    return Launched(name, str(process.pid), wait)


def _is_of_processes(executor: Executor) -> bool:
    module = sys.modules.get("redun.executors.process")  # if it was not imported, this is none
    return module is not None and isinstance(executor, module.ProcessExecutor)


def _told(state: RemoteState) -> str:
    return "" if state.status is RemoteStatus.SUCCEEDED else state.reason or f"it is {state.status.value}"
