"""What exit codes say."""

from __future__ import annotations

import pytest

from redun.executors.exit_codes import describe_exit


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (1, "exit code 1"),
        (128, "exit code 128"),
        (137, "ended by SIGKILL (exit code 137)"),
        (139, "ended by SIGSEGV (exit code 139)"),
        (255, "exit code 255"),
        (-9, "exit code -9"),
    ],
)
def test_codes_of_signals_are_named(code, words):
    """The others are numbers."""
    assert describe_exit(code) == words
