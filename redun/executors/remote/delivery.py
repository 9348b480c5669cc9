"""The worker's end of a scratch: runs the call that lies there, and leaves what comes of it.

``redun worker`` calls this.  The invariant: once it has returned, there is an outcome under the call's key, a result or
an error; whatever keeps it from leaving one is raised, and goes to the log of the cluster's job.
"""

from __future__ import annotations

import platform
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from redun.errors import RedunError
from redun.executors.remote.code_package import unpack_code
from redun.executors.remote.scratch import Scratch
from redun.objects.headers import CallHeader, OutcomeHeader
from redun.objects.parcel import decode_parcel
from redun.store.blobs import Blobs
from redun.version import __version__

RunParcel = Callable[[bytes, Blobs], bytes]
"""``redun.worker.run_parcel``, which stands above the executors."""


def fetch_code(scratch: Scratch, name: str, folder: Path) -> None:
    """Unpack a code package of the scratch into an empty folder.

    Raises:
        ScratchError: it is not there, or its bytes are not those that its name says.
        BadCodePackage: it cannot be unpacked.
        OSError: the scratch cannot be reached, the folder cannot be written.
    """
    unpack_code(scratch.read_code(name), folder)


def code_paths(parcel: bytes, folder: Path) -> list[str]:
    """Return where the modules of a call lie in an unpacked code package, first things first.

    Raises:
        ParcelDamaged: it is not the parcel of a call.
    """
    paths = CallHeader.decode(decode_parcel(parcel).header).task.import_paths
    inside = [str((folder / path).resolve()) for path in paths if not Path(path).is_absolute()]
    return list(dict.fromkeys([*inside, str(folder.resolve())]))


def deliver(
    scratch: Scratch,
    key: str,
    parcel: bytes,
    run: RunParcel,
    *,
    leaves_outcome: bool = True,
    beat_seconds: float = 0,
) -> bool:
    """Run a call and leave its outcome; return whether that is a result.

    A result that lies there already is of an earlier attempt of the same job: what was there before that was submitted
    had been removed.  So it is left, and nothing is run.

    Args:
        scratch: where the outcome goes.
        key: of the call.
        parcel: the call.
        run: makes the outcome of it.
        leaves_outcome: false for a node of several that run the same call, but for one.
        beat_seconds: how often to say meanwhile that this lives; 0 for never.

    Raises:
        ParcelDamaged: it is not the parcel of a call.
        ScratchError, OSError: the outcome cannot be left.
    """
    if leaves_outcome and scratch.find_outcome(key, with_error=False) is not None:
        return True
    started = time.time()
    with _beating(scratch, key, started, beat_seconds if leaves_outcome else 0):
        outcome = run(parcel, scratch.contents)
    is_error = OutcomeHeader.decode(decode_parcel(outcome).header).error is not None
    if leaves_outcome:
        scratch.put_outcome(key, outcome, is_error=is_error)
        with suppress(RedunError, OSError):  # for people, and the outcome is there
            ended = {"exit_code": int(is_error), "ended": _utc(time.time())}
            scratch.put_status(key, {**_status(started), **ended})
    return not is_error


@contextmanager
def _beating(scratch: Scratch, key: str, started: float, seconds: float) -> Iterator[None]:
    """Write the status now and then while the block runs."""
    is_over = threading.Event()

    def beat() -> None:
        while True:
            with suppress(RedunError, OSError):  # the next one may get there
                scratch.put_status(key, {**_status(started), "alive": _utc(time.time())})
            if is_over.wait(seconds):
                return

    thread = threading.Thread(target=beat, name="redun-heartbeat", daemon=True)
    if seconds:
        thread.start()
    try:
        yield
    finally:
        is_over.set()
        if seconds:
            thread.join()  # or it could write over how the worker ended


def _status(started: float) -> dict[str, object]:
    return {
        "host": platform.node(),
        "redun": __version__,
        "python": ".".join(map(str, sys.version_info[:3])),
        "started": _utc(started),
    }


def _utc(moment: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(moment))
