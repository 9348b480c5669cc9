"""The options that every executor off this machine has, for the ``OptionTable`` of its type.

    TABLE = OptionTable("slurm", [*common_options(scratch="scratch"), Option("partition", TEXT, "where jobs queue")])

What differs between clusters is what an option is called and what it is when nobody says; what it means is one thing.
An option that stands in the list again, after these, takes the place of the first.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from redun.executors.options import FLAG, NUMBER, TEXT, WHOLE, WORDS, Kind, Option

DEFAULT_CODE_INCLUDES = ("**/*.py",)


def common_options(
    *,
    scratch: str | None = "scratch",
    job_monitor_interval: float = 5.0,
    job_stale_time: float = 3.0,
    min_array_size: int = 5,
    max_array_size: int = 1000,
    job_name_prefix: str = "redun-job",
    worker_command: Sequence[str] = ("redun",),
) -> list[Option]:
    """Return the options that all share.

    Args:
        scratch: what the option of the scratch is called (``s3_scratch``); it is required.  None leaves it out, for an
            executor that finds its scratch in another way.
        job_monitor_interval: the default; so are all that follow.
        job_stale_time: seconds.
        min_array_size: jobs.
        max_array_size: jobs.
        job_name_prefix: letters, digits, ``-`` and ``_``, at most 30.
        worker_command: words.
    """
    about_scratch = "the path or URL of a folder that this machine and the workers can write"
    named = [] if scratch is None else [Option(scratch, TEXT, about_scratch, is_required=True, of_task=False)]
    return [
        *named,
        Option("code_package", CODE, "whether the project's code is sent along; or the path of a tar.gz", True),
        Option("code_includes", WORDS, "patterns of the files that are sent", list(DEFAULT_CODE_INCLUDES)),
        Option("code_excludes", WORDS, "patterns of files that are not sent", []),
        Option("job_monitor_interval", SECONDS, "seconds between two looks at the jobs", job_monitor_interval, **_OWN),
        Option("job_stale_time", SECONDS, "seconds that jobs wait for others to make an array", job_stale_time, **_OWN),
        Option("min_array_size", COUNT, "the fewest jobs that make an array; 0 for no arrays", min_array_size, **_OWN),
        Option("max_array_size", COUNT, "the most jobs that make an array", max_array_size, **_OWN),
        Option("job_name_prefix", TEXT, "what the names of jobs begin with", job_name_prefix),
        Option("worker_command", WORDS, "how a worker's machine calls redun", list(worker_command)),
        Option("timeout", SECONDS, "seconds that a job may run", None),
        Option("heartbeat_interval", SECONDS, "seconds between two signs of life of a worker; 0 for none", 0, **_OWN),
        Option("clean_scratch", FLAG, "whether what succeeded is removed from the scratch after a run", False, **_OWN),
        Option("scratch_keep_days", SECONDS, "days that what lies in the scratch is kept; 0 for ever", 0, **_OWN),
    ]


_OWN: dict[str, Any] = {"of_task": False}  # of an executor as a whole: no task can say it


def _at_least_0(kind: Kind) -> Callable[[Any], bool]:
    return lambda value: kind.is_fit(value) and value >= 0


def _read_at_least_0(kind: Kind) -> Callable[[str], Any]:
    def read(text: str) -> Any:
        value = kind.read_text(text)
        if value < 0:
            raise ValueError(text)
        return value

    return read


def _read_code(text: str) -> bool | str:
    try:
        return bool(FLAG.read_text(text))
    except ValueError:
        return text


SECONDS = Kind("a number of at least 0", _read_at_least_0(NUMBER), _at_least_0(NUMBER))
COUNT = Kind("a whole number of at least 0", _read_at_least_0(WHOLE), _at_least_0(WHOLE))
CODE = Kind("true, false or the path of a tar.gz", _read_code, lambda value: isinstance(value, (bool, str)))
