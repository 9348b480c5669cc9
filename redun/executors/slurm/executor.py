"""The ``slurm`` type of executor: from its section of the config to jobs of a Slurm cluster."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from redun.executors.base import Executor
from redun.executors.options import BadOption
from redun.executors.remote.executor import RemoteExecutor
from redun.executors.slurm.options import SLURM_OPTIONS, sbatch_words
from redun.executors.slurm.submitter import SlurmSubmitter


class SlurmExecutor(RemoteExecutor):
    """Runs work as jobs of the Slurm cluster that this machine belongs to."""

    def __init__(self, name: str, scheduler: object = None, config: Mapping[str, Any] | None = None) -> None:  # noqa: ARG002
        """Make it; the cluster is not asked before there is work.

        Args:
            name: as tasks name it.
            scheduler: taken for those who give one; not used.
            config: its section, texts or Python values.

        Raises:
            BadOption: an option is unknown, missing, or not what it must be; two contradict each other.
        """
        values = SLURM_OPTIONS.read_section(name, config or {})
        sbatch_words(name, values)
        submitter = SlurmSubmitter(name, values, _log_folder(name, values))
        super().__init__(name, values, submitter, table=SLURM_OPTIONS, scratch=values["scratch"])

    def make_command(self, options: Mapping[str, Any], words: Sequence[str]) -> tuple[str, ...]:
        given = options["worker_command"] or [sys.executable, "-m", "redun"]
        return super().make_command({**options, "worker_command": given}, words)


def make_executor(name: str, section: Mapping[str, Any]) -> Executor:
    """Make an executor of type ``slurm``.  Raises BadOption."""
    return SlurmExecutor(name, config=section)


def _log_folder(name: str, values: Mapping[str, Any]) -> Path:
    if values["log_dir"]:
        return Path(values["log_dir"]).expanduser().absolute()
    url = urlsplit(values["scratch"])
    if url.scheme not in {"", "file"}:
        hint = "Slurm writes what jobs print into files: name a folder that all nodes mount"
        raise BadOption(name, "log_dir", f"with scratch {values['scratch']} it needs option 'log_dir'", hint=hint)
    return Path(url.path).expanduser().absolute() / "slurm"
