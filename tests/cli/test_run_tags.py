"""``redun run``: which tags an execution gets."""

from __future__ import annotations

import json
import subprocess

import pytest

from redun.version import __version__

FLOW = """
from redun import task

redun_namespace = "flow"


@task()
def main():
    return 1
"""


@pytest.fixture
def tags_of(tmp_path, redun_command):
    """Run the workflow with options, and return the tags of the execution as (key, value), sorted."""
    (tmp_path / "flow.py").write_text(FLOW)
    home = {"HOME": str(tmp_path / "home"), "REDUN_USER": "ada"}

    def run(*options, **environment):
        redun_command("run", *options, "flow.py", "main", **{**home, **environment})
        newest = json.loads(redun_command("log", "--json").stdout)[0]
        return sorted(((tag["key"], tag["value"]) for tag in newest["tags"]), key=repr)

    return run


def test_project_version_and_user_are_told_of_themselves(tags_of):
    """Nothing else, outside of a checkout and without a cloud; the project is the task's namespace."""
    assert tags_of() == [("project", "flow"), ("redun.version", __version__), ("user", "ada")]


def test_a_project_that_is_named_is_the_only_one(tags_of, tmp_path):
    """By a tag or in the settings; a task without a namespace has none."""
    assert [value for key, value in tags_of("-t", "project=x") if key == "project"] == ["x"]
    (tmp_path / ".redun" / "redun.ini").write_text("[tags]\nproject = genomes\n")
    assert [value for key, value in tags_of() if key == "project"] == ["genomes"]
    (tmp_path / ".redun" / "redun.ini").write_text("[scheduler]\nignore_warnings = namespace\n")
    (tmp_path / "flow.py").write_text(FLOW.replace('redun_namespace = "flow"', ""))
    assert "project" not in dict(tags_of())


def test_options_add_tags_or_replace_what_was_found(tags_of):
    """A key may have two values; --user takes the place of the one who runs."""
    options = "-p genomes -u eve --doc first -t a=1 --tag a=two -t empty=".split()
    assert tags_of(*options) == [
        ("a", "two"),
        ("a", 1),
        ("doc", "first"),
        ("empty", None),
        ("project", "genomes"),
        ("redun.version", __version__),
        ("user", "eve"),
    ]


def test_settings_add_tags(tags_of, tmp_path):
    """Those of [tags], with their variables filled in."""
    (tmp_path / ".redun").mkdir()
    (tmp_path / ".redun" / "redun.ini").write_text("[tags]\nteam = ${TEAM}\nyear = 2024\n")
    assert {("team", "blue"), ("year", 2024)} < set(tags_of(TEAM="blue"))


def test_a_checkout_tells_its_commit(tags_of, tmp_path):
    """And its origin; the environment comes before it."""
    for words in ("init -q", "-c user.name=a -c user.email=a@b commit -q --allow-empty -m x", "remote add origin h:x"):
        subprocess.run(["git", *words.split()], cwd=tmp_path, check=True)
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=tmp_path, check=True, capture_output=True, text=True)
    assert {("git_commit", head.stdout.strip()), ("git_origin_url", "h:x")} < set(tags_of())
    assert ("git_commit", "c0ffee") in tags_of(REDUN_GIT_COMMIT="c0ffee")


def test_the_user_of_a_cloud_can_be_left_out(tags_of):
    """By the name of the cloud."""
    account = {"CLOUDSDK_CORE_ACCOUNT": "ada@host"}
    assert ("user_gcp", "ada@host") in tags_of(**account)
    assert "user_gcp" not in dict(tags_of("--exclude-user", "gcp", **account))
