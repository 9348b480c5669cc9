"""The command line: parses, calls the library, prints."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from redun.cli.main import RedunClient as RedunClient

__all__ = ["RedunClient"]


def __getattr__(name: str) -> Any:
    if name == "RedunClient":
        from redun.cli.main import RedunClient

        return RedunClient
    raise AttributeError(f"module 'redun.cli' has no attribute {name!r}")
