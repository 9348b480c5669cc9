"""The other end of an executor: runs the call in a parcel, in whatever process that came to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from redun.worker.running import run_parcel as run_parcel

__all__ = ["run_parcel"]


def __getattr__(name: str) -> Any:
    """Import the engine when it is first asked for: a worker process learns its import path before."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from redun.worker.running import run_parcel

    return run_parcel
