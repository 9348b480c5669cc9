"""`redun tag`, and tags where `redun log` and `redun show` tell them."""

from __future__ import annotations

import json

import pytest

from redun.store.maintain.fsck import check_repository
from redun.store.repository import Repository
from redun.testing.compile_workflow import FIRST_ID, SECOND_ID

pytestmark = pytest.mark.usefixtures("utc", "compiled")


def _job(redun, number):
    return json.loads(redun("log", "-", "--json"))["jobs"][number]


class TestEdits:
    """What is told of an edit, and what it changes."""

    def test_each_tag_is_told_as_it_is_added(self, redun):
        """To several subjects at once; the values stand as JSON."""
        assert redun("tag", "add", "-", "link", "env=prod", "n=10").split("\n") == [
            f'add tag Execution:{SECOND_ID[:8]} env="prod"',
            f"add tag Execution:{SECOND_ID[:8]} n=10",
            'add tag Task:7b87225e env="prod"',
            "add tag Task:7b87225e n=10",
            "",
        ]
        line = redun("log").split("\n")[2]
        assert line.endswith("run make.py make (env=prod, n=10, project=compile)")

    def test_what_is_there_is_not_added_again(self, compiled, redun, capsys):
        """Nothing is written for it."""
        redun("tag", "add", "-", "env=prod")
        assert redun("tag", "add", "-", "env=prod") == ""
        with Repository.open(compiled / ".redun") as repository:
            assert len(list(repository.refs.iter_tag_names())) == 1

    def test_many_edits_do_not_leave_many_packs(self, compiled, redun):
        """Small packs are merged as after a run, so that a look-up asks few of them."""
        for number in range(12):
            redun("tag", "add", "-", f"n={number}")
        assert len(list((compiled / ".redun/objects/pack").glob("*.pack"))) <= 5
        with Repository.open(compiled / ".redun") as repository:
            assert check_repository(repository).is_clean

    def test_update_replaces_and_rm_removes(self, redun):
        """All values of a key go when only the key is named."""
        redun("tag", "add", "-", "env=prod", "env=test")
        assert redun("tag", "update", "-", "env=dev") == f'update tag Execution:{SECOND_ID[:8]} env="dev"\n'
        assert "(env=dev, project=compile)" in redun("log")
        redun("tag", "add", "-", "env=qa", "n=1")
        removed = redun("tag", "rm", "-", "--", "env").split("\n")
        assert sorted(removed) == [
            "",
            f'remove tag Execution:{SECOND_ID[:8]} env="dev"',
            f'remove tag Execution:{SECOND_ID[:8]} env="qa"',
        ]
        assert "run make.py make (n=1, project=compile)" in redun("log")
        assert redun("tag", "rm", "-", "n=1").endswith(" n=1\n")
        redun("tag", "add", "-", "n=1")
        assert "(n=1, project=compile)" in redun("log")

    def test_jobs_calls_values_and_files_can_be_tagged(self, compiled, redun):
        """Each is told by its type, and shows its tags where it is shown."""
        job = _job(redun, 2)
        for name, id in (("Job", job["id"]), ("CallNode", job["call"]), ("File", job["result"]["value"])):
            assert redun("tag", "add", id[:12], "good=true") == f"add tag {name}:{id[:8]} good=true\n"
        assert redun("tag", "add", "lib.c", "source=yes").startswith("add tag File:")
        tree = redun("log", "-")
        assert sum(line.endswith(" (good=true)") for line in tree.split("\n")) == 1
        assert "\nTags: good=true\n" in redun("log", job["id"])
        shown = redun("show", job["result"]["value"])
        assert "Tags: good=true" in shown
        assert json.loads(redun("show", job["call"], "--json"))["tags"] == [{"key": "good", "value": True}]
        assert json.loads(redun("log", "lib.c", "--json"))["tags"] == [{"key": "source", "value": "yes"}]
        assert "(source=yes)" in redun("log", "--file", "--file-path", "lib.c")
        with Repository.open(compiled / ".redun") as repository:
            assert check_repository(repository).is_clean

    def test_a_record_tells_the_edit(self, redun):
        """For scripts."""
        assert json.loads(redun("tag", "add", "-", "n=10", "--json")) == [
            {"edit": "add", "type": "Execution", "id": SECOND_ID[:8], "key": "n", "value": 10}
        ]

    @pytest.mark.parametrize(
        ("words", "said"),
        [
            (["add", "-"], "no tag KEY=VALUE"),
            (["add", "a=1"], "no ID"),
            (["rm", "-", "env"], "behind --"),
            (["add", "-", "--", "env"], "expected key=value"),
            (["add", "-", "env=[1"], "begins as JSON"),
            (["list", "--values", "a=1"], "keys alone"),
        ],
    )
    def test_a_wrong_command_line_says_what_was_expected(self, redun, words, said):
        """Exit code 2, and nothing is written."""
        assert said in redun("tag", *words, code=2)

    def test_what_cannot_be_tagged_is_refused(self, compiled, redun):
        """An eval is no subject; an unknown id is told as everywhere."""
        assert "expected an execution, job, task" in redun("tag", "add", _job(redun, 0)["eval"], "a=1", code=2)
        assert "nothing on record" in redun("tag", "add", "12345678", "a=1", code=1)


class TestList:
    """Counting and searching."""

    def test_keys_are_counted_by_type(self, redun):
        """In order of the key."""
        redun("tag", "add", "-", "link", "env=prod")
        assert redun("tag", "list") == "  env       (1 Execution, 1 Task)\n  project   (2 Execution)\n"
        assert json.loads(redun("tag", "list", "--json"))["env"] == {"Execution": 1, "Task": 1}

    def test_values_are_counted_by_type(self, redun):
        """Of all keys, or of some; they stand as one types them."""
        redun("tag", "add", "-", "link", "env=two words")
        redun("tag", "add", "~2", "env=1")
        lines = ['  env="two words"   (1 Execution, 1 Task)', "  env=1             (1 Execution)"]
        assert sorted(redun("tag", "list", "--values", "env").rstrip("\n").split("\n")) == sorted(lines)
        assert "project=compile" in redun("tag", "list", "--values")

    def test_a_search_finds_subjects_of_every_sort(self, redun):
        """Those that have all the tags; executions and jobs first."""
        job = _job(redun, 1)
        for id in ("-", job["id"], "link", job["call"], job["result"]["value"]):
            redun("tag", "add", id, "env=prod")
        redun("tag", "add", "-", "n=1")
        lines = redun("tag", "list", "env=prod").rstrip("\n").split("\n")
        assert {line.split(" ", 1)[0] for line in lines} == {"Exec", "Job", "Task", "CallNode", "File"}
        assert [line.split(" ", 1)[0] for line in lines[:2]] == ["Exec", "Job"]
        assert lines == redun("log", "--all", "--tag", "env=prod").rstrip("\n").split("\n")
        assert len(redun("tag", "list", "env", "n").split("\n")) == 2
        assert redun("tag", "list", "env=other") == ""
        assert {record["type"] for record in json.loads(redun("tag", "list", "env", "--json"))} == {
            "execution",
            "job",
            "task",
            "call",
            "file",
        }


class TestLogFilters:
    """`redun log --tag` and `--exec-tag`."""

    def test_lists_keep_what_has_the_tags(self, redun):
        """Executions, jobs, tasks and files."""
        job = _job(redun, 1)
        redun("tag", "add", "~2", job["id"], "link", "lib.c", "env=prod")
        assert FIRST_ID[:8] in redun("log", "--exec", "-t", "env")
        assert redun("log", "--exec", "--tag", "env=prod", "--count") == "1\n"
        assert job["id"][:8] in redun("log", "--job", "--tag", "env=prod")
        assert redun("log", "--task", "--tag", "env").startswith("Task 7b87225e redun.examples.compile.link (env=prod)")
        assert len(redun("log", "--file", "--tag", "env").split("\n")) == 2
        assert redun("log", "--job", "--tag", "env", "--tag", "other") == ""

    def test_exec_tag_keeps_executions_and_what_is_in_them(self, redun):
        """Jobs of other executions are not looked at."""
        redun("tag", "add", "-", "env=prod")
        assert redun("log", "--exec-tag", "env=prod", "--count") == "1\n"
        assert redun("log", "--job", "--exec-tag", "env=prod", "--count") == "8\n"
        assert redun("log", "--exec-tag", "project=compile", "--count") == "2\n"

    def test_a_search_in_one_execution_stays_there(self, redun):
        """Objects are of no execution alone, and are left out."""
        job = _job(redun, 1)
        redun("tag", "add", job["id"], "link", "env=prod")
        assert len(redun("log", "--tag", "env").split("\n")) == 3
        assert len(redun("log", "--tag", "env", "--exec-tag", "project").split("\n")) == 2

    def test_a_malformed_tag_is_refused(self, redun):
        """With the reason."""
        assert "begins as JSON" in redun("log", "--tag", "a=[", code=2)
