"""``redun oneshot``: one task's function, with arguments and value by way of files."""

from __future__ import annotations

import json
import pickle

import pytest

from redun.executors.remote.code_package import pack_code

SCRIPT = """
from redun import task, File
import asyncio
redun_namespace = "ns"

@task()
def inner(x):
    return x + 1

@task()
def main(x: int, y: int = 4):
    print("runs")
    return inner(x) if y == 0 else x * y

@task()
def bad(x: int):
    raise ValueError(f"no {x}")

@task(cache=False)
async def later(x: int):
    await asyncio.sleep(0)
    return -x

@task()
def odd():
    return lambda: 0
"""


@pytest.fixture
def oneshot(redun_command, tmp_path):
    """Run the command in a folder with a script."""
    (tmp_path / "wf.py").write_text(SCRIPT)

    def run(*words, **options):
        return redun_command("oneshot", *words, **options)

    return run


def test_a_value_is_printed(oneshot):
    """Of arguments on the command line and defaults; a call that the function returns is not made."""
    assert oneshot("wf.py", "main", "--x", "3").stdout == "runs\n12\n"
    assert oneshot("wf.py", "main", "--x", "3", "--y", "0").stdout == "runs\nns.inner(3)\n"
    assert oneshot("wf.py", "later", "--x", "3").stdout == "-3\n"


def test_arguments_and_value_go_by_pickles(oneshot, tmp_path):
    """What the command line says goes before the pickle; an output that is there is left, unless told otherwise."""
    (tmp_path / "in").write_bytes(pickle.dumps(((5,), {"y": 2})))
    assert oneshot("-i", "in", "-o", "out/value", "wf.py", "main").stdout == "runs\n"
    assert pickle.loads((tmp_path / "out/value").read_bytes()) == 10
    assert oneshot("-i", "in", "-o", "out/value", "wf.py", "main").stdout == ""
    oneshot("--no-cache", "-i", "in", "-o", "out/value", "wf.py", "main", "--y", "3")
    assert pickle.loads((tmp_path / "out/value").read_bytes()) == 15


def test_an_error_goes_to_a_pickle_too(oneshot, tmp_path):
    """With its traceback; the exit code is 1."""
    said = oneshot("-e", "err", "wf.py", "bad", "--x", "3", code=1)
    assert "no 3" in said.stderr
    error, trace = pickle.loads((tmp_path / "err").read_bytes())
    assert (type(error), str(error)) == (ValueError, "no 3")
    assert "bad" in "".join(trace.format())


def test_a_value_that_has_no_pickle_is_an_error(oneshot, tmp_path):
    """And leaves no half of one."""
    oneshot("-o", "out", "-e", "err", "wf.py", "odd", code=1)
    assert not (tmp_path / "out").exists()
    assert "pickle" in str(pickle.loads((tmp_path / "err").read_bytes())[0])


def test_an_element_of_an_array_finds_its_own(oneshot, tmp_path):
    """By its number, in a variable; without one it is told what is missing."""
    (tmp_path / "in").write_bytes(pickle.dumps(([(5,), (6,)], [{}, {"y": 1}])))
    for name in ("outs", "errs"):
        (tmp_path / name).write_text(json.dumps([f"{name}-0", f"{name}-1"]))
    flags = ("--array-job", "--array-rank-env", "RANK", "-i", "in", "-o", "outs", "-e", "errs")
    oneshot(*flags, "wf.py", "main", RANK="1")
    assert pickle.loads((tmp_path / "outs-1").read_bytes()) == 6
    assert "RANK" in oneshot(*flags, "wf.py", "main", code=2).stderr
    assert "element 7" in oneshot(*flags, "wf.py", "main", RANK="7", code=2).stderr


def test_code_comes_in_a_package(oneshot, tmp_path):
    """The script is looked for in it, and other modules where --import-path says."""
    (tmp_path / "project/lib").mkdir(parents=True)
    (tmp_path / "project/packed.py").write_text("import helping\n" + SCRIPT.replace("x * y", "helping.make(x)"))
    (tmp_path / "project/lib/helping.py").write_text("def make(x):\n    return [x]\n")
    (tmp_path / "code.tar.gz").write_bytes(pack_code(tmp_path / "project", ["**/*.py"]).data)
    assert oneshot("-c", "code.tar.gz", "-p", "lib", "packed.py", "main", "--x", "3").stdout == "runs\n[3]\n"
