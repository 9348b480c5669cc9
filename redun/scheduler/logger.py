"""Where the lines of a run go: a contract that any ``logging.Logger`` fits."""

from __future__ import annotations

from typing import Protocol


class Logger(Protocol):
    """Where a run's lines go: a ``logging.Logger`` will do.

    One whose attribute ``takes_lines`` is true is given several lines at once, where they may wait for each other.
    """

    def info(self, msg: str) -> None:
        """Take one line."""

    def warning(self, msg: str) -> None:
        """Take one line that says what may be wrong."""


class _StandardLogger:
    """The logger ``redun`` of the ``logging`` module."""

    def __init__(self) -> None:
        import logging

        self._logger = logging.getLogger("redun")
        self.is_heard = self._logger.isEnabledFor(logging.INFO)

    def info(self, msg: str) -> None:
        self._logger.info("%s", msg)

    def warning(self, msg: str) -> None:
        self._logger.warning("%s", msg)


def default_logger() -> Logger:
    """Return a logger that writes to the logger ``redun`` of the ``logging`` module."""
    return _StandardLogger()


def is_heard(logger: Logger) -> bool:
    """Tell whether anybody listens: what nobody hears is not formatted."""
    return bool(getattr(logger, "is_heard", True))
