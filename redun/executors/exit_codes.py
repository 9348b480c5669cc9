"""What an exit code says, in words."""

from __future__ import annotations

import signal

_SIGNALS_FROM = 128
"""Shells and container engines give this plus N as the code of a program that signal N ended."""


def describe_exit(code: int) -> str:
    """Return the code in words, with the signal's name if it stands for one: ``ended by SIGKILL (exit code 137)``."""
    try:
        return f"ended by {signal.Signals(code - _SIGNALS_FROM).name} (exit code {code})"
    except ValueError:
        return f"exit code {code}"
