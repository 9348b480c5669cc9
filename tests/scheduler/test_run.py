"""A run shows that it lives, whatever it prints."""

from __future__ import annotations

import pytest

from redun.scheduler.run import HEARTBEAT_MAX_SECONDS, HEARTBEAT_SECONDS, heartbeat_seconds


@pytest.mark.parametrize(
    ("interval", "heartbeat"),
    [(0, HEARTBEAT_SECONDS), (-1, HEARTBEAT_SECONDS), (5, 5), (20, 20), (86_400, HEARTBEAT_MAX_SECONDS)],
)
def test_a_heartbeat_comes_with_each_table_and_without_any(interval, heartbeat):
    """Others take a run for dead that they have not heard of for an hour: tables that are off must not cause that."""
    assert heartbeat_seconds(interval) == heartbeat
