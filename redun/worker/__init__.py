"""The other end of an executor: runs the call in a parcel, in whatever process that came to."""

from __future__ import annotations

from redun.worker.running import run_parcel

__all__ = ["run_parcel"]
