"""`redun help`: the usage of redun or of one command."""

from __future__ import annotations

import pytest

from redun.cli.main import main


def test_help_of_nothing_is_the_usage(capsys):
    """`redun help` prints what `redun --help` prints."""
    assert main(["help"]) == 0
    first = capsys.readouterr().out
    assert main(["--help"]) == 0
    assert capsys.readouterr().out == first


@pytest.mark.parametrize("name", ["help", "log", "show"])
def test_help_of_a_command_is_its_own(capsys, name):
    """`redun help log` prints what `redun log --help` prints."""
    assert main(["help", name]) == 0
    first = capsys.readouterr().out
    assert first.startswith(f"Usage: redun {name} ")
    assert main([name, "--help"]) == 0
    assert capsys.readouterr().out == first


def test_help_of_run_shows_each_example_on_a_line(capsys):
    """Its examples are not run together, and no mark of how to lay them out is seen."""
    assert main(["help", "run"]) == 0
    text = capsys.readouterr().out
    assert "\n  redun run make.py help               list the tasks of the script\n" in text
    assert "\\b" not in text


@pytest.mark.parametrize("words", [["nothing"], ["help", "more"]])
def test_help_of_what_is_no_command_is_a_usage_error(capsys, words):
    """The words are named."""
    assert main(["help", *words]) == 2
    assert f"no such command: '{' '.join(words)}'" in capsys.readouterr().err
