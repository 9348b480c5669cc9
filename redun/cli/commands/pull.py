"""`redun pull [REMOTE] [EXEC_ID...]`: get executions from a remote and make them our own."""

from __future__ import annotations

from redun.cli.sync import receiving_command
from redun.remotes.pull import pull

command = receiving_command(
    "pull", pull, "Get executions from REMOTE (default: origin); from then on, their results are reused here."
)
