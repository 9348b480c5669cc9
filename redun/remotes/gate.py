"""Which refs of a remote are taken: all, or only those that somebody vouches for whose key is allowed.

The invariant: what was refused is told, with the reason, and nothing that only it leads to is fetched.
Format: docs/format/signature.md.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from redun.remotes.transfer import Skipped, TransferReport
from redun.store.ref_names import execution_id_of
from redun.store.ref_texts import ExecutionRef, TagRef


class Gate:
    """Lets refs of one remote pass, or not.  Any thread may ask."""

    def __init__(self, signers: frozenset[bytes] | None = None) -> None:
        """``signers``: the public keys of which one must vouch for each ref; None lets all pass."""
        self._signers = signers
        self._refused: dict[str, str] = {}

    @property
    def is_open(self) -> bool:
        """Whether every ref passes, so that what a remote has may be used without asking which ref it is of."""
        return self._signers is None

    def admits(self, ref: ExecutionRef | TagRef) -> bool:
        """Tell whether a ref is taken; if not, the reason is noted."""
        if self._signers is None:
            return True
        from redun.store.signing import find_fault

        fault = find_fault(ref, self._signers)
        if fault:
            self._refused[ref.name] = fault
        return not fault

    def enter(self, report: TransferReport, prefixes: Sequence[str] | None) -> TransferReport:
        """Return a report that tells what was refused; of executions that were asked for by name, as left out."""
        refused = [Skipped(name, why) for name, why in sorted(self._refused.items())]
        asked = [one for one in refused if prefixes is not None and _is_asked(one.name, prefixes)]
        return dataclasses.replace(
            report,
            skipped=tuple(dict.fromkeys((*report.skipped, *asked))),
            refused=tuple(one for one in refused if one not in asked),
        )


def _is_asked(name: str, prefixes: Sequence[str]) -> bool:
    return any(execution_id_of(name).startswith(prefix.lower()) for prefix in prefixes)
