"""How many cores and how much memory Google's machine types have, from their names.  Pure.

Names are regular (https://cloud.google.com/compute/docs/machine-resource): a family, a shape, a number of cores; the
shape says how much memory a core has.  A type that is not understood bounds nothing: Google tells what does not fit.
"""

from __future__ import annotations

import re
from typing import NamedTuple

_GIB_A_CORE = {
    "standard": {"n1": 3.75, "c4": 3.75},
    "highmem": {"n1": 6.5, "c4": 7.75},
    "highcpu": {"n1": 0.9, "e2": 1.0, "n2": 1.0, "n2d": 1.0},
}
_GIB_A_CORE_ELSE = {"standard": 4.0, "highmem": 8.0, "highcpu": 2.0}
_SHARED = {
    "e2-micro": (2, 1.0),
    "e2-small": (2, 2.0),
    "e2-medium": (2, 4.0),
    "f1-micro": (1, 0.6),
    "g1-small": (1, 1.7),
}


class Machine(NamedTuple):
    """What a machine has."""

    cores: int
    memory_gib: float


def find_machine(machine_type: str) -> Machine | None:
    """Return what a machine of a type has; None when the name does not tell."""
    if machine_type in _SHARED:
        return Machine(*_SHARED[machine_type])
    if match := re.fullmatch(r"(?:[a-z0-9]+-)?custom-(\d+)-(\d+)(?:-ext)?", machine_type):
        return Machine(int(match[1]), int(match[2]) / 1024)
    if match := re.fullmatch(r"([a-z]\d[a-z]?)-(standard|highmem|highcpu)-(\d+)(?:-lssd)?", machine_type):
        family, shape, cores = match[1], match[2], int(match[3])
        return Machine(cores, cores * _GIB_A_CORE[shape].get(family, _GIB_A_CORE_ELSE[shape]))
    return None


def fit(machine_type: str, cores: float | None, memory_gib: float | None) -> tuple[float | None, float | None]:
    """Return how many cores and GiB a task is to have on a machine: what was asked for, at most what there is.

    None asks for all; where that is not known, None comes back.
    """
    machine = find_machine(machine_type)
    if machine is None:
        return cores, memory_gib
    return (
        float(machine.cores if cores is None else min(cores, machine.cores)),
        machine.memory_gib if memory_gib is None else min(memory_gib, machine.memory_gib),
    )
