"""``Value`` and ``ProxyValue``: how a class says how its instances are stored, checked and read from a command line.

A ``Value`` is always a node of its own, so that whoever holds something made of it can see it.  The hooks below have
working defaults; a subclass overrides those it cares for.  Normative page of the bytes: docs/format/value.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, ClassVar

from redun.hashing import Oid

if TYPE_CHECKING:
    from redun.value.encoder import Part

PORTABLE_FORMAT = "application/x-redun-value"

value_classes: dict[str, type[Value]] = {}
"""Every Value class by its type name; the last definition wins, as when a module is reloaded."""

proxies: dict[type, type[ProxyValue]] = {}
"""Every ProxyValue class by the foreign type that it speaks for."""

on_register: list[Callable[[], None]] = []
"""Called after a class is registered: whoever remembers how a type is encoded forgets it."""


class Hooks:
    """The hooks that Value and ProxyValue share."""

    type_name: ClassVar[str]

    def get_hash(self, data: bytes | None = None) -> str:  # noqa: ARG002  (a hook's full signature)
        """Return text that differs when the value does; part of its identity when overridden.

        It can only tell apart: two values that are stored differently are two values, whatever their hashes say.  To
        leave something out of the identity, leave it out of ``__getstate__`` or ``serialize``.
        """
        from redun.value.encoding import encode_value

        return encode_value(self._raw()).oid.hex()

    def serialize(self) -> bytes:
        """Return bytes from which ``deserialize`` makes the value again."""
        from redun.value.portable import dump_value

        return dump_value(self._raw())

    @classmethod
    def deserialize(cls, raw_type: Any, data: bytes) -> Any:  # noqa: ARG003  (a hook's full signature)
        """Return the value, given its type and what ``serialize`` returned."""
        from redun.value.portable import load_value

        return load_value(data)

    @classmethod
    def get_serialization_format(cls) -> str:
        """Return the MIME type of what ``serialize`` returns."""
        return PORTABLE_FORMAT

    def is_valid(self) -> bool:
        """Tell whether the value still means what it did when it was made; a cached result must."""
        return True

    def preprocess(self, preprocess_args: dict[str, Any]) -> Any:  # noqa: ARG002  (a hook's full signature)
        """Return the value to hand to a task, given ``call_order`` and other facts about the call."""
        return self

    def postprocess(self, postprocess_args: dict[str, Any]) -> Any:  # noqa: ARG002  (a hook's full signature)
        """Return the value to take from a task, given facts about the call."""
        return self

    @classmethod
    def parse_arg(cls, raw_type: Any, arg: str) -> Any:
        """Return the value that a command-line argument stands for.  Default: the type's constructor."""
        return raw_type(arg)

    def iter_subvalues(self) -> Iterator[Any]:
        """Yield the Values within this one whose validity is part of its own."""
        yield from ()

    def _raw(self) -> Any:
        return self


class Value(Hooks):
    """Base of classes whose instances are values of their own in the store.

    By default an instance is stored as its class's ``type_name`` and its state (``__getstate__``, a dict of its
    attributes), and made again by ``__setstate__`` on an instance for which ``__init__`` has not run.
    """

    type_name: ClassVar[str] = "redun.Value"

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "type_name" not in cls.__dict__:
            cls.type_name = f"{cls.__module__}.{cls.__qualname__}"
        value_classes[cls.type_name] = cls
        _tell_registered()

    def encode_node(self) -> tuple[int, Oid, bytes] | None:
        """Return kind, oid and canonical bytes when the value is a node of a kind of its own, else None."""
        return None

    def iter_node_parts(self) -> Iterable[Part]:
        """Yield (oid, bytes, kind) of what the node of ``encode_node`` links to and must be stored with it."""
        return ()

    def __getstate__(self) -> Any:
        """Return what the value is made of: any value, by default its attributes by name."""
        state = dict(getattr(self, "__dict__", ()))
        for cls in type(self).__mro__:
            slots = cls.__dict__.get("__slots__", ())
            for name in (slots,) if isinstance(slots, str) else slots:
                if name not in {"__dict__", "__weakref__"} and hasattr(self, name):
                    state[name] = getattr(self, name)
        return state

    def __setstate__(self, state: Any) -> None:
        """Take back what ``__getstate__`` returned."""
        for name, member in state.items():
            object.__setattr__(self, name, member)


class ProxyValue(Hooks):
    """Hooks for a type that is not a Value: set ``type``, and instances of it and of its subclasses are looked after.

    The proxy wraps the foreign object as ``instance``; tasks see the object, never the proxy.  The proxy's own
    ``serialize`` and ``get_hash`` come before a codec of the type (of numpy, pandas and Arrow, say).  Built-in types
    keep theirs: ``serialize`` and ``get_hash`` of a proxy of ``list`` or ``datetime`` are not asked.
    """

    type: ClassVar[Any] = None
    type_name: ClassVar[str] = "redun.ProxyValue"

    def __init__(self, instance: Any) -> None:
        self.instance = instance

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "type_name" not in cls.__dict__:
            cls.type_name = f"{cls.__module__}.{cls.__qualname__}"
        if cls.type is not None:
            proxies[cls.type] = cls
            _tell_registered()

    def _raw(self) -> Any:
        return self.instance


def find_proxy(raw_type: Any) -> type[ProxyValue] | None:
    """Return the proxy of a type: its own, or that of the nearest class it derives from."""
    for cls in getattr(raw_type, "__mro__", ()):
        found = proxies.get(cls)
        if found is not None:
            return found
    return None


def overrides(cls: type, hook: str) -> bool:
    """Tell whether a Value or ProxyValue class brings its own version of a hook."""
    return getattr(cls, hook) is not getattr(Hooks, hook)


def _tell_registered() -> None:
    for forget in on_register:
        forget()
