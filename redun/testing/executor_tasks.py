"""The tasks of ``redun.testing.executor``: in a module of their own, which workers import by its name."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

from redun import File, get_context, task
from redun.task.job_info import JobInfo

redun_namespace = "redun.testing"

_POLL_SECONDS = 0.005
_LONG_SECONDS = 60


class OddValueError(ValueError):
    """An error with a class and an attribute of its own."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number

    def __str__(self) -> str:
        return f"expected an even number, found {self.number}"


@task()
def add(a: Any, b: Any) -> Any:
    """Return the sum, or what two values make together."""
    return a + b


@task()
def same(value: Any) -> Any:
    """Return what was given."""
    return value


@task()
def add_all(numbers: list[int]) -> int:
    """Return the sum."""
    return sum(numbers)


@task()
def fan_out(n: int, executor: str) -> Any:
    """Return the sum of n calls that depend on nothing."""
    return add_all([add.options(executor=executor)(number, 1) for number in range(n)])


@task()
def count_down(n: int, executor: str) -> Any:
    """Return a call that returns a call, and so on, n deep."""
    return n if n == 0 else count_down.options(executor=executor)(n - 1, executor)


@task()
def require_even(number: int) -> int:
    """Return an even number, raise for another one."""
    if number % 2:
        raise OddValueError(number)
    return number


@task()
def parse(text: str) -> Any:
    """Read JSON; what goes wrong goes wrong in the standard library, whose frames are shown."""
    return json.loads(text)


@task()
def number_of(error: OddValueError) -> int:
    """Return the number that an error carries."""
    return error.number


@task()
def text_of(error: Exception) -> str:
    """Return what an error says."""
    return str(error)


@task()
def make_lock() -> Any:
    """Return what cannot be stored."""
    return threading.Lock()


@task()
def write_text(path: str, text: str) -> File:
    """Write a file."""
    file = File(path)
    file.write(text)
    return file


@task()
def find_file(path: str) -> File:
    """Name a file that is there."""
    return File(path)


@task()
def read_text(file: File) -> str:
    """Read a file."""
    text = file.read()
    assert isinstance(text, str)
    return text


@task(script=True)
def shout(word: str) -> str:
    """Write a word as a script does."""
    return f"echo said {word}"


@task(script=True)
def give_up(word: str) -> str:
    """Fail as a script does, with something to read."""
    return f"echo {word} >&2; exit 3"


@task()
def where() -> int:
    """Return the number of the process that runs this."""
    return os.getpid()


@task(cache=False)
def know(info: JobInfo = JobInfo(), color: Any = get_context("color")) -> dict[str, Any]:  # noqa: B008 - both stand for what each call gets
    """Return what a job is told of itself and of its context."""
    return {"job": info.job_id, "eval": info.eval_hash, "color": color}


@task(limits=["redun-testing-one"])
def enter(folder: str, number: int) -> int:
    """Fail when another one is inside."""
    inside = Path(folder, "inside")
    inside.touch(exist_ok=False)
    time.sleep(_POLL_SECONDS)
    inside.rename(Path(folder, f"left-{number}"))
    return number


@task()
def hold(folder: str, number: int) -> int:
    """Say that this runs, then wait until a file ``go`` is there."""
    Path(folder, f"held-{number}").touch()
    wait_for(Path(folder, "go"))
    return number


@task()
def hold_script(folder: str) -> int:
    """Say that this runs, then wait for a program that a shell started; its process id is in ``child``."""
    command = f"sleep {_LONG_SECONDS} & echo $! > {folder}/child.tmp; mv {folder}/child.tmp {folder}/child; wait"
    return subprocess.run(["sh", "-c", command], check=False).returncode


@task()
def die(how: str) -> None:
    """End the process that runs this: by the name of a signal, or with an exit code."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # it leaves no dump where the tests run
    if how.startswith("SIG"):
        os.kill(os.getpid(), signal.Signals[how])
        time.sleep(_LONG_SECONDS)
    os._exit(int(how))


@task()
def die_once(marker: str) -> str:
    """Die when this runs for the first time."""
    if not Path(marker).exists():
        Path(marker).touch()
        os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(_LONG_SECONDS)
    return "alive"


@task()
def say(line: str) -> str:
    """Write a line to the standard output and to that of errors."""
    for descriptor in (1, 2):
        os.write(descriptor, f"{line}\n".encode())
    return line


@task()
def say_and_fail(line: str) -> None:
    """Write a line, then raise."""
    say.func(line)
    raise OddValueError(1)


@task()
def import_path() -> list[str]:
    """Return where modules are looked for."""
    return list(sys.path)


def wait_for(path: Path, seconds: float = _LONG_SECONDS) -> None:
    """Wait until a file is there.  Raises TimeoutError."""
    deadline = time.monotonic() + seconds
    while not path.exists():
        if time.monotonic() > deadline:
            raise TimeoutError(f"expected {path} within {seconds} s")
        time.sleep(_POLL_SECONDS)
