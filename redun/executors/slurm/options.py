"""The options of executors of type ``slurm``, and the words of ``sbatch`` that they become.

For users: docs/guide/executors-slurm.md.  An option that nobody says leaves the matter to the cluster's own defaults.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from redun.executors.options import FLAG, NUMBER, TEXT, WORDS, BadOption, Option, OptionTable
from redun.executors.remote.settings import CODE, COUNT, common_options

OWN_WORDS = (
    *(
        "array",
        "clusters",
        "comment",
        "job-name",
        "output",
        "error",
        "parsable",
        "wrap",
        "wait",
        "test-only",
        "ignore-pbs",
    ),
    *("a", "M", "J", "o", "e", "W", "Q", "quiet", "help", "h", "usage", "version", "V"),
)
"""What ``sbatch_args`` cannot hold: redun says it itself, or could not find the job again."""

SLURM_OPTIONS = OptionTable(
    "slurm",
    [
        *common_options(),
        # All nodes mount what this machine does: the Python that runs this, and the project, in which a relative path
        # should mean the same there as here.
        Option("worker_command", WORDS, "how a node calls redun; without it, by the Python that runs this one"),
        Option(
            "code_package", CODE, "whether the project's code is sent along; or the path of a tar.gz", default=False
        ),
        Option("partition", TEXT, "the partition that jobs queue in, or several with commas"),
        Option("account", TEXT, "the account that is charged"),
        Option("qos", TEXT, "the quality of service"),
        Option("vcpus", COUNT, "how many cores a job gets"),
        Option("cpus_per_task", COUNT, "the same, as Slurm calls it"),
        Option("memory", NUMBER, "how many GiB of memory a job gets on each node"),
        Option("gpus", COUNT, "how many GPUs a job gets on each node", 0),
        Option("gres", TEXT, "other generic resources, on each node: gpu:a100:2,ssd"),
        Option("nodes", COUNT, "how many nodes a job gets; the task runs on the first of them"),
        Option("constraint", TEXT, "what the nodes must have: avx512&ib"),
        Option("exclusive", FLAG, "whether nodes are shared with no other job", default=False),
        Option("sbatch_args", WORDS, "more words for sbatch: --reservation=night --nice=100", []),
        Option("setup", TEXT, "shell lines that run before the worker: module load, source venv/bin/activate", ""),
        Option("log_dir", TEXT, "the folder for what jobs write; without it, slurm in the scratch", of_task=False),
    ],
)


def sbatch_words(executor: str, options: Mapping[str, Any]) -> list[str]:
    """Return what ``sbatch`` is told of the options of one job.

    Raises:
        BadOption: two of them contradict each other, or ``sbatch_args`` says what is not for it to say.
    """
    words = [f"--{name}={options[name]}" for name in ("partition", "account", "qos", "constraint") if options[name]]
    words += [f"--{flag}={read(executor, options)}" for flag, read in _COMPUTED.items() if read(executor, options)]
    words += ["--exclusive"] if options["exclusive"] else []
    return words + _more_words(executor, options["sbatch_args"])


def _cores(executor: str, options: Mapping[str, Any]) -> int | None:
    said = {options[name] for name in ("vcpus", "cpus_per_task") if options[name] is not None}
    if len(said) > 1:
        found = f"found vcpus {options['vcpus']} and cpus_per_task {options['cpus_per_task']}"
        raise BadOption(executor, "cpus_per_task", f"vcpus and cpus_per_task are one thing: {found}")
    return said.pop() if said else None


def _memory(executor: str, options: Mapping[str, Any]) -> str:
    if options["memory"] is None:
        return ""
    mebibytes = round(options["memory"] * 1024)
    if mebibytes < 1:  # to Slurm, 0 is all the memory of the node
        raise BadOption(executor, "memory", f"expected option 'memory' to be above 0, found {options['memory']!r}")
    return f"{mebibytes}M"


def _resources(_executor: str, options: Mapping[str, Any]) -> str:
    # Not --gpus: a cluster may know GPUs as a generic resource without having that set up.
    gpus = [f"gpu:{options['gpus']}"] if options["gpus"] else []
    return ",".join(gpus + ([options["gres"]] if options["gres"] else []))


def _minutes(_executor: str, options: Mapping[str, Any]) -> int:
    """Slurm counts in minutes, and takes 0 for no limit; to the second it is the scheduler that ends jobs."""
    return max(1, math.ceil(options["timeout"] / 60)) if options["timeout"] else 0


_COMPUTED: dict[str, Callable[[str, Mapping[str, Any]], Any]] = {
    "cpus-per-task": _cores,
    "mem": _memory,
    "gres": _resources,
    "nodes": lambda _executor, options: options["nodes"],
    "time": _minutes,
}


def _more_words(executor: str, words: str | list[str]) -> list[str]:
    found = words.split() if isinstance(words, str) else list(words)
    for word in found:
        name = word.lstrip("-").partition("=")[0]
        short = word[1:2] if word.startswith("-") and not word.startswith("--") else ""
        if word.startswith("-") and (name in OWN_WORDS or short in OWN_WORDS):
            why = f"sbatch_args cannot hold {word!r}: redun says that itself, or could not find the job again"
            raise BadOption(executor, "sbatch_args", why)
    return found
