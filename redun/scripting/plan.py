"""A script with all that belongs to it, ready to be run: here, or as text by a shell on another machine.

Here its inputs and outputs are copied by redun itself, with the file systems and credentials of this process.  For
another machine ``render`` gives one text that copies and runs; what is there afterwards is read by ``collect``.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from shlex import quote
from typing import Any

from redun.file import Dir, File, FileSet
from redun.file.filesystems import get_filesystem
from redun.file.staging import Staging
from redun.scripting.outputs import STDOUT, Marks, Output, collect
from redun.scripting.process import Cancellable, ScriptProcess
from redun.scripting.text import command_text, get_wrapped_command, join_commands, prepare_command, title_of
from redun.task import Task
from redun.value.nested import iter_nested_value, map_nested_value

FOLDER_PREFIX = "redun-script-"


@dataclass(frozen=True, slots=True)
class Script:
    """What a task with ``script=True`` asks to be run: its function returns one, or a command alone.

    Args:
        command: text, or a list of a program and its arguments.
        inputs: nested; stagings in it are copied to their local places before the script runs.
        outputs: nested; each ``Output`` in it is copied from its local place afterwards, and stands in the result as
            what it names.
        tempdir: whether the script works in a folder of its own, removed afterwards; a path makes it work in that
            folder, which is kept.
        as_mount: whether buckets are reached through the folders that they are mounted at.
    """

    command: Any
    inputs: Any = ()
    outputs: Any = Output(File(STDOUT))  # noqa: RUF009  (nothing changes it)
    tempdir: bool | str = False
    as_mount: bool = False

    @property
    def title(self) -> str:
        """What messages call it."""
        return title_of(self.command)

    def text(self) -> str:
        """Return the script itself."""
        return prepare_command(command_text(self.command))

    def run(self, job: Cancellable) -> Any:
        """Run it here; return what its outputs come to.

        Args:
            job: gets the hook that ends the script, for as long as it runs.

        Raises:
            ScriptError: it failed, or was cancelled.
            MissingOutput: it left out one of its outputs.
            RedunOSError: an input or output cannot be copied.
        """
        from tempfile import TemporaryDirectory

        process = ScriptProcess()
        job.cancel = process.cancel
        try:
            # What the script left running may still write there: no reason to fail.
            with TemporaryDirectory(prefix=FOLDER_PREFIX, ignore_cleanup_errors=True) as scratch:
                return self._run(process, Path(scratch))
        finally:
            job.cancel = None

    def render(self, folder: str | None = None) -> str:
        """Return text for any POSIX shell that copies the inputs, runs the script and copies the outputs.

        Args:
            folder: where the script works if it has a folder of its own; None takes a new one, removed afterwards.
        """
        lines = ["set -e"]
        if self.tempdir is True and folder is None:
            from uuid import uuid4

            # Below the folder that it starts in: of the other machine nothing else is known to be writable.
            folder = f"{FOLDER_PREFIX}{uuid4().hex}"
            lines.append(f"trap 'rm -rf {folder}' EXIT")
        elif folder is None and self.tempdir:
            folder = str(self.tempdir)
        if folder is not None:
            lines.append(f"mkdir -p {quote(folder)}")
        place = _Place(folder)
        stage = [staging.render_stage(self.as_mount) for staging in place.stagings(self.inputs)]
        unstage = [staging.render_unstage(self.as_mount) for staging in place.stagings(self._outputs())]
        wrapped = get_wrapped_command(self.text())
        if folder is not None:
            wrapped = f"(\ncd {quote(folder)}\n{wrapped})\n"
        return "\n".join(lines) + "\n" + join_commands(stage) + wrapped + join_commands(unstage)

    def collect(self, stdout: Path, folder: str | None = None, *, is_unstaged: bool = True) -> Any:
        """Return what the outputs come to, once the script has run.

        Args:
            stdout: the file that holds what it printed.
            folder: where it worked, if it had a folder of its own.
            is_unstaged: whether the outputs have been copied already, as ``render`` does.
        """
        resolve, title = _Place(folder).resolve, self.title

        def take(part: Any) -> Any:
            return collect(part, title, stdout, resolve, is_unstaged=is_unstaged) if isinstance(part, Output) else part

        return map_nested_value(take, self.outputs)

    def _run(self, process: ScriptProcess, scratch: Path) -> Any:
        folder = self._make_folder(scratch)
        marks = Marks([part for part in iter_nested_value(self.outputs) if isinstance(part, Output)])
        if self.as_mount:
            stdout = process.run(self.render(folder), scratch)
        else:
            for staging in _Place(folder).stagings(self.inputs):
                staging.stage()
            stdout = process.run(self.text(), scratch, cwd=folder)
        marks.note_writes()
        return self.collect(stdout, folder, is_unstaged=self.as_mount)

    def _make_folder(self, scratch: Path) -> str | None:
        if not self.tempdir:
            return None
        folder = str(scratch / "work") if self.tempdir is True else os.path.abspath(str(self.tempdir))
        os.makedirs(folder, exist_ok=True)
        return folder

    def _outputs(self) -> list[Staging[Any]]:
        """Return the outputs that are copied, as stagings."""
        made: list[Staging[Any]] = []
        for part in iter_nested_value(self.outputs):
            if isinstance(part, Output) and part.local != STDOUT:
                place = part.make()
                if isinstance(place, (File, Dir)):
                    made.append(place.stage(part.local))
        return made


class _Place:
    """Where a script works, and what its local paths mean."""

    def __init__(self, folder: str | None) -> None:
        self._folder = folder

    def resolve(self, path: str) -> str:
        """Return a local path of the script's as this process knows it."""
        if self._folder is None or not get_filesystem(url=path).is_local or os.path.isabs(path) or "://" in path:
            return path
        # A path that leads out of the folder is none of the script's own places.
        if os.path.normpath(path).startswith(".."):
            return path
        return os.path.join(self._folder, path)

    def stagings(self, parts: Any) -> list[Staging[Any]]:
        """Return what is to be copied to or from the script's local places."""
        found: list[Staging[Any]] = []
        for part in iter_nested_value(parts):
            if isinstance(part, Staging):
                found.append(type(part)(self.resolve(part.local.path), part.remote))
            elif isinstance(part, (File, Dir)) and part.path != STDOUT:
                found.append(part.stage(self.resolve(part.path)))
            elif isinstance(part, FileSet) and self._folder is not None:
                found.extend(file.stage(self.resolve(file.path)) for file in part)
        return [staging for staging in found if not staging.is_same_place()]


def as_script(made: Any) -> Script:
    """Return what the function of a script task returned, as a Script."""
    return made if isinstance(made, Script) else Script(made)


def run_script(made: Any, job: Cancellable) -> Any:
    """Run what the function of a script task returned; see ``Script.run``.

    Raises:
        BadCommand: it is no command.
    """
    return as_script(made).run(job)


def read_stdout(job: Any, stdout: bytes) -> Any:
    """Return what the outputs of a job's script come to, once it has run elsewhere by ``get_task_command``.

    Args:
        job: of a script task; its function is asked once more for what is run.
        stdout: what the script printed.

    Raises:
        MissingOutput: it left out one of its outputs.
    """
    from tempfile import NamedTemporaryFile

    args, kwargs = job.handed()
    made = as_script(job.task.func(*args, **kwargs))
    with NamedTemporaryFile(prefix=FOLDER_PREFIX) as held:
        held.write(stdout)
        held.flush()
        return made.collect(Path(held.name))


def get_task_command(task: Task[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]) -> str:
    """Return the script that a call of a script task comes to; for ``script(...)``, with the copying around it."""
    made = task.func(*args, **kwargs)
    return made.render() if isinstance(made, Script) else as_script(made).text()


def exec_script(command: str) -> bytes:
    """Run a script and return what it printed; without a ``#!`` line, ``sh`` runs it.

    Raises:
        ScriptError: it failed.
    """
    from tempfile import TemporaryDirectory

    with TemporaryDirectory(prefix=FOLDER_PREFIX, ignore_cleanup_errors=True) as scratch:
        return ScriptProcess().run(command, Path(scratch)).read_bytes()
