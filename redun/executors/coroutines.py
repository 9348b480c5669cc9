"""Runs coroutines in one asyncio loop, in a thread of its own beside the pools.

Work that waits in an ``await`` holds no thread, so any number of pieces may wait at once.  asyncio costs 0.1 s to
import and is loaded by the first piece of work.  Nothing here knows of jobs: work carries its own outcome.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import asyncio

CANCEL_SECONDS = 2.0
"""How long stopping waits for cancelled coroutines to clean up after themselves.  One that takes longer is left behind:
its thread is a daemon."""


class AsyncWork(Protocol):
    """One coroutine to be run."""

    async def run_async(self) -> None:
        """Run, note result or error, and hand the work back.  Never raises, not even when it is cancelled."""


class CoroutineThread:
    """An asyncio loop in a thread, started with the first piece of work."""

    def __init__(self, thread_setup: Callable[[], None]) -> None:
        """``thread_setup`` is called once in the thread, before any work."""
        self._thread_setup = thread_setup
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._tasks: dict[int, asyncio.Task[None]] = {}  # by id of the work; only the loop's thread looks at it

    def submit(self, work: AsyncWork) -> None:
        """Start a piece of work; returns at once."""
        if self._loop is None:
            import asyncio

            self._loop = asyncio.new_event_loop()
            self._thread = threading.Thread(target=self._serve, args=(self._loop,), name="redun-async", daemon=True)
            self._thread.start()
        self._loop.call_soon_threadsafe(self._begin, self._loop, work)

    def cancel(self, work: AsyncWork) -> None:
        """Cancel a piece of work where it waits; nothing happens to one that has ended."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._cancel, id(work))

    def stop(self, timeout_seconds: float = CANCEL_SECONDS) -> None:
        """Cancel what still runs, give it some time to clean up, and let go of the thread."""
        loop, thread = self._loop, self._thread
        if loop is None or thread is None:
            return
        self._loop = self._thread = None
        with suppress(RuntimeError):  # closed already
            loop.call_soon_threadsafe(loop.stop)
        thread.join(timeout_seconds)

    # -- in the loop's thread

    def _serve(self, loop: asyncio.AbstractEventLoop) -> None:
        import asyncio

        asyncio.set_event_loop(loop)
        self._thread_setup()
        while True:
            try:
                loop.run_forever()
            except (SystemExit, KeyboardInterrupt):
                continue  # raised in a task that user code made; who awaits it gets it, and asyncio raises it here too
            break
        _close(loop)

    def _begin(self, loop: asyncio.AbstractEventLoop, work: AsyncWork) -> None:
        body: Coroutine[Any, Any, None] = work.run_async()
        task = self._tasks[id(work)] = loop.create_task(body)
        task.add_done_callback(lambda _: self._tasks.pop(id(work), None))

    def _cancel(self, work_id: int) -> None:
        task = self._tasks.get(work_id)
        if task is not None:
            task.cancel()


def _close(loop: asyncio.AbstractEventLoop) -> None:
    import asyncio

    left = asyncio.all_tasks(loop)
    for task in left:
        task.cancel()
    with suppress(Exception):
        loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
        loop.run_until_complete(loop.shutdown_asyncgens())
    loop.close()
