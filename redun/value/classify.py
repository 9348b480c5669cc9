"""Which codec a type gets.  Asked once for each type; the order of the questions is the whole of the matter.

Built-in types first, by exact type; then what a class says itself (Value), what is registered for it (a proxy that
serializes or hashes, a codec), what it visibly is (enum, dataclass, named tuple, class), and pickle when nothing fits.
"""

from __future__ import annotations

import sys
from enum import Enum
from typing import TYPE_CHECKING

from redun.value import classes, containers, objects, pickling, scalars
from redun.value.encoder import Plans
from redun.value.names import NotFound, dotted_name
from redun.value.stored import StoredValue, encode_stored
from redun.value.value import Value, find_proxy, on_register

if TYPE_CHECKING:
    from redun.value.encoder import Encode

_BUILT_IN = {
    **containers.ENCODERS,
    **scalars.ENCODERS,
    **classes.ENCODERS,
    StoredValue: ("redun.StoredValue", encode_stored),
}


def classify(cls: type) -> tuple[str, Encode]:
    """Return a type's name in the store and the function that encodes its instances."""
    known = _BUILT_IN.get(cls) or _known_by_name(cls)
    if known is not None:
        return known
    if issubclass(cls, Value):
        return cls.type_name, objects.encode_value_link
    if issubclass(cls, type):
        return "type", classes.encode_class
    codec = objects.find_codec(cls)
    plain = _plain_plan(cls) if codec is None else objects.plan_codec(codec)
    return (codec and codec.type_name) or dotted_name(cls), _with_proxy(cls, plain)


def _known_by_name(cls: type) -> tuple[str, Encode] | None:
    """Return the codec of a standard library class that is not imported before somebody has an instance of it."""
    known = scalars.ENCODERS_BY_NAME.get(f"{cls.__module__}:{cls.__qualname__}")
    if known is not None and getattr(sys.modules.get(cls.__module__), cls.__qualname__, None) is cls:
        return known
    return None


def _with_proxy(cls: type, plain: Encode) -> Encode:
    """Return the plan in which a type's proxy, where there is one, has its say."""
    proxy = find_proxy(cls)
    try:
        return plain if proxy is None else objects.plan_proxy(proxy, cls, plain)
    except NotFound:
        return plain


def _plain_plan(cls: type) -> Encode:
    try:
        if issubclass(cls, Enum):
            return classes.plan_enum(cls)
        if _has_own_pickling(cls):
            return pickling.encode_pickle
        if hasattr(cls, "__dataclass_fields__") and cls.__new__ is object.__new__:
            return classes.plan_dataclass(cls)
        if classes.is_namedtuple(cls):
            return classes.plan_namedtuple(cls)
    except NotFound:
        # The class cannot be found again by name.  Pickle would not find it either, and says so with the instance.
        pass
    return pickling.encode_pickle


def _has_own_pickling(cls: type) -> bool:
    """Tell whether a class says itself how to copy it, which is more than its fields."""
    return any(_brings(cls, hook) for hook in ("__reduce__", "__reduce_ex__", "__getstate__", "__setstate__"))


def _brings(cls: type, hook: str) -> bool:
    """Tell whether a class or one it derives from defines a hook, the dataclasses module's own versions apart.

    Those are put into frozen dataclasses with slots, and mean no more than their fields.
    """
    for base in cls.__mro__:
        if base is not object and hook in base.__dict__:
            return getattr(base.__dict__[hook], "__module__", "") != "dataclasses"
    return False


plans = Plans(classify)
on_register.append(plans.forget)
