"""Options of one run that are typed as key=value."""

from __future__ import annotations

import pytest

from redun.cli.given import BadSetting, apply_options, parse_context, parse_setup, parse_tags
from redun.task.options import CacheScope
from redun.task.task import Task


def test_values_are_json_where_they_are_json():
    """A bare word is a text, nothing is None; a key may stand twice."""
    texts = ["a=1", "a=word", "b=[1, 2]", "c=", "d=x=y"]
    assert parse_tags("--tag", texts) == [("a", 1), ("a", "word"), ("b", [1, 2]), ("c", None), ("d", "x=y")]
    assert parse_setup(["profile=dev=1", "empty="]) == {"profile": "dev=1", "empty": ""}


def test_dotted_keys_nest_over_the_context_of_a_file(tmp_path):
    """What is typed wins, and objects merge."""
    file = tmp_path / "context.json"
    file.write_text('{"tool": {"threads": 1, "path": "x"}, "debug": false}')
    texts = ["tool.threads=2", 'tool={"mode": "fast"}', "a.b.c=d"]
    assert parse_context(str(file), texts) == {
        "tool": {"threads": 2, "path": "x", "mode": "fast"},
        "debug": False,
        "a": {"b": {"c": "d"}},
    }
    assert parse_context(None, []) == {}


@pytest.mark.parametrize(
    ("read", "why"),
    [
        (lambda _: parse_tags("--tag", ["word"]), "--tag word: expected key=value"),
        (lambda _: parse_tags("--tag", ["a=[1"]), "--tag a=.1: it begins as JSON"),
        (lambda _: parse_setup(["word"]), "--setup word: expected key=value"),
        (lambda _: parse_context(None, ["a..b=1"]), "--context a..b=1: expected names"),
        (lambda _: parse_context(None, ["a=1", "a.b=1"]), "--context a.b=1: a is a value"),
        (lambda path: parse_context(str(path / "no.json"), []), "--context-file .*no.json: cannot be read"),
        (lambda path: parse_context(str(path / "bad.json"), []), "--context-file .*bad.json: expected JSON"),
        (lambda path: parse_context(str(path / "list.json"), []), "expected a JSON object, found a list"),
        (lambda _: apply_options(Task(len, name="t"), ["cache=maybe"], prov=True), "--option cache=maybe: expected"),
    ],
)
def test_what_cannot_be_read_is_refused_by_its_option(tmp_path, read, why):
    """The message says which word of which option, and what was expected."""
    (tmp_path / "bad.json").write_text("{")
    (tmp_path / "list.json").write_text("[1]")
    with pytest.raises(BadSetting, match=why):
        read(tmp_path)


def test_options_are_those_of_the_call():
    """The task itself stays as it was defined."""
    task = Task(len, name="t", options={"memory": 1})
    changed = apply_options(task, ["memory=4", "cache=false", "executor=batch"], prov=False)
    assert changed.get_task_options() == {
        "memory": 4,
        "cache_scope": CacheScope.CSE,
        "executor": "batch",
        "prov": False,
    }
    assert task.get_task_options() == {"memory": 1}
    assert apply_options(task, [], prov=True) is task
