"""Another name for an executor: ``[executors.NAME] type = alias, target = OTHER``.

The target is looked up with each job, so an alias may stand before its target, name another alias, or name an executor
that a program adds later.  The invariant: a chain of aliases ends at an executor, or the error names the whole chain.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from typing import Any

from redun.errors import ExecutorError
from redun.executors.base import Executor, PortableWork, Report, Work
from redun.executors.options import TEXT, Option, OptionTable
from redun.executors.registry import contract_of

OPTIONS = OptionTable(
    "alias",
    [Option("target", TEXT, "the name of the executor that jobs go to", is_required=True, of_task=False)],
)


class BadAlias(ExecutorError):
    """A chain of aliases leads nowhere."""

    def __init__(self, chain: list[str], why: str, *, known: Iterable[str] = ()) -> None:
        """``known`` are names that may have been meant."""
        near = get_close_matches(chain[-1], known, n=1)
        hint = f"did you mean {near[0]}?" if near else ""
        super().__init__(f"executor {chain[0]!r} is an alias ({' -> '.join(chain)}): {why}", hint=hint)
        self.chain = chain


class AliasExecutor(Executor):
    """Gives each job to another executor of the same scheduler."""

    def __init__(self, name: str, scheduler: Any = None, config: Mapping[str, Any] | None = None) -> None:
        """Raises BadOption when ``config`` has no ``target``."""
        super().__init__(name, scheduler, config)
        self.target_name: str = OPTIONS.read_section(name, config or {})["target"]
        self._report: Report | None = None

    @property
    def target(self) -> Executor:
        """The executor at the end of the chain.  Raises BadAlias when there is none."""
        executors: Mapping[str, Executor] = {} if self._scheduler is None else self._scheduler.executors
        chain = [self.name]
        here: Executor = self
        while isinstance(here, AliasExecutor):
            target_name = here.target_name
            is_cycle = target_name in chain
            chain.append(target_name)
            if is_cycle:
                raise BadAlias(chain, "it comes back to itself")
            found = executors.get(target_name)
            if found is None:
                why = f"there is no executor {target_name!r}; found {', '.join(sorted(executors))}"
                raise BadAlias(chain, why, known=set(executors).difference(chain))
            here = found
        return contract_of(here)

    @property
    def runs_coroutines(self) -> bool:  # type: ignore[override]
        """Whether the target takes async tasks."""
        return self.target.runs_coroutines

    @property
    def handles(self) -> frozenset[str]:  # type: ignore[override]
        """What the target sees to."""
        return self.target.handles

    @property
    def option_names(self) -> frozenset[str]:  # type: ignore[override]
        """What the target reads."""
        return self.target.option_names

    def start(self, report: Report, thread_setup: Callable[[], None]) -> None:  # noqa: ARG002  (it has no threads)
        """Note where to report what no target takes; the scheduler starts the target, and stops it."""
        self._report = report

    def submit(self, work: PortableWork) -> None:
        """Give work to the target; without one the work fails."""
        try:
            target = self.target
        except BadAlias as error:
            if self._report is None:
                raise
            work.fail(error)
            self._report(work)
            return
        target.submit(work)

    def abandon(self, work: Work) -> None:
        self.target.abandon(work)

    def scratch_root(self) -> str:
        return self.target.scratch_root()


def resolve_section(sections: Mapping[str, Mapping[str, Any]], name: str) -> tuple[str, Mapping[str, Any]]:
    """Return the name and the section of what an executor of a config stands for: itself, unless it is an alias.

    For those who make a single executor without a scheduler.

    Raises:
        BadAlias: the chain does not end at a section.
        KeyError: there is no section of this name.
    """
    chain, section = [name], sections[name]
    while section.get("type") == "alias":
        target_name = OPTIONS.read_section(chain[-1], section)["target"]
        is_cycle = target_name in chain
        chain.append(target_name)
        if is_cycle:
            raise BadAlias(chain, "it comes back to itself")
        if target_name not in sections:
            raise BadAlias(chain, f"there is no section [executors.{target_name}]", known=sections)
        section = sections[target_name]
    return chain[-1], section
