"""What a user reads after a mistake on the command line of ``redun run``."""

from __future__ import annotations

import pytest

WORKFLOW = '''
from enum import Enum
from redun import task

redun_namespace = "demo"


class Color(Enum):
    RED = 1
    GREEN = 2


@task()
def paint(color: Color, times: int, names: list[str], dry: bool = False, note: str = "none"):
    """Paint something."""
    return [color.name, times, names, dry, note]


@task()
def painting():
    return 1
'''


@pytest.fixture
def workflow(tmp_path):
    """A script with two tasks."""
    (tmp_path / "wf.py").write_text(WORKFLOW)
    return tmp_path


def test_a_script_that_does_not_exist_is_named(redun_command, workflow):
    """The message names the script, and those that are there."""
    done = redun_command("run", "wff.py", "paint", code=1)
    assert "there is no script wff.py" in done.stderr
    assert "wf.py" in done.stderr
    assert not (workflow / ".redun").exists()


def test_a_module_that_does_not_exist_is_named(redun_command, workflow):
    """The same for a dotted name."""
    done = redun_command("run", "no.such.module", "paint", code=1)
    assert "there is no script or module no.such.module" in done.stderr


def test_a_script_that_does_not_import_shows_where(redun_command, tmp_path):
    """The traceback holds the user's lines and none of redun's."""
    (tmp_path / "bad.py").write_text("import json\n\nvalue = json.loads('{')\n")
    done = redun_command("run", "bad.py", "main", code=1)
    assert "importing bad.py failed" in done.stderr
    assert "line 3" in done.stderr
    assert "JSONDecodeError" in done.stderr
    assert "scripts.py" not in done.stderr


def test_a_syntax_error_is_shown(redun_command, tmp_path):
    """A script that is no Python says where it stops being Python."""
    (tmp_path / "bad.py").write_text("def f(:\n")
    done = redun_command("run", "bad.py", "main", code=1)
    assert "SyntaxError" in done.stderr
    assert "line 1" in done.stderr


def test_a_task_that_does_not_exist_gets_near_names(redun_command, workflow):
    """The message offers the names that are like it."""
    done = redun_command("run", "wf.py", "pant", code=1)
    assert "has no task 'pant'" in done.stderr
    assert "did you mean paint" in done.stderr
    assert "painting" in done.stderr


def test_a_script_without_tasks_says_so(redun_command, tmp_path):
    """Somebody forgot the decorator."""
    (tmp_path / "plain.py").write_text("def main():\n    return 1\n")
    done = redun_command("run", "plain.py", "main", code=1)
    assert "defines no tasks" in done.stderr
    assert "@task()" in done.stderr


def test_arguments_are_read_by_their_annotations(redun_command, workflow):
    """Enum, int, list, bool and text."""
    words = "--color GREEN --times 3 --names a b --dry true --note=x".split()
    done = redun_command("run", "wf.py", "paint", *words)
    assert done.stdout.strip() == "['GREEN', 3, ['a', 'b'], True, 'x']"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("", "demo.paint needs --color, --times, --names"),
        ("--color RED --times 3", "needs --names"),
        ("--colour RED", "has no argument --colour"),
        ("--color BLUE", "expected one of RED, GREEN, found 'BLUE'"),
        ("--times three", "--times three: "),
        ("--dry maybe", "expected true or false, found 'maybe'"),
        ("--times 1 2", "expected one value, found 2"),
        ("--times 1 --times 2", "--times is given twice"),
        ("3", "expected --name before '3'"),
        ("--names", "expected one or more values"),
    ],
)
def test_arguments_that_do_not_fit_give_the_usage_and_2(redun_command, workflow, words, message):
    """Each mistake is named, and the usage comes from the signature."""
    done = redun_command("run", "wf.py", "paint", *words.split(), code=2)
    assert message in done.stderr
    assert "--color {RED,GREEN} --times INT --names TEXT... [--dry {true,false}] [--note TEXT]" in done.stderr
    assert not (workflow / ".redun").exists()


def test_the_help_of_a_task_tells_its_arguments(redun_command, workflow):
    """The usage, the docstring and the defaults."""
    done = redun_command("run", "wf.py", "paint", "help")
    assert "Paint something." in done.stdout
    assert "--dry {true,false}  (default False)" in done.stdout


def test_the_tasks_of_a_script_are_listed(redun_command, workflow):
    """``redun run SCRIPT help`` lists full names and first lines."""
    done = redun_command("run", "wf.py", "help")
    assert "demo.paint     Paint something." in done.stdout
    assert "demo.painting" in done.stdout


def test_a_setting_of_the_reference_engine_names_ours(redun_command, workflow):
    """``[backend] db_uri`` has no meaning here, and the message says what has."""
    redun_command("init")
    (workflow / ".redun" / "redun.ini").write_text("[backend]\ndb_uri = sqlite:///redun.db\n")
    done = redun_command("run", "wf.py", "painting", code=2)
    assert "[repository] url" in done.stderr
