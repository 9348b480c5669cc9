"""The quickstart of the guide does what it says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

PAGE = Path(__file__).resolve().parents[2] / "docs" / "guide" / "quickstart.md"


@pytest.fixture
def hello(tmp_path: Path) -> Path:
    """The workflow of the page, in a folder of its own."""
    code = re.search(r"```py\n# hello\.py\n\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert code is not None
    path = tmp_path / "hello.py"
    path.write_text(code[1])
    return path


def _ran(done):
    """Return the names of the tasks that ran."""
    return re.findall(r"Run    Job [0-9a-f]{8}:  hello\.(\w+)\(", done.stderr)


def test_the_first_run_makes_three_jobs(hello, redun_command):
    """One main and two greetings run, and the list of greetings is printed."""
    done = redun_command("run", "hello.py", "main")
    assert sorted(_ran(done)) == ["greet", "greet", "main"]
    assert done.stdout == "['Hello, Ada', 'Hello, Grace']\n"


def test_the_second_run_makes_none(hello, redun_command):
    """What is in .redun is not run again."""
    first = redun_command("run", "hello.py", "main")
    second = redun_command("run", "hello.py", "main")
    assert _ran(second) == []
    assert second.stdout == first.stdout


def test_a_new_name_runs_one_greeting(hello, redun_command):
    """With other names, main runs and the greeting that is new; the other one is found."""
    redun_command("run", "hello.py", "main")
    done = redun_command("run", "hello.py", "main", "--names", "Ada", "Barbara")
    assert sorted(_ran(done)) == ["greet", "main"]
    assert done.stdout == "['Hello, Ada', 'Hello, Barbara']\n"


def test_an_edit_of_greet_runs_greetings_only(hello, redun_command):
    """When greet changes, both greetings run and main does not; a comment runs nothing."""
    redun_command("run", "hello.py", "main")
    hello.write_text(hello.read_text().replace("Hello,", "Hi,"))
    assert _ran(redun_command("run", "hello.py", "main")) == ["greet", "greet"]
    hello.write_text(hello.read_text().replace("    return f", "    # kindly\n    return f"))
    assert _ran(redun_command("run", "hello.py", "main")) == []
