"""``redun run --context``: what tasks find in their context."""

from __future__ import annotations

import pytest

FLOW = """
from redun import get_context, task

redun_namespace = "flow"


@task()
def main(path: str):
    return get_context(path, "nothing")
"""


@pytest.fixture
def flow(tmp_path):
    """A folder with a script, a context in its settings, and one in a file."""
    (tmp_path / "flow.py").write_text(FLOW)
    (tmp_path / ".redun").mkdir()
    (tmp_path / ".redun" / "redun.ini").write_text('[scheduler]\ncontext = {"tool": {"a": 1, "b": 1, "c": 1}}\n')
    (tmp_path / "context.json").write_text('{"tool": {"b": 2, "c": 2}}')
    return tmp_path


@pytest.mark.parametrize(
    ("path", "value"), [("tool.a", "1"), ("tool.b", "2"), ("tool.c", "3"), ("tool.d.e", "'deep'"), ("x", "'nothing'")]
)
def test_the_command_line_comes_before_the_file_and_that_before_the_settings(flow, redun_command, path, value):
    """Objects merge; a dotted key makes those that are not there."""
    options = "--context tool.c=3 --context tool.d.e=deep --context-file context.json".split()
    assert redun_command("run", *options, "flow.py", "main", "--path", path).stdout == f"{value}\n"


def test_another_context_is_another_question(flow, redun_command):
    """A task that asked for what has changed runs again."""
    run = ("flow.py", "main", "--path", "tool.a")
    assert redun_command("run", *run).stdout == "1\n"
    assert redun_command("run", "--context", "tool.a=5", *run).stdout == "5\n"
    assert redun_command("run", *run).stdout == "1\n"
