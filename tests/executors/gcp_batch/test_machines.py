"""What machine types have, by their names."""

from __future__ import annotations

import pytest

from redun.executors.gcp_batch.machines import Machine, find_machine, fit


@pytest.mark.parametrize(
    ("machine_type", "machine"),
    [
        ("e2-standard-4", Machine(4, 16)),
        ("e2-highcpu-8", Machine(8, 8)),
        ("n1-standard-2", Machine(2, 7.5)),
        ("n1-highmem-8", Machine(8, 52)),
        ("n2d-highmem-16", Machine(16, 128)),
        ("c2-standard-60", Machine(60, 240)),
        ("c3-highcpu-22", Machine(22, 44)),
        ("c3-standard-4-lssd", Machine(4, 16)),
        ("e2-medium", Machine(2, 4)),
        ("custom-6-20480", Machine(6, 20)),
        ("n2-custom-8-10240-ext", Machine(8, 10)),
        ("a2-ultragpu-1g", None),
        ("m1-ultramem-40", None),
        ("nonsense", None),
    ],
)
def test_names_tell_cores_and_memory(machine_type, machine):
    """As Google's table of machine types does; others are not guessed at."""
    assert find_machine(machine_type) == machine


def test_what_is_asked_for_is_at_most_what_there_is():
    """More would never be scheduled."""
    assert fit("e2-standard-4", 8, 64) == (4, 16)
    assert fit("e2-standard-4", 0.5, 2) == (0.5, 2)


def test_nothing_asked_for_is_all_of_it():
    """Google's own default would be two cores and 2 GB of any machine."""
    assert fit("e2-standard-4", None, None) == (4, 16)


def test_an_unknown_machine_bounds_nothing():
    """Google tells what does not fit."""
    assert fit("a2-ultragpu-1g", 96, None) == (96, None)
