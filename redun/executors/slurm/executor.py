"""The ``slurm`` type of executor: from its section of the config to jobs of a Slurm cluster."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from redun.executors.options import BadOption
from redun.executors.remote.cluster import ClusterExecutor
from redun.executors.slurm.options import SLURM_OPTIONS, sbatch_words
from redun.executors.slurm.submitter import SlurmSubmitter


class SlurmExecutor(ClusterExecutor):
    """Runs work as jobs of the Slurm cluster that this machine belongs to."""

    options_of_type = SLURM_OPTIONS

    @classmethod
    def make_submitter(cls, name: str, values: dict[str, Any]) -> SlurmSubmitter:
        sbatch_words(name, values)
        return SlurmSubmitter(name, values, _log_folder(name, values))

    def make_command(self, options: Mapping[str, Any], words: Sequence[str]) -> tuple[str, ...]:
        given = options["worker_command"] or [sys.executable, "-m", "redun"]
        return super().make_command({**options, "worker_command": given}, words)


def _log_folder(name: str, values: Mapping[str, Any]) -> Path:
    if values["log_dir"]:
        return Path(values["log_dir"]).expanduser().absolute()
    url = urlsplit(values["scratch"])
    if url.scheme not in {"", "file"}:
        hint = "Slurm writes what jobs print into files: name a folder that all nodes mount"
        raise BadOption(name, "log_dir", f"with scratch {values['scratch']} it needs option 'log_dir'", hint=hint)
    return Path(url.path).expanduser().absolute() / "slurm"
