"""A script is a file or a module; what is wrong with it is said with what is there instead."""

from __future__ import annotations

import os
import sys

import pytest

from redun.cli.scripts import NoSuchTask, ScriptError, find_task, load_script, tasks_of


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder to write scripts in; what they import and register is forgotten afterwards."""
    from redun.task import get_task_registry

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "modules", dict(sys.modules))
    registry = get_task_registry()
    for name, value in list(vars(registry).items()):
        if isinstance(value, dict):
            monkeypatch.setattr(registry, name, dict(value))
    return tmp_path


def write(folder, name, text):
    """Write one script."""
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("from redun import task\n" + text)
    return path


def test_what_redun_brings_is_no_task_of_a_script(folder):
    """A script that imports forms has only its own tasks; what it imports from another module of the user counts."""
    write(folder, "flow_theirs.py", "@task(namespace='theirs')\ndef lend(): return 1\n")
    write(folder, "flow_forms.py", "from redun import catch, cond, throw\nfrom flow_theirs import lend\n" + ONE)
    listed = [task.fullname for task in tasks_of(load_script("flow_forms.py"))]
    assert listed == ["ns.build", "other.far", "theirs.lend"]


ONE = "redun_namespace = 'ns'\n@task()\ndef build(): return 1\n@task(namespace='other')\ndef far(): return 2\n"


def test_a_script_is_a_file_or_a_dotted_module(folder):
    """Both give their tasks; the folder of a file is on the import path."""
    write(folder, "flow_one.py", ONE)
    write(folder, "parts/__init__.py", "")
    write(folder, "parts/flow_two.py", "import flow_three\n@task()\ndef two(): return flow_three.X\n")
    write(folder, "parts/flow_three.py", "X = 3\n")
    assert [task.fullname for task in tasks_of(load_script("flow_one.py"))] == ["ns.build", "other.far"]
    assert [task.fullname for task in tasks_of(load_script("parts/flow_two.py"))] == ["two"]
    assert load_script("flow_one").__name__ == "flow_one"


@pytest.mark.parametrize("name", ["flow_on.py", "flow_on", "nowhere/flow_on.py"])
def test_a_script_that_is_not_there_is_refused_with_those_nearby(folder, name):
    """The hint names Python files of the folder."""
    write(folder, "flow_one.py", ONE)
    with pytest.raises(ScriptError, match=r"there is no script") as caught:
        load_script(name)
    assert "flow_one.py" in caught.value.hint


@pytest.mark.parametrize("name", ["broken_one.py", "broken_one"])
@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x = 1 / 0", ["line 2", "x = 1 / 0", "ZeroDivisionError"]),
        ("import not_here_at_all", ["line 2", "not_here_at_all", "ModuleNotFoundError"]),
        ("def f(:", ["SyntaxError"]),
        ("raise SystemExit(3)", ["line 2", "SystemExit"]),
    ],
)
def test_a_script_that_raises_is_told_with_its_line(folder, name, text, said):
    """Frames of the import system are left out, and the module does not stay half imported."""
    write(folder, "broken_one.py", text)
    with pytest.raises(ScriptError, match="importing broken_one") as caught:
        load_script(name)
    assert [word for word in said if word not in str(caught.value)] == []
    assert "importlib" not in str(caught.value)
    assert "broken_one" not in sys.modules


def test_a_task_is_found_by_its_name_here_and_by_its_full_name(folder):
    """A name of another namespace will do while it is the only one in the script."""
    module = load_script(str(write(folder, "flow_one.py", ONE)))
    assert find_task(module, "build").fullname == find_task(module, "ns.build").fullname == "ns.build"
    assert find_task(module, "far").fullname == "other.far"


def test_a_task_that_is_not_there_is_refused_with_those_that_are(folder):
    """With a guess at what was meant."""
    module = load_script(str(write(folder, "flow_one.py", ONE)))
    with pytest.raises(NoSuchTask, match="flow_one has no task 'biuld'") as caught:
        find_task(module, "biuld")
    assert caught.value.hint == "did you mean build? tasks there: build, other.far"


def test_a_script_without_tasks_says_how_to_make_one(folder):
    """The hint names the decorator."""
    module = load_script(str(write(folder, "empty_one.py", "")))
    with pytest.raises(NoSuchTask) as caught:
        find_task(module, "main")
    assert caught.value.hint == "it defines no tasks; decorate a function with @task()"


def test_a_file_that_is_no_python_is_refused(folder):
    """A name without .py may be a file, but not a script."""
    (folder / "notes.txt").write_text("hello")
    with pytest.raises(ScriptError, match=r"notes\.txt is no Python file"):
        load_script("notes.txt")


def test_a_script_is_compiled_anew_each_time(tmp_path, monkeypatch):
    """An edit of the same length within the same second is seen: no bytecode of a script is kept."""
    script = tmp_path / "edited_script.py"
    for answer in (1, 2):
        script.write_text(f"ANSWER = {answer}\n")
        os.utime(script, (1_000_000_000, 1_000_000_000))
        monkeypatch.setattr(sys, "dont_write_bytecode", False)
        monkeypatch.setattr(sys, "path", list(sys.path))
        assert answer == load_script(str(script)).ANSWER
    assert not (tmp_path / "__pycache__").exists()
