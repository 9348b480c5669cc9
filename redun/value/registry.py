"""``TypeRegistry``: one door to the hooks of all types, whether they are Values, have a proxy, or neither.

There is one registry in a process.  It holds nothing of its own: classes are known from the moment they are defined
(``value.py``), and how a type is encoded is decided in ``classify.py``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Union

from redun.value import arguments
from redun.value.classify import plans
from redun.value.encoding import encode_value
from redun.value.errors import InvalidValueError
from redun.value.names import NotFound, find_class
from redun.value.nested import iter_nested_value
from redun.value.objects import find_value_class
from redun.value.portable import dump_value, load_value
from redun.value.value import (
    PORTABLE_FORMAT,
    ProxyValue,
    Value,
    find_proxy,
    on_register,
    overrides,
    proxies,
    value_classes,
)

AnyValue = Union[Value, ProxyValue]


class TypeRegistry:
    """Looks up the hooks of a type or value, and calls them."""

    def __init__(self) -> None:
        self._checked: dict[type, type[ProxyValue] | None] = {}
        on_register.append(self._checked.clear)

    def register(self, value_type: type[Value | ProxyValue]) -> None:
        """Take a class into account anew, for instance after its ``type`` or ``type_name`` was set late."""
        if issubclass(value_type, Value):
            value_classes[value_type.type_name] = value_type
        elif value_type.type is not None:
            proxies[value_type.type] = value_type
        for forget in on_register:
            forget()

    def get_value(self, raw_value: Any) -> AnyValue:
        """Return a value with its hooks: a Value itself, anything else in its proxy."""
        if isinstance(raw_value, (Value, ProxyValue)):
            return raw_value
        return (find_proxy(type(raw_value)) or ProxyValue)(raw_value)

    def get_type(self, raw_type: Any) -> Any:
        """Return the class that has the hooks of a type: itself when it is a Value, a proxy, or None."""
        if isinstance(raw_type, type) and issubclass(raw_type, Value):
            return raw_type
        return find_proxy(raw_type)

    def get_type_name(self, raw_type: type) -> str:
        """Return the name under which values of a type are stored."""
        return plans.type_name(raw_type)

    def parse_type_name(self, type_name: str) -> type:
        """Return the type of a name, importing its module when needed.

        Raises:
            InvalidValueError: there is none.
        """
        known = plans.find_type(type_name)
        if known is not None:
            return known
        try:
            return find_value_class(type_name)
        except NotFound:
            pass
        module, _, name = type_name.rpartition(".")
        try:
            return find_class(f"{module or 'builtins'}:{name}")
        except NotFound as error:
            raise InvalidValueError(f"there is no type {type_name}: {error}") from error

    def get_hash(self, raw_value: Any, data: bytes | None = None) -> str:
        """Return a value's hash, 64 hex digits unless its class says otherwise."""
        value = self.get_value(raw_value)
        if overrides(type(value), "get_hash"):
            return value.get_hash(data)
        return encode_value(raw_value).oid.hex()

    def serialize(self, raw_value: Any) -> bytes:
        """Return bytes from which ``deserialize`` makes the value again.  Raises ValueNotEncodable."""
        value = self.get_value(raw_value)
        return value.serialize() if overrides(type(value), "serialize") else dump_value(raw_value)

    def deserialize(self, type_name: str, data: bytes) -> Any:
        """Return the value of a type, given what ``serialize`` returned.  Raises InvalidValueError."""
        raw_type = self.parse_type_name(type_name)
        hooks = self.get_type(raw_type)
        if hooks is None or not overrides(hooks, "serialize"):
            return load_value(data)
        try:
            return _unwrap(hooks.deserialize(raw_type, data))
        except Exception as error:
            raise InvalidValueError(f"a {type_name} cannot be read back: {type(error).__name__}: {error}") from error

    def get_serialization_format(self, raw_value: Any) -> str:
        """Return the MIME type of what ``serialize`` returns for a value."""
        hooks = self.get_type(type(raw_value))
        return PORTABLE_FORMAT if hooks is None else str(hooks.get_serialization_format())

    def is_valid(self, raw_value: Any) -> bool:
        """Tell whether a value, apart from what is in it, still means what it did."""
        if isinstance(raw_value, (Value, ProxyValue)):
            return raw_value.is_valid()
        proxy = self._checking_proxy(type(raw_value))
        return True if proxy is None else proxy(raw_value).is_valid()

    def is_valid_nested(self, nested_value: Any) -> bool:
        """Tell whether a value and all that is in it, in containers or as subvalues, is valid."""
        pending = [nested_value]
        while pending:
            for value in iter_nested_value(pending.pop()):
                if not self.is_valid(value):
                    return False
                pending.extend(self.iter_subvalues(value))
        return True

    def preprocess(self, raw_value: Any, preprocess_args: dict[str, Any]) -> Any:
        """Return the value to hand to a task."""
        return (
            _unwrap(self.get_value(raw_value).preprocess(preprocess_args)) if self._has_hooks(raw_value) else raw_value
        )

    def postprocess(self, raw_value: Any, postprocess_args: dict[str, Any]) -> Any:
        """Return the value to take from a task."""
        if not self._has_hooks(raw_value):
            return raw_value
        return _unwrap(self.get_value(raw_value).postprocess(postprocess_args))

    def parse_arg(self, raw_type: Any, arg: str) -> Any:
        """Return the value that a command-line text stands for.  Raises InvalidValueError."""
        return arguments.parse_argument(raw_type, arg)

    def iter_subvalues(self, raw_value: Any) -> Iterator[Any]:
        """Yield the Values within a value whose validity is part of its own."""
        if self._has_hooks(raw_value):
            yield from self.get_value(raw_value).iter_subvalues()

    def _has_hooks(self, raw_value: Any) -> bool:
        return isinstance(raw_value, (Value, ProxyValue)) or self._checking_proxy(type(raw_value)) is not None

    def _checking_proxy(self, cls: type) -> type[ProxyValue] | None:
        """Return a type's proxy if it has hooks that say something about values, remembered by type."""
        try:
            return self._checked[cls]
        except KeyError:
            proxy = find_proxy(cls)
            hooks = ("is_valid", "preprocess", "postprocess", "iter_subvalues")
            if proxy is not None and not any(overrides(proxy, hook) for hook in hooks):
                proxy = None
            self._checked[cls] = proxy
            return proxy


def _unwrap(value: Any) -> Any:
    return value.instance if isinstance(value, ProxyValue) else value


_registry = TypeRegistry()


def get_type_registry() -> TypeRegistry:
    """Return the registry of this process."""
    return _registry
