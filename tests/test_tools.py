"""Facts about the tasks that come with redun."""

import os
import sys

import pytest

from redun.errors import ConfigError
from redun.file import Dir, File, IDir, IFile
from redun.scheduler import Scheduler
from redun.tools import copy_dir, copy_file, copy_files, debug_task, render_template


@pytest.fixture(autouse=True)
def own_folder(tmp_path, monkeypatch):
    """Each test runs in a folder of its own."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def scheduler():
    return Scheduler()


@pytest.fixture
def remote():
    """A place in fsspec's memory."""
    import fsspec

    fsspec.filesystem("memory").store.clear()
    return "memory://tools"


def test_a_file_is_copied(scheduler, remote):
    """Between any two places; the copy is a file of the same class."""
    File("a").write("content")
    copy = scheduler.run(copy_file(File("a"), f"{remote}/d/a"))
    assert (copy.path, copy.read()) == (f"{remote}/d/a", "content")
    assert scheduler.run(copy_file(copy, "new/b")).read() == "content"
    assert type(scheduler.run(copy_file(IFile("a"), "c"))) is IFile
    File("a").write("newer")
    assert scheduler.run(copy_file(File("a"), "new/b", skip_if_exists=True)).read() == "content"
    assert scheduler.run(copy_file(File("a"), "new/b")).read() == "newer"


def test_a_deleted_copy_is_put_back(scheduler):
    """A copy is a produced file as any other."""
    File("a").write("content")
    scheduler.run(copy_file(File("a"), "b"))
    os.remove("b")
    scheduler.run(copy_file(File("a"), "b"))
    assert File("b").read() == "content"


def test_files_are_copied_each_to_its_path(scheduler):
    """As many paths as files."""
    for name in "ab":
        File(name).write(name)
    copies = scheduler.run(copy_files([File("a"), File("b")], ["d/1", "d/2"]))
    assert [(file.path, file.read()) for file in copies] == [("d/1", "a"), ("d/2", "b")]
    with pytest.raises(ValueError, match="each of 2 files, found 1"):
        scheduler.run(copy_files([File("a"), File("b")], ["d/1"]))


def test_a_folder_is_copied(scheduler, remote):
    """With all files at any depth; what is there already stays if told."""
    for name in ("a", "sub/b"):
        File(f"d/{name}").write(name)
    copy = scheduler.run(copy_dir(Dir("d"), f"{remote}/d"))
    assert [file.path for file in copy] == [f"{remote}/d/a", f"{remote}/d/sub/b"]
    File("back/a").write("mine")
    back = scheduler.run(copy_dir(copy, "back", skip_if_exists=True))
    assert [file.read() for file in back] == ["mine", "sub/b"]
    assert type(scheduler.run(copy_dir(IDir("d"), "e"))) is IDir
    File("d/sub/b").write("changed")
    assert scheduler.run(copy_dir(Dir("d"), "back")).file("sub/b").read() == "changed"


def test_a_template_is_filled_in(scheduler):
    """Plain text, nothing escaped, the last line end kept."""
    File("t").write("{% for name in names %}<{{ name }}>\n{% endfor %}")
    result = scheduler.run(render_template("d/out.txt", File("t"), {"names": ["a&b", "c"]}))
    assert (result.path, result.read()) == ("d/out.txt", "<a&b>\n<c>\n")
    File("t").write("{{ names[0] }}\n")
    assert scheduler.run(render_template("d/out.txt", File("t"), {"names": ["x"]})).read() == "x\n"


def test_a_change_in_an_included_template_counts(scheduler):
    """The folder of templates is an input."""
    File("t/base.txt").write("[{% block body %}{% endblock %}]")
    File("t/page.txt").write("{% extends 'base.txt' %}{% block body %}{{ x }}{% endblock %}")

    def run():
        return scheduler.run(render_template("out", File("t/page.txt"), {"x": 1}, template_dir="t")).read()

    assert run() == "[1]"
    assert run() == "[1]"
    File("t/base.txt").write("({% block body %}{% endblock %})")
    assert run() == "(1)"


def test_a_missing_jinja_is_named(scheduler, monkeypatch):
    """With the extra that brings it."""
    monkeypatch.setitem(sys.modules, "jinja2", None)
    File("t").write("x")
    with pytest.raises(ConfigError, match="jinja2") as caught:
        scheduler.run(render_template("out", File("t"), {}))
    assert "redun[tools]" in caught.value.hint


def test_the_debugger_stops_with_the_value(scheduler, monkeypatch):
    """Each time, as nothing of it is cached; the value is passed on."""
    seen = []
    monkeypatch.setattr("pdb.set_trace", lambda: seen.append(sys._getframe(1).f_locals["value"]))
    assert scheduler.run(debug_task([1, 2])) == [1, 2]
    assert scheduler.run(debug_task([1, 2])) == [1, 2]
    assert seen == [[1, 2], [1, 2]]
