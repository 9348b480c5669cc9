"""`redun fetch [REMOTE] [EXEC_ID...]`: get objects from a remote, and remember what it has."""

from __future__ import annotations

from redun.cli.sync import receiving_command
from redun.remotes.fetch import fetch

command = receiving_command(
    "fetch",
    fetch,
    "Get what REMOTE (default: origin) has, and remember it apart from the executions of this repository.",
)
