"""How a command becomes the text of a script."""

from __future__ import annotations

import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redun.scripting import get_command_eof, get_wrapped_command, prepare_command
from redun.scripting.text import BadCommand, command_text, interpreter_of, join_commands, title_of


def sh(text):
    """Run text by the system's plain shell; return what came of it."""
    return subprocess.run(["/bin/sh", "-c", text], capture_output=True, text=True, timeout=30, check=False)


def test_indentation_of_the_source_is_taken_off():
    """A command stands in a function; what counts is how its lines stand to each other."""
    assert prepare_command("\n    for x in 1; do\n      echo $x\n    done\n    ").endswith(
        "\nfor x in 1; do\n  echo $x\ndone"
    )


def test_bash_that_stops_at_the_first_failure_is_the_default():
    """Without an interpreter of its own a command is run by bash with -e, -x and pipefail."""
    assert prepare_command("echo hi") == "#!/usr/bin/env bash\nset -exo pipefail\necho hi"


def test_an_interpreter_of_its_own_is_kept():
    """A command that begins with #! is a script of that language, and nothing is put before it."""
    text = "#!/usr/bin/env python3\nprint(1)"
    assert prepare_command("\n  #!/usr/bin/env python3\n  print(1)\n") == text
    assert prepare_command("ls", default_shell="#!/bin/sh") == "#!/bin/sh\nls"


def test_a_list_is_a_program_and_its_arguments():
    """No shell looks into the arguments of a list; numbers and paths are written out."""
    text = command_text(["printf", "%s|", "a b", "$HOME", "it's", 3, 2.5])
    assert sh(text).stdout == "a b|$HOME|it's|3|2.5|"


@pytest.mark.parametrize("command", [None, 3, b"ls", {"a": 1}, ["ls", None], ["ls", ["-l"]], ["ls", True]])
def test_what_is_no_command_is_refused(command):
    """Anything but text and lists of text and numbers is refused before anything runs."""
    with pytest.raises(BadCommand, match=r"expected .*command.*found"):
        command_text(command)


@pytest.mark.parametrize(
    ("text", "program"),
    [
        ("echo", ["/bin/sh"]),
        ("#!/bin/bash\necho", ["/bin/bash"]),
        ("#! /usr/bin/env python3 \nx", ["/usr/bin/env", "python3"]),
        ("#!/usr/bin/env -S perl -w\nx", ["/usr/bin/env", "-S perl -w"]),
        ("#!\nx", ["/bin/sh"]),
    ],
)
def test_the_first_line_names_the_interpreter_as_for_the_kernel(text, program):
    """After #! stand a program and at most one argument, spaces and all."""
    assert interpreter_of(text) == program


@given(st.lists(st.sampled_from(["EOF", "EOF1", "EOF2", "echo EOF", ""]), max_size=6))
def test_no_line_of_a_command_ends_its_here_document(lines):
    """The word that ends a here-document is no line of what stands in it."""
    assert get_command_eof("\n".join(lines)) not in lines


def test_a_wrapped_command_runs_in_its_own_language():
    """The text that wraps a script runs it as a program, whatever it holds, and its output is the script's."""
    script = "#!/usr/bin/env python3\nprint('EOF')\nx = '''\nEOF\n$HOME `ls` \\\\ \"'''\nprint(x)"
    done = sh(get_wrapped_command(script))
    assert done.returncode == 0, done.stderr
    assert done.stdout == 'EOF\n\nEOF\n$HOME `ls` \\ "\n'


@pytest.mark.parametrize("before", ["", "set -e\n"])
def test_a_wrapped_command_ends_with_the_exit_code_of_the_script(before):
    """Whether or not the shell around it stops at failures, it tells how the script ended and leaves nothing."""
    done = sh(
        before + 'export TMPDIR="$(mktemp -d)"\n' + get_wrapped_command("exit 7") + 'code=$?; ls "$TMPDIR"; exit $code'
    )
    assert done.returncode == 7
    assert done.stdout == ""


def test_commands_around_a_script_print_nothing_and_stop_at_failures():
    """What copies inputs must not print into the script's output, and a failed copy is the end."""
    done = sh("set -e\n" + join_commands(["echo a", "", "false", "echo b"]) + "echo end")
    assert done.returncode == 1
    assert (done.stdout, done.stderr) == ("", "a\n")


@pytest.mark.parametrize(
    ("command", "title"),
    [
        ("#!/bin/sh\n# about\n\nset -e\ncat a > b\nls", "cat a > b"),
        (["cat", "a b"], "cat 'a b'"),
        ("", ""),
        ("x" * 100, "x" * 57 + "..."),
    ],
)
def test_messages_call_a_script_by_its_first_command(command, title):
    """Comments, the interpreter and options of the shell say nothing."""
    assert title_of(command) == title
