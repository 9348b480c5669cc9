"""An executor that sends each call through a parcel and runs it in this process: the verified fake of remote ones."""

from __future__ import annotations

from collections.abc import Callable

from redun.errors import ExecutorError
from redun.executors.base import Executor, PortableWork, Report, Work
from redun.executors.thread import ThreadExecutor
from redun.store.blobs import Blobs
from redun.worker import run_parcel


class _Sent:
    """One piece of work on its way through a parcel."""

    def __init__(self, work: PortableWork, executor: ParcelExecutor) -> None:
        self.work = work
        self._executor = executor

    def run(self) -> None:
        """Pack, run, take.  Never raises."""
        executor, work = self._executor, self.work
        try:
            parcel = work.pack(executor.contents)
            executor.sizes.append(len(parcel))
            work.begin()
            outcome = executor.run_parcel(parcel, executor.contents)
        except Exception as error:
            work.fail(error)
            return
        work.take(outcome, executor.contents)


class ParcelExecutor(Executor):
    """Runs work in threads, each piece by way of bytes."""

    def __init__(self, name: str = "default", contents: Blobs | None = None, *, max_workers: int = 4) -> None:
        """``contents`` is where large contents are put; without it they are packed."""
        super().__init__(name)
        self.contents = contents
        self.sizes: list[int] = []
        """Bytes of each parcel that went out, in order."""
        self.run_parcel: Callable[[bytes, Blobs | None], bytes] = run_parcel
        self._threads = ThreadExecutor(name, max_workers=max_workers)

    def start(self, report: Report, thread_setup: Callable[[], None]) -> None:
        def hand_back(sent: Work) -> None:
            if not isinstance(sent, _Sent):
                raise ExecutorError(f"expected work that was sent, found {type(sent).__name__}")
            report(sent.work)

        self._threads.start(hand_back, thread_setup)

    def submit(self, work: Work) -> None:
        self._threads.submit(_Sent(work, self))  # type: ignore[arg-type]

    def cancel_waiting(self) -> int:
        return self._threads.cancel_waiting()

    def stop(self) -> None:
        self._threads.stop()
