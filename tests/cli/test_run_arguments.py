"""``redun run``: arguments, help and info of tasks, from a real command line."""

from __future__ import annotations

import pickle
import re

import pytest

FLOW = '''
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING, Optional

from redun import Dir, File, task

if TYPE_CHECKING:
    from nowhere import Nothing

redun_namespace = "flow"


class Color(Enum):
    RED = 1
    BLUE = 2


@dataclass
class Box:
    size: int
    color: Color = Color.RED


def double(x):
    return 2 * x


@task()
def show(
    text="a",
    count: int = 1,
    share: float = 0.5,
    is_deep: bool = False,
    color: Color = Color.RED,
    names: list[str] = ["x"],
    sizes: tuple[int, ...] = (),
    settings: dict[str, int] = {},
    box: Optional[Box] = None,
    when: Optional[datetime] = None,
    how: Callable[[int], int] = double,
    file: File = File("in.txt"),
    folder: Dir = Dir("in"),
    odd: Nothing = None,
):
    """Show what was given.

    Nothing more.

    Args:
        text: any text.
        count: how often,
            at most.
    """
    return [text, count, share, is_deep, color, names, sizes, settings, box, when, how(2), file.path, folder.path, odd]


@task(version="1", executor="default")
def add(a: int, b: int = 2):
    return a + b


@task()
def fail(n: int):
    secret = n * 100
    raise ValueError(f"failed {secret}")


@task()
def outer(n: int):
    return [add(n), add(add(n))]


@task()
def total(first: int, *rest: int, scale: int = 1):
    return (first + sum(rest)) * scale
'''

ALL = (
    "--text=--b --count 2 --share 0.25 --is-deep TRUE --color Color.BLUE --names a b --sizes 1 2 --settings k=1 "
    '--box {"size":3} --when 2024-02-29T12:30:00 --how flow.double --file out.txt --folder out --odd 1'
)


@pytest.fixture
def flow(tmp_path):
    """A folder with a script."""
    (tmp_path / "flow.py").write_text(FLOW)
    return tmp_path


def test_every_annotation_reads_its_words(flow, redun_command):
    """Annotations are texts in this script; one of them is for type checkers only."""
    out = redun_command("run", "flow.py", "show", *ALL.split()).stdout
    assert re.sub(r"\s+", " ", out) == (
        "['--b', 2, 0.25, True, <Color.BLUE: 2>, ['a', 'b'], (1, 2), {'k': 1}, "
        "Box(size=3, color=<Color.RED: 1>), datetime.datetime(2024, 2, 29, 12, 30), 4, 'out.txt', 'out', '1'] "
    )
    assert redun_command("run", "flow.py", "show").stdout.startswith("['a', 1, 0.5, False")


def test_a_module_is_named_with_dots(flow, redun_command):
    """Its package is found from the working directory."""
    (flow / "pkg").mkdir()
    (flow / "pkg" / "mod.py").write_text(FLOW.replace('"flow"', '"pkg"'))
    assert redun_command("run", "pkg.mod", "add", "--a", "1").stdout == "3\n"
    assert "pkg.add" in redun_command("run", "pkg.mod", "help").stdout


def test_help_of_a_script_lists_tasks_with_their_summaries(flow, redun_command):
    """No task lists them as well, and nothing is made."""
    out = redun_command("run", "flow.py", "help").stdout
    assert out == redun_command("run", "flow.py").stdout
    assert out.splitlines()[0] == "Tasks of flow:"
    assert "  flow.show   Show what was given." in out
    assert "  flow.add" in out
    assert not (flow / ".redun").exists()


def test_help_of_a_task_tells_arguments_as_they_are_typed(flow, redun_command):
    """Choices, defaults, and what the docstring says of each; ``help``, ``--help`` and ``-h`` are one."""
    out = redun_command("run", "flow.py", "show", "help").stdout
    assert out == redun_command("run", "flow.py", "show", "--help").stdout
    assert out == redun_command("run", "flow.py", "show", "-h").stdout
    assert out.startswith("usage: redun run SCRIPT show [--text TEXT] [--count INT] [--share FLOAT]")
    head, _, arguments = out.partition("Arguments:\n")
    assert "  Show what was given.\n\n  Nothing more.\n" in head
    assert "Args:" not in head
    lines = arguments.splitlines()
    assert lines[:4] == [
        "  --text TEXT  (default 'a')",
        "      any text.",
        "  --count INT  (default 1)",
        "      how often, at most.",
    ]
    assert "  --is-deep {true,false}  (default False)" in lines
    assert "  --color {RED,BLUE}  (default RED)" in lines
    assert "  --names TEXT...  (default ['x'])" in lines
    assert "  --box JSON  (default None)" in lines
    assert "  --how MODULE.FUNCTION  (default flow.double)" in lines
    assert "  --file FILE  (default 'in.txt')" in lines
    assert "  --a INT  (required)" in redun_command("run", "flow.py", "add", "help").stdout
    assert not (flow / ".redun").exists()


def test_info_of_a_task_is_its_record(flow, redun_command):
    """Its hash, where it is, its options, what it uses, and its source; nothing runs."""
    lines = redun_command("run", "flow.py", "show", "info").stdout.splitlines()
    assert lines[0] == "Task flow.show"
    assert re.fullmatch(r"hash: [0-9a-f]{64}", lines[1])
    assert lines[2].endswith(f"flow.py:{FLOW.splitlines().index('def show(')}")
    assert "  class flow.Box" in lines
    assert '    """Show what was given.' in lines
    lines = redun_command("run", "flow.py", "add", "info").stdout.splitlines()
    assert "version: 1" in lines
    assert "option executor: 'default'" in lines
    assert not (flow / ".redun").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["add", "--a", "x"], "--a x: expected a value of type int, found 'x'"),
        (["add", "--c", "1"], "flow.add has no argument --c"),
        (["add"], "flow.add needs --a"),
        (["add", "--a", "1", "--no-cache"], "flow.add has no argument --no-cache; options of the command"),
        (["--no-cache", "add"], "expected TASK, found --no-cache; options stand before SCRIPT"),
        (["show", "--color", "GREEN"], "--color GREEN: expected one of RED, BLUE, found 'GREEN'"),
        (["show", "--box", "3"], "--box 3: expected an object of Box with size, color, found 3"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_wrong_argument_is_told_with_the_usage(flow, redun_command, words, message):
    """Exit code 2, and nothing is made."""
    stderr = redun_command("run", "flow.py", *words, code=2).stderr
    assert f"redun: error: {message}" in stderr
    assert "redun: hint: " in stderr
    assert not (flow / ".redun").exists()


def test_input_takes_arguments_from_a_pickle(flow, redun_command):
    """Those of the command line come before them."""
    (flow / "in.pickle").write_bytes(pickle.dumps(((1, 2, 3), {"scale": 10})))
    assert redun_command("run", "--input", "in.pickle", "flow.py", "total").stdout == "60\n"
    assert redun_command("run", "-i", "in.pickle", "flow.py", "total", "--first", "5", "--scale", "1").stdout == "10\n"
    assert "does not take these arguments" in redun_command("run", "-i", "in.pickle", "flow.py", "fail", code=2).stderr
    assert "cannot be read" in redun_command("run", "-i", "no.pickle", "flow.py", "add", code=2).stderr


def test_rerun_takes_what_is_on_record(flow, redun_command):
    """Of an execution or of a job; the command line comes before it."""
    redun_command("run", "flow.py", "outer", "--n", "5")
    done = redun_command("run", "--rerun", "flow.py", "-")
    assert done.stdout == "[7, 9]\n"
    assert "Cached Job" in done.stderr
    assert redun_command("run", "--rerun", "flow.py", "~1", "--n", "1").stdout == "[3, 5]\n"
    (job,) = re.findall(r"Job (\w+) .*flow.add\(7, 2\)", redun_command("log", "~3").stdout)
    assert redun_command("run", "--rerun", "flow.py", job).stdout == "9\n"
    assert redun_command("run", "--rerun", "flow.py", job, "--b", "0").stdout == "7\n"


def test_rerun_of_many_items_gives_each_its_place(flow, redun_command):
    """They are recorded by number."""
    (flow / "in.pickle").write_bytes(pickle.dumps(((1, 2, 3), {"scale": 10})))
    redun_command("run", "--input", "in.pickle", "flow.py", "total")
    assert redun_command("run", "--rerun", "flow.py", "-", "--scale", "2").stdout == "12\n"


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["flow.py"], 2, "--rerun needs the id"),
        (["flow.py", "feedfeed"], 1, "nothing on record is called 'feedfeed'"),
        (["-i", "x", "flow.py", "-"], 2, "use one"),
        (["other.py", "-"], 1, "has no task 'flow.add'"),
        (["flow.py", "-", "--z", "1"], 2, "flow.add has no argument --z"),
    ],
)
def test_what_cannot_be_run_again_is_told(flow, redun_command, words, code, message):
    """A task that the script does not define, an id that nothing has."""
    redun_command("run", "flow.py", "add", "--a", "1")
    (flow / "other.py").write_text("from redun import task\n")
    assert message in redun_command("run", "--rerun", *words, code=code).stderr


def test_options_apply_to_the_task_that_is_called(flow, redun_command):
    """An executor that is not there shows that the option arrived; a value that cannot be is refused."""
    assert "nowhere" in redun_command("run", "-o", "executor=nowhere", "flow.py", "add", "--a", "1", code=1).stderr
    refused = redun_command("run", "--option", "check_valid=often", "flow.py", "add", "--a", "1", code=2).stderr
    assert "--option check_valid=often: expected check_valid to be one of 'full', 'shallow'" in refused


def test_no_prov_leaves_nothing_to_be_found(flow, redun_command):
    """Each run does all of it again, and no job is on record; a run with provenance finds nothing either."""
    for _ in range(2):
        done = redun_command("run", "--no-prov", "flow.py", "outer", "--n", "5")
        assert done.stdout == "[7, 9]\n"
        assert "Cached Job" not in done.stderr
    assert redun_command("log", "--job").stdout == ""
    assert "Cached Job" not in redun_command("run", "flow.py", "outer", "--n", "5").stderr


@pytest.mark.parametrize("words", [["--tag", "x"], ["--context", "a"], ["--context-file", "no.json"]])
def test_a_setting_that_cannot_be_read_is_refused_before_anything_runs(flow, redun_command, words):
    """Its option is named."""
    assert (
        f"redun: error: {words[0]} {words[1]}: "
        in redun_command("run", *words, "flow.py", "add", "--a", "1", code=2).stderr
    )
    assert not (flow / ".redun").exists()
