"""What happens when a stream is closed.

The instance's ``close`` is shadowed, which ``with`` and the destructor respect, so that the stream stays the very
object that libraries expect and no look-alike.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import IO, Any

from redun.file.errors import typed_errors

Close = Callable[[], object]


def shadow_close(stream: IO[Any], run: Callable[[Close], None]) -> None:
    """Have a stream closed by ``run``, which is given what closes it; once, and not when it is closed already.

    The stream is held weakly: a cycle would put off its closing.
    """
    held = weakref.ref(stream)
    before: Close | None = getattr(stream, "__dict__", {}).get("close")  # what shadows it so far

    def close() -> None:
        target = held()
        if target is not None and not target.closed:
            run(before or partial(type(target).close, target))

    stream.close = close  # type: ignore[method-assign]


def type_close_errors(stream: IO[Any], path: str) -> None:
    """Raise what goes wrong while a written stream is closed as ``RedunOSError``: a bucket says no only then."""
    held = weakref.ref(stream)

    def run(close: Close) -> None:
        try:
            with typed_errors(path, "write", catch=Exception):
                close()
        except BaseException:
            target: Any = held()
            # fsspec would try again from the destructor, and fail where nobody can catch it.
            with suppress(AttributeError):
                getattr(target, "buffer", target).closed = True
            raise

    shadow_close(stream, run)
