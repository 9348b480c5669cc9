"""Hashes of a call's arguments, for those who ask outside of a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from redun.hashing import Oid, hash_blob
from redun.objects.call_records import encode_eval
from redun.task.binding import Binder
from redun.task.task import Task
from redun.value.encoding import encode_value


def hash_args(names: Sequence[str | int], values: Sequence[Oid]) -> Oid:
    """Return the hash of arguments: each has a name, or an index, and the oid of a value."""
    return hash_blob(b"".join(repr(name).encode() + b"\n" + oid for name, oid in zip(names, values)))


def hash_args_eval(
    type_registry: Any, task: Task[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]
) -> tuple[str, str]:
    """Return eval hash and args hash of a call whose arguments are values, as hex digits.

    The eval hash is that of a call without a context and of objects without code of their own.

    Args:
        type_registry: not looked at; values are known by their types.
        task: what is called.
        args: its arguments by position.
        kwargs: its arguments by name.

    Raises:
        TaskArgumentError: the signature does not take them.
        ValueNotEncodable: one of them cannot be stored.
    """
    del type_registry
    names, oids = _hashed(task.binder, args, kwargs)
    return encode_eval(task.oid, oids, names)[0].hex(), hash_args(names, oids).hex()


def args_hash_of(binder: Binder, args: Sequence[Any], kwargs: Mapping[str, Any]) -> str:
    """Return the args hash of a call whose arguments are values, as hex digits; raises as ``hash_args_eval`` does."""
    return hash_args(*_hashed(binder, args, kwargs)).hex()


def _hashed(binder: Binder, args: Sequence[Any], kwargs: Mapping[str, Any]) -> tuple[list[str | int], list[Oid]]:
    pairs = binder.bind(args, kwargs).hashed()
    return [name for name, _ in pairs], [encode_value(value).oid for _, value in pairs]
