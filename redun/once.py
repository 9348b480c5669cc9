"""A property that is worked out when it is first asked for, and kept.

``functools.cached_property`` before Python 3.12 holds one lock for all objects of a class while it works something out.
A process that is forked meanwhile inherits the lock with nobody to release it, and would wait for ever.  Here there is
no lock: two threads that ask at once may both work it out, and one result stays.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar, overload

_Value = TypeVar("_Value")


class once(Generic[_Value]):  # noqa: N801 - it reads as a property does
    """Makes a method without arguments a property that is called once for an object.

    What comes of it stands in the object's ``__dict__`` under the same name, so that asking again costs what an
    attribute does.
    """

    def __init__(self, method: Callable[[Any], _Value]) -> None:
        self._method = method
        self.__doc__ = method.__doc__

    def __set_name__(self, _owner: type, name: str) -> None:
        self._name = name

    @overload
    def __get__(self, instance: None, owner: type) -> once[_Value]: ...

    @overload
    def __get__(self, instance: object, owner: type) -> _Value: ...

    def __get__(self, instance: object | None, owner: type) -> once[_Value] | _Value:
        if instance is None:
            return self
        value = self._method(instance)
        return instance.__dict__.setdefault(self._name, value)  # type: ignore[no-any-return]
