"""A worker finds the code of the task that was called, and nothing else."""

from __future__ import annotations

import subprocess
import sys

SCRIPT = """
import sys
from dataclasses import dataclass
from redun import Scheduler, task

redun_namespace = "mainly"


@dataclass
class Pair:
    a: int
    b: int


def half(n):
    return n // 2


@task()
def swap(pair: Pair) -> Pair:
    return Pair(half(pair.b), pair.a)


@task()
def main(n: int):
    return swap(Pair(n, n * 2))


if __name__ == "__main__":
    from redun.store.memory import MemoryStore
    import relay

    executor = relay.RelayExecutor()
    print(Scheduler(executor=executor).run(main(5)))
"""

RELAY = """
import subprocess
import sys

from redun.testing.parcels import ParcelExecutor

WORKER = "import sys; from redun.worker import run_parcel; " \\
    "sys.stdout.buffer.write(run_parcel(sys.stdin.buffer.read(), None))"


class RelayExecutor(ParcelExecutor):
    def __init__(self):
        super().__init__()
        self.run_parcel = lambda parcel, _contents: subprocess.run(
            [sys.executable, "-c", WORKER], input=parcel, capture_output=True, check=True
        ).stdout
"""


def _run(folder, *words, code=0):
    done = subprocess.run([sys.executable, *words], cwd=folder, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == code, done.stderr
    return done


def test_a_script_run_as_main_is_loaded_by_workers(tmp_path):
    """Tasks and classes of ``__main__`` are found by a worker by that name, and its main block does not run there."""
    (tmp_path / "job.py").write_text(SCRIPT)
    (tmp_path / "relay.py").write_text(RELAY)
    assert _run(tmp_path, "job.py").stdout == "Pair(a=5, b=5)\n"


def test_modules_beside_a_script_are_found(tmp_path):
    """What the script's folder holds is importable for a worker that was started elsewhere in the project."""
    (tmp_path / "flows").mkdir()
    (tmp_path / "flows" / "job.py").write_text(SCRIPT.replace("def half", "from parts import half\n\n\ndef other"))
    (tmp_path / "flows" / "parts.py").write_text("def half(n):\n    return n // 2\n")
    (tmp_path / "flows" / "relay.py").write_text(RELAY)
    assert _run(tmp_path, "flows/job.py").stdout == "Pair(a=5, b=5)\n"


def test_code_that_changed_meanwhile_is_refused(tmp_path):
    """A file that was edited after the scheduler read it is another task; nothing of it runs."""
    lines = [
        "text = open('job.py').read()",
        "open('job.py', 'w').write(text.replace('n // 2', 'n // 3'))",
        "print(Sched",
    ]
    edit = "\n".join(f"    {line}" for line in lines)
    (tmp_path / "job.py").write_text(SCRIPT.replace("    print(Sched", edit))
    (tmp_path / "relay.py").write_text(RELAY)
    done = _run(tmp_path, "job.py", code=1)
    assert "CodeDiffers" in done.stderr
    assert "expected task hash" in done.stderr


def test_a_module_that_does_not_import_is_named(tmp_path):
    """The error says which module could not be imported, and why."""
    edit = "    open('job.py', 'w').write('import no_such_thing')\n    print(Sched"
    (tmp_path / "job.py").write_text(SCRIPT.replace("    print(Sched", edit))
    (tmp_path / "relay.py").write_text(RELAY)
    done = _run(tmp_path, "job.py", code=1)
    assert "CodeMissing" in done.stderr
    assert "no_such_thing" in done.stderr
