"""Names of options that nobody reads, but that are nearly the name of one: told once for each task.

A task may have any options, since executors of users read what they like.  So an unknown one is no error; it is told of
when it is like one that the scheduler or an executor reads.  What executors read stands in ``Executor.option_names``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from redun.errors import RedunError
from redun.executors.base import Executor

SCHEDULER_OPTIONS = frozenset(
    {
        *("allowed_cache_results", "cache", "cache_scope", "check_valid", "config_args", "evaluates", "executor"),
        *("limits", "load_module", "nout", "prov", "retries", "retry_backoff", "retry_backoff_max", "tags", "timeout"),
        *("compat", "export_options", "hash_includes", "name", "namespace", "script", "source", "version"),
        *("use_wrapper_signature", "wrapped_task", "wrapper_hash_includes"),
    }
)
"""What tasks and the scheduler read; the last two rows are arguments of decorators, and options when misspelt only."""
LIKENESS = 0.75
"""``memroy`` is 0.83 like ``memory``, ``executer`` 0.88 like ``executor``; ``mode`` is 0.5 like ``nout``."""


class OptionNames:
    """Looks at the names of options, in one execution."""

    def __init__(self, executors: Mapping[str, Executor], warn: Callable[[str], None]) -> None:
        """``warn`` takes a line."""
        self._warn = warn
        self._executors = executors
        self._known: frozenset[str] | None = None
        self._seen: set[tuple[str, str]] = set()

    def look(self, task_name: str, names: Iterable[str], executor: str) -> None:
        """Warn of the names that are nearly, but not, that of an option of the scheduler or of the executor."""
        if self._known is None:
            # Of all executors: a task that is moved from one to another keeps its options.
            self._known = SCHEDULER_OPTIONS.union(*map(names_of, self._executors.values()))
        for name in names:
            if name not in self._known and not name.startswith("_") and (task_name, name) not in self._seen:
                self._seen.add((task_name, name))
                self._compare(task_name, name, executor)

    def _compare(self, task_name: str, name: str, executor: str) -> None:
        from difflib import get_close_matches  # most runs have no such option

        found = self._executors.get(executor)
        read_there = frozenset[str]() if found is None else names_of(found)
        near = get_close_matches(name, sorted(SCHEDULER_OPTIONS | read_there), n=1, cutoff=LIKENESS)
        if near:
            whose = f"executor {executor!r}" if near[0] in read_there else "redun"
            self._warn(f"task {task_name!r} has an option {name!r}: did you mean {near[0]!r}, which {whose} reads?")


def names_of(executor: Executor) -> frozenset[str]:
    """Return the names of the options that an executor reads; none for an alias that leads nowhere."""
    try:
        return frozenset(executor.option_names)
    except RedunError:
        return frozenset()


def handled_by(executor: Executor | None) -> frozenset[str]:
    """Return the options that are left to an executor; none for an alias that leads nowhere, whose jobs will fail."""
    try:
        return frozenset() if executor is None else executor.handles
    except RedunError:
        return frozenset()
