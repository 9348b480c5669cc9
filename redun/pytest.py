"""Fixtures for tests of workflows: ``from redun.pytest import scheduler`` in a test file or ``conftest.py``.

Each test gets a scheduler of its own, so nothing that one test ran answers another.
"""

from __future__ import annotations

import pytest

from redun.scheduler.scheduler import Scheduler


@pytest.fixture
def scheduler() -> Scheduler:
    """A scheduler that keeps everything in memory: ``assert scheduler.run(main()) == 5``."""
    return Scheduler()
