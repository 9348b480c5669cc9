"""Instances of users' dataclasses, named tuples and enums, and classes and functions themselves, by name.

Classes are named ``module:qualname`` and must be found again under that name.  What a class looked like is written with
each instance (field names), so that an instance of an older version of the class is refused, not misread.
Normative page: docs/format/value.md.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum, Flag
from functools import cached_property
from operator import attrgetter
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import TYPE_CHECKING, Any

from redun.value.encoder import Refused
from redun.value.names import NotFound, find_class, find_named, name_of
from redun.value.pickling import encode_pickle
from redun.value.tags import ABSENT, CLASS, DATACLASS, ENUM, FUNCTION, NAMEDTUPLE, TUPLE, Payload

if TYPE_CHECKING:
    from redun.value.decoder import Decoder
    from redun.value.encoder import Encode, Encoder

CodeDigest = Callable[[Any], "bytes | None"]
"""Gives the digest of the source of a project's class or function, None for what is not the project's own."""

_NOT_STATE = frozenset({"__orig_class__", "__dict__", "__weakref__"})
_MISSING = object()


class _CodeDigests:
    """Where the task layer plugs in what it knows about source; the value layer knows nothing of it."""

    digest_of: CodeDigest = staticmethod(lambda _thing: None)


def set_code_digest(digest_of: CodeDigest) -> CodeDigest:
    """Make the source of a class or function part of its identity when it is passed as a value.

    Returns what was set before.
    """
    before = _CodeDigests.digest_of
    _CodeDigests.digest_of = staticmethod(digest_of)
    return before


def code_digest(thing: Any) -> bytes | None:
    """Return the digest of the source of a project's class or function, None for everything else."""
    return _CodeDigests.digest_of(thing)


def plan_dataclass(cls: type) -> Encode:
    """Return the function that encodes instances of a dataclass.

    Raises:
        NotFound: the class could not be found again.
    """
    head = [DATACLASS, name_of(cls)]
    names = field_names(cls)
    names_payload = [TUPLE, *names]
    read_fields = _field_reader(names)
    known = frozenset(names)
    slots = [name for name in _slots(cls) if name not in known]

    def encode(encoder: Encoder, value: Any, depth: int) -> Payload:
        encoder.classes[cls] = None
        attributes = getattr(value, "__dict__", None)
        try:
            members = read_fields(value)
        except AttributeError:
            return [*head, names_payload, *_with_gaps(encoder, value, names, depth), *further(encoder, value, depth)]
        made = [*head, names_payload, *encoder.payloads(members, depth)]
        if slots or (attributes and not attributes.keys() <= known):
            made += further(encoder, value, depth)
        return made

    def further(encoder: Encoder, value: Any, depth: int) -> list[Payload]:
        extra = {name: getattr(value, name) for name in slots if hasattr(value, name)}
        extra.update(getattr(value, "__dict__", ()))
        flat: list[Any] = []
        for name in sorted(extra):
            if name not in known and name not in _NOT_STATE and not _is_cached(cls, name):
                flat += (name, extra[name])
        return list(encoder.payloads(flat, depth))

    return encode


def _field_reader(names: tuple[str, ...]) -> Callable[[Any], tuple[Any, ...]]:
    if len(names) > 1:
        return attrgetter(*names)

    def read(value: Any) -> tuple[Any, ...]:
        return tuple(getattr(value, name) for name in names)

    return read


def field_names(cls: type) -> tuple[str, ...]:
    """Return the names of a dataclass's fields, without class variables and init-only parameters."""
    import dataclasses

    return tuple(field.name for field in dataclasses.fields(cls))


def _slots(cls: type) -> list[str]:
    names: list[str] = []
    for base in cls.__mro__:
        slots = base.__dict__.get("__slots__", ())
        names += (slots,) if isinstance(slots, str) else slots
    return [name for name in names if name not in _NOT_STATE]


def _is_cached(cls: type, name: str) -> bool:
    return any(isinstance(base.__dict__.get(name), cached_property) for base in cls.__mro__)


def _with_gaps(encoder: Encoder, value: Any, names: tuple[str, ...], depth: int) -> list[Payload]:
    """Return the payloads of fields, some of which were never set (``init=False`` without a default)."""
    members = [getattr(value, name, _MISSING) for name in names]
    made = iter(encoder.payloads([member for member in members if member is not _MISSING], depth))
    return [[ABSENT] if member is _MISSING else next(made) for member in members]


def _decode_dataclass(decoder: Decoder, payload: list[Payload]) -> Any:
    _, name, names_payload, *rest = payload
    cls = find_class(name)
    names = decoder.value(names_payload)
    if not hasattr(cls, "__dataclass_fields__"):
        raise NotFound(f"{name} is not a dataclass any more")
    if names != field_names(cls):
        raise NotFound(f"{name} had the fields {names} and now has {field_names(cls)}")
    further = rest[len(names) :]
    if len(rest) < len(names) or len(further) % 2:
        raise ValueError("fields and their values do not match")
    made: Any = object.__new__(cls)
    for attribute, member in zip((*names, *further[::2]), (*rest[: len(names)], *further[1::2])):
        if member != [ABSENT]:
            object.__setattr__(made, attribute, decoder.value(member))
    return made


def plan_namedtuple(cls: Any) -> Encode:
    """Return the function that encodes instances of a named tuple.  Raises NotFound as ``plan_dataclass``."""
    head = [NAMEDTUPLE, name_of(cls), [TUPLE, *cls._fields]]

    def encode(encoder: Encoder, value: Any, depth: int) -> Payload:
        if getattr(value, "__dict__", None):
            return encode_pickle(encoder, value, depth)
        encoder.classes[cls] = None
        return [*head, *encoder.payloads(value, depth)]

    return encode


def _decode_namedtuple(decoder: Decoder, payload: list[Payload]) -> Any:
    _, name, names_payload, *members = payload
    cls: Any = find_class(name)
    names = decoder.value(names_payload)
    if not is_namedtuple(cls):
        raise NotFound(f"{name} is not a named tuple any more")
    if names != cls._fields:
        raise NotFound(f"{name} had the fields {names} and now has {cls._fields}")
    if len(members) != len(names):
        raise ValueError("fields and their values do not match")
    return tuple.__new__(cls, decoder.members(members, 0))


def is_namedtuple(cls: type) -> bool:
    """Tell whether a class is a named tuple, or derives from one."""
    fields = getattr(cls, "_fields", None)
    return issubclass(cls, tuple) and isinstance(fields, tuple) and all(type(name) is str for name in fields)


def plan_enum(cls: Any) -> Encode:
    """Return the function that encodes members of an enum.  Raises NotFound as ``plan_dataclass``."""
    head = [ENUM, name_of(cls)]

    def encode(encoder: Encoder, value: Any, depth: int) -> Payload:
        encoder.classes[cls] = None
        if value._name_ in cls.__members__:
            return [*head, value._name_]
        # Python 3.11 names a combination of flags and 3.10 does not; the members in it have names in both.
        names, rest = _split_flag(cls, value._value_)
        return [*head, *names, *([encoder.payload(rest, depth + 1)] if rest else [])]

    return encode


def _split_flag(cls: Any, bits: int) -> tuple[list[str], int]:
    """Return the names of the single-bit members in a combination, in order of definition, and the bits left over."""
    names = []
    for name, member in cls.__members__.items():
        bit = member._value_
        if member._name_ == name and bit > 0 and bit & (bit - 1) == 0 and bits & bit:
            names.append(name)
            bits &= ~bit
    return names, bits


def _decode_enum(decoder: Decoder, payload: list[Payload]) -> Any:
    _, name, *names = payload
    cls: Any = find_class(name)
    if not issubclass(cls, Enum):
        raise NotFound(f"{name} is not an enum any more")
    if len(names) == 1 and type(names[0]) is str:
        return _member(cls, name, names[0])
    if not issubclass(cls, Flag):
        raise NotFound(f"{name} is not a flag any more")
    bits = 0
    for part in names:
        bits |= _member(cls, name, part)._value_ if type(part) is str else decoder.value(part)
    return cls(bits)


def _member(cls: Any, name: str, member: str) -> Any:
    try:
        return cls.__members__[member]
    except KeyError:
        raise NotFound(f"{name} has no member {member} any more") from None


def encode_class(encoder: Encoder, value: type, depth: int) -> Payload:
    """Encode a class itself, by name."""
    try:
        return [CLASS, name_of(value), _CodeDigests.digest_of(value)]
    except NotFound as error:
        # The classes of None and Ellipsis have no names of their own, but pickle knows them.
        if value.__module__ == "builtins":
            return encode_pickle(encoder, value, depth)
        raise Refused(value, str(error)) from None


def _encode_function(_encoder: Encoder, value: Any, _depth: int) -> Payload:
    try:
        return [FUNCTION, name_of(value), _CodeDigests.digest_of(value)]
    except NotFound as error:
        raise Refused(value, str(error)) from None


def _encode_builtin(encoder: Encoder, value: Any, depth: int) -> Payload:
    """Encode a function written in C; one bound to an object is left to pickle."""
    if isinstance(value.__self__, ModuleType):
        return _encode_function(encoder, value, depth)
    return encode_pickle(encoder, value, depth)


def _decode_class(_decoder: Decoder, payload: list[Payload]) -> Any:
    _, name, digest = payload
    return _checked(find_class(name), name, digest)


def _decode_function(_decoder: Decoder, payload: list[Payload]) -> Any:
    _, name, digest = payload
    found = find_named(name)
    if not isinstance(found, (FunctionType, BuiltinFunctionType)):
        raise NotFound(f"{name} is not a function any more")
    return _checked(found, name, digest)


def _checked(found: Any, name: str, digest: bytes | None) -> Any:
    if _CodeDigests.digest_of(found) != digest:
        raise NotFound(f"the code of {name} has changed")
    return found


ENCODERS: dict[type, tuple[str, Encode]] = {
    FunctionType: ("function", _encode_function),
    BuiltinFunctionType: ("function", _encode_builtin),
}

DECODERS: dict[int, Callable[[Decoder, list[Payload]], Any]] = {
    DATACLASS: _decode_dataclass,
    NAMEDTUPLE: _decode_namedtuple,
    ENUM: _decode_enum,
    CLASS: _decode_class,
    FUNCTION: _decode_function,
}
