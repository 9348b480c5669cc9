"""A value that is not there yet, with what shall happen once it is: what scheduler tasks are written with.

All callbacks run in the thread that resolves the promise, in order, before that call returns, unless it is itself made
by a callback: then they run once that one has returned.  So a chain of any length costs no stack.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Generic, TypeVar, cast

from redun.errors import RedunError

T = TypeVar("T")
S = TypeVar("S")

_PENDING, _FULFILLED, _REJECTED = range(3)


class PromiseError(RedunError):
    """A promise was asked for what it does not have yet."""


class _Steps(threading.local):
    """The callbacks that wait for others of this thread to return."""

    def __init__(self) -> None:
        self.waiting: deque[Callable[[], None]] = deque()
        self.is_running = False

    def do(self, step: Callable[[], None]) -> None:
        self.waiting.append(step)
        if self.is_running:
            return
        self.is_running = True
        try:
            while self.waiting:
                self.waiting.popleft()()
        finally:
            self.is_running = False
            self.waiting.clear()


_steps = _Steps()


class Promise(Generic[T]):
    """Pending at first, then fulfilled with a value or rejected with an error, once."""

    __slots__ = ("_callbacks", "_outcome", "_state")

    def __init__(
        self, func: Callable[[Callable[[Any], Any], Callable[[BaseException], Any]], Any] | None = None
    ) -> None:
        """Make a promise; ``func``, if given, is called at once with its ``do_resolve`` and ``do_reject``."""
        self._state = _PENDING
        self._outcome: Any = None
        self._callbacks: list[tuple[Callable[[Any], None], Callable[[BaseException], None]]] = []
        if func is not None:
            try:
                func(self.do_resolve, self.do_reject)
            except Exception as error:
                self.do_reject(error)

    def __repr__(self) -> str:
        state = ("pending", "fulfilled", "rejected")[self._state]
        return f"Promise({state})"

    # -- its state

    @property
    def is_pending(self) -> bool:
        """Whether it has neither value nor error yet."""
        return self._state == _PENDING

    @property
    def is_fulfilled(self) -> bool:
        """Whether it has a value."""
        return self._state == _FULFILLED

    @property
    def is_rejected(self) -> bool:
        """Whether it has an error."""
        return self._state == _REJECTED

    @property
    def value(self) -> T:
        """The value.  Raises PromiseError while it is pending, and the error of a rejected promise."""
        if self._state == _REJECTED:
            raise self._outcome
        if self._state == _PENDING:
            raise PromiseError("the promise is pending: it has no value yet")
        return cast("T", self._outcome)

    @property
    def error(self) -> BaseException:
        """The error.  Raises PromiseError for a promise that is not rejected."""
        if self._state != _REJECTED:
            raise PromiseError("the promise is not rejected: it has no error")
        return cast("BaseException", self._outcome)

    # -- ending it

    def do_resolve(self, value: T | Promise[T]) -> None:
        """Fulfil the promise, or let it follow another one; nothing happens to one that has ended."""
        if isinstance(value, Promise):
            value._add(self._fulfil, self.do_reject)
        else:
            self._fulfil(value)

    def do_reject(self, error: BaseException) -> None:
        """Reject the promise; nothing happens to one that has ended."""
        self._end(_REJECTED, error)

    # -- following it

    def then(
        self,
        resolve: Callable[[T], S | Promise[S]] | None = None,
        reject: Callable[[BaseException], S | Promise[S]] | None = None,
    ) -> Promise[S]:
        """Return a promise of what a callback returns: ``resolve`` for a value, ``reject`` for an error.

        Without the callback that is needed, value or error pass on.  What a callback raises rejects the promise.
        """
        made: Promise[S] = Promise()
        self._add(_passing(made, resolve, made.do_resolve), _passing(made, reject, made.do_reject))
        return made

    def catch(self, reject: Callable[[BaseException], S | Promise[S]]) -> Promise[S]:
        """Return ``then(None, reject)``."""
        return self.then(None, reject)

    @classmethod
    def all(cls, promises: Iterable[Promise[S]]) -> Promise[list[S]]:
        """Return a promise of all values, in order; the first error rejects it."""
        listed = list(promises)
        made: Promise[list[S]] = Promise()
        n_missing = len(listed)

        def note(_value: S) -> None:
            nonlocal n_missing
            n_missing -= 1
            if not n_missing:
                made.do_resolve([promise.value for promise in listed])

        if not listed:
            made.do_resolve([])
        for promise in listed:
            promise._add(note, made.do_reject)
        return made

    def _add(self, resolve: Callable[[Any], None], reject: Callable[[BaseException], None]) -> None:
        if self._state == _PENDING:
            self._callbacks.append((resolve, reject))
        else:
            self._call(resolve, reject)

    def _fulfil(self, value: Any) -> None:
        self._end(_FULFILLED, value)

    def _end(self, state: int, outcome: Any) -> None:
        if self._state != _PENDING:
            return
        self._state, self._outcome = state, outcome
        callbacks, self._callbacks = self._callbacks, []
        for resolve, reject in callbacks:
            self._call(resolve, reject)

    def _call(self, resolve: Callable[[Any], None], reject: Callable[[BaseException], None]) -> None:
        callback: Callable[[Any], None] = resolve if self._state == _FULFILLED else reject
        outcome = self._outcome
        _steps.do(lambda: callback(outcome))


def wait_promises(promises: Sequence[Promise[T]]) -> Promise[list[Promise[T]]]:
    """Return a promise that is fulfilled with the promises themselves once each has ended, well or not."""
    made: Promise[list[Promise[T]]] = Promise()
    n_missing = len(promises)

    def note(_outcome: Any) -> None:
        nonlocal n_missing
        n_missing -= 1
        if not n_missing:
            made.do_resolve(list(promises))

    if not promises:
        made.do_resolve([])
    for promise in promises:
        promise._add(note, note)
    return made


def _passing(
    made: Promise[Any], callback: Callable[[Any], Any] | None, otherwise: Callable[[Any], None]
) -> Callable[[Any], None]:
    """Return what ends ``made`` by a callback's return value, or passes the outcome on where there is none."""
    if callback is None:
        return otherwise

    def call(outcome: Any) -> None:
        try:
            value = callback(outcome)
        except Exception as error:
            made.do_reject(error)
        else:
            made.do_resolve(value)

    return call
