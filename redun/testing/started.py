"""What tests start and stop: servers, clusters, engines; and ports for them."""

from __future__ import annotations

import socket
from abc import ABC, abstractmethod
from types import TracebackType
from typing import TypeVar

_Self = TypeVar("_Self", bound="Started")


class Started(ABC):
    """Something that runs from ``start`` to ``stop``, or within ``with``."""

    @abstractmethod
    def start(self) -> None:
        """Start it, and wait until it can be used."""

    @abstractmethod
    def stop(self) -> None:
        """End it at once."""

    def __enter__(self: _Self) -> _Self:  # noqa: PYI019  (typing.Self came with Python 3.11)
        self.start()
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.stop()


def free_ports(count: int) -> list[int]:
    """Return ports that nobody listens on; held all at once while looking, so that no two are the same."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [int(each.getsockname()[1]) for each in sockets]
    finally:
        for each in sockets:
            each.close()
