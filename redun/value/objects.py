"""Values of users' own classes, foreign types spoken for by a ProxyValue, and foreign types with a registered codec.

Normative page: docs/format/value.md.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

from redun.errors import RedunError
from redun.value.encoder import EXTERNAL_KINDS, Encoded, Refused
from redun.value.errors import NoPlainForm
from redun.value.names import NotFound, dotted, find_class, load_module, name_of
from redun.value.pickling import encode_pickle
from redun.value.tags import FOREIGN, LINK, OBJECT, PROXY, SERIALIZED, Payload
from redun.value.value import ProxyValue, Value, overrides, proxies, value_classes

if TYPE_CHECKING:
    from redun.value.decoder import Decoder
    from redun.value.encoder import Encode, Encoder


class Codec(NamedTuple):
    """How instances of a foreign type become plain data and come back.

    What ``encode`` returns is encoded in turn: give a tuple of numbers, texts and bytes.  Large bytes become blobs.
    """

    name: str  # part of the format: never reuse one for another meaning
    encode: Callable[[Any], Any]  # raises NoPlainForm for an instance that must be pickled
    decode: Callable[[Any], Any]  # raises whatever it likes on data that does not fit
    type_name: str = ""  # what nodes say, where versions of a package disagree on the module; else the class's own


_codecs: dict[str, Codec] = {}
_codecs_by_type: dict[str, Codec] = {}
_rooms = {
    "builtins": "redun.value.callables",
    "functools": "redun.value.callables",
    "numpy": "redun.value.arrays",
    "pandas": "redun.value.frames",
    "pyarrow": "redun.value.tables",
    "pyspark": "redun.value.spark_objects",
}
"""Where the codecs stand of packages that redun knows and may not have imported: loaded when a class of theirs is met,
or the name of a codec, which begins alike."""
_rooms_lock = threading.RLock()
# A fork waits until no other thread has it: in the child nobody would release it.
os.register_at_fork(before=_rooms_lock.acquire, after_in_parent=_rooms_lock.release, after_in_child=_rooms_lock.release)


def add_codec(cls: type | str, codec: Codec) -> None:
    """Register a codec for exactly one type, given as such or as ``module:qualname`` if it may not be imported yet."""
    _codecs[codec.name] = codec
    _codecs_by_type[cls if isinstance(cls, str) else _key_of(cls)] = codec


def find_codec(cls: type) -> Codec | None:
    """Return the codec of a type: the one registered for it, else the one that redun brings."""
    key = _key_of(cls)
    if key not in _codecs_by_type and cls.__module__.partition(".")[0] in sys.modules:
        _enter_room(cls.__module__)
    return _codecs_by_type.get(key)


def _key_of(cls: type) -> str:
    return f"{cls.__module__}:{cls.__qualname__}"


def _enter_room(name: str) -> None:
    """Take over the codecs of the package that a name begins with, once; those that users registered stay."""
    package = name.partition(".")[0]
    if package not in _rooms:
        return
    # Held until all are registered: a type that another thread finds without its codec would be pickled for good.
    with _rooms_lock:
        if package not in _rooms:
            return
        load_module(package)
        for cls, codec in load_module(_rooms[package]).list_codecs():
            _codecs.setdefault(codec.name, codec)
            _codecs_by_type.setdefault(cls if isinstance(cls, str) else _key_of(cls), codec)
        del _rooms[package]


def encode_value_link(encoder: Encoder, value: Value, depth: int) -> Payload:
    """Return the payload of a Value within another value: a link."""
    return [LINK, encoder.add_node(encode_object(encoder, value, depth + 1))]


def encode_object(parent: Encoder, value: Value, depth: int) -> Encoded:
    """Return the node of a Value: of its own kind if it says so, else made of its bytes or of its state."""
    made = ask(value, value.encode_node)
    if made is not None:
        kind, oid, data = made
        externals = (oid,) if kind in EXTERNAL_KINDS else ()
        cls = type(value)
        # A handle's or file's methods are code as any object's are; redun's own classes change with its version only.
        classes = () if cls.__module__.startswith("redun.") else (cls,)
        return Encoded(oid, int(kind), data, tuple(value.iter_node_parts()), externals, classes)
    cls = type(value)
    encoder = parent.child()
    encoder.classes[cls] = None
    own_hash = ask(value, value.get_hash) if overrides(cls, "get_hash") else None
    if overrides(cls, "serialize"):
        payload = [SERIALIZED, cls.type_name, encoder.bytes_payload(ask(value, value.serialize)), own_hash]
    else:
        payload = [OBJECT, cls.type_name, encoder.payload(ask(value, value.__getstate__), depth), own_hash]
    return encoder.finish(cls.type_name, payload)


def ask(value: Any, hook: Callable[..., Any], *arguments: Any) -> Any:
    """Return what a hook of a value's class returns.

    Raises:
        Refused: the hook raised; it is the user's code and may raise anything.
    """
    try:
        return hook(*arguments)
    except RedunError:
        raise
    except Exception as error:
        raise Refused(value, f"{type(error).__name__}: {error}") from error


def _decode_object(decoder: Decoder, payload: list[Payload]) -> Any:
    _, type_name, state, _own_hash = payload
    cls = find_value_class(type_name)
    made = object.__new__(cls)
    made.__setstate__(decoder.value(state))
    return made


def _decode_serialized(decoder: Decoder, payload: list[Payload]) -> Any:
    _, type_name, content, _own_hash = payload
    cls = find_value_class(type_name)
    return cls.deserialize(cls, decoder.bytes_in(content))


def find_value_class(type_name: str) -> type[Value]:
    """Return the Value class of a type name, importing the module that the name begins with when needed.

    Raises:
        NotFound: there is no such class.
    """
    _import_until(type_name, lambda: type_name in value_classes)
    if type_name not in value_classes:
        raise NotFound(f"no class of Value is registered as {type_name}")
    return value_classes[type_name]


def _import_until(type_name: str, is_known: Callable[[], bool]) -> None:
    """Import the modules that a type name may begin with, longest first, until a class of that name is registered."""
    module = type_name
    while not is_known() and "." in module:
        module = module.rpartition(".")[0]
        if module not in sys.modules and _is_importable(module):
            load_module(module)
        if module in sys.modules and not is_known():
            # A package may load what it is asked for only then, as this one does: nobody has asked for the class yet.
            with suppress(Exception):
                getattr(sys.modules[module], type_name[len(module) + 1 :].partition(".")[0])


def _is_importable(module: str) -> bool:
    from importlib.util import find_spec

    try:
        return find_spec(module) is not None
    except Exception:
        return False  # looking for a module imports the packages around it, which may raise anything


def plan_proxy(proxy: type[ProxyValue], cls: type, plain: Encode) -> Encode:
    """Return the function that encodes instances of a foreign class with a proxy.

    Raises:
        NotFound: the class could not be found again.
    """
    has_bytes, has_hash = overrides(proxy, "serialize"), overrides(proxy, "get_hash")
    if not has_bytes and not has_hash:
        return plain
    head = [PROXY, proxy.type_name, name_of(cls)]

    def encode(encoder: Encoder, value: Any, depth: int) -> Payload:
        encoder.classes[cls] = None
        wrapped = proxy(value)
        own_hash = ask(value, wrapped.get_hash) if has_hash else None
        if has_bytes:
            return [*head, encoder.bytes_payload(ask(value, wrapped.serialize)), own_hash, None]
        return [*head, None, own_hash, plain(encoder, value, depth + 1)]

    return encode


def _decode_proxied(decoder: Decoder, payload: list[Payload]) -> Any:
    _, proxy_name, name, content, _own_hash, plain = payload
    cls = find_class(name)
    _import_until(proxy_name, lambda: _find_proxy_class(proxy_name) is not None)
    proxy = _find_proxy_class(proxy_name)
    if proxy is None:
        raise NotFound(f"no ProxyValue is registered as {proxy_name}, which a {dotted(name)} is stored by")
    if content is None:
        return decoder.value(plain)
    made = proxy.deserialize(cls, decoder.bytes_in(content))
    return made.instance if isinstance(made, ProxyValue) else made


def _find_proxy_class(proxy_name: str) -> type[ProxyValue] | None:
    return next((proxy for proxy in proxies.values() if proxy.type_name == proxy_name), None)


def plan_codec(codec: Codec) -> Encode:
    """Return the function that encodes instances of a foreign class with a codec."""

    def encode(encoder: Encoder, value: Any, depth: int) -> Payload:
        try:
            state = ask(value, codec.encode, value)
        except NoPlainForm:
            return encode_pickle(encoder, value, depth)
        encoder.classes[type(value)] = None
        return [FOREIGN, codec.name, encoder.payload(state, depth + 1)]

    return encode


def _decode_foreign(decoder: Decoder, payload: list[Payload]) -> Any:
    _, name, state = payload
    if name not in _codecs:
        _enter_room(name)
    if name not in _codecs:
        raise NotFound(f"no codec is registered as {name}")
    return _codecs[name].decode(decoder.value(state))


DECODERS: dict[int, Callable[[Decoder, list[Payload]], Any]] = {
    OBJECT: _decode_object,
    SERIALIZED: _decode_serialized,
    PROXY: _decode_proxied,
    FOREIGN: _decode_foreign,
}
