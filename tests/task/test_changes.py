"""What differs between a task on record and the task as it is."""

from __future__ import annotations

import pytest

from redun.task import UnitChange, describe_changes, diff_records

TEXT = """
LIMIT = 3
TABLE = {"a": 1}
def scale(x): return x * LIMIT
def extra(x): return TABLE

class Model:
    def run(self): return 1

@task(OPTIONS)
def main(x):
    return scale(x), Model().run()
"""


@pytest.fixture
def changes(project):
    def compare(*edits, options=("", "")):
        old = project.task(TEXT.replace("OPTIONS", options[0]))
        record, units = old.record(), {unit.record.name: unit.record for unit in old.units()}
        text = TEXT.replace("OPTIONS", options[1])
        for before, after in edits:
            assert before in text
            text = text.replace(before, after)
        return diff_records(record, units, project.task(text))

    return compare


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (("x * LIMIT", "LIMIT * x"), "helper scale changed"),
        (("LIMIT = 3", "LIMIT = 4"), "constant LIMIT changed"),
        (("return 1", "return 2"), "class Model changed"),
        (("return scale(x),", "return scale(-x),"), "function body changed"),
        (("x * LIMIT", "x * 3"), "constant LIMIT removed, helper scale changed"),
        (
            ("return scale(x),", "return extra(x), scale(x),"),
            "function body changed, constant TABLE added, helper extra added",
        ),
    ],
)
def test_one_edit_is_said_in_a_few_words(changes, edit, words):
    """What a person edited is named as that person would."""
    assert describe_changes(changes(edit)) == words


def test_nothing_differs_from_itself(changes):
    """An unedited task has no changes."""
    assert changes() == []
    assert describe_changes([]) == ""


def test_versions_are_told_with_both_values(changes):
    """A version stands for the source, so no unit is compared."""
    found = changes(("LIMIT = 3", "LIMIT = 4"), options=('version="1"', 'version="2"'))
    assert found == [UnitChange("1 -> 2", "version", "changed")]
    assert describe_changes(found) == "version 1 -> 2"
    assert describe_changes(changes(options=("", 'version="2"'))) == "version none -> 2"


def test_other_hash_includes_are_told(changes):
    """Extra hashed values have no names."""
    assert describe_changes(changes(options=("hash_includes=[1]", "hash_includes=[2]"))) == "hash_includes changed"


def test_many_changes_are_cut_short():
    """One line of a log holds three of them."""
    many = [UnitChange(f"wf.f{index}", "function", "changed") for index in range(5)]
    assert describe_changes(many) == "helper f0 changed, helper f1 changed, helper f2 changed, 2 more"
