"""Digests of code objects: for functions without source, and to tell whether a text is what a function was made of.

Unstable across Python versions, since bytecode is.  Line numbers and file names take no part.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import CodeType
from typing import Any

from redun.hashing import hash_blob


def digest_code(code: CodeType) -> bytes:
    """Return 32 bytes that two code objects share when they do the same in the same way."""
    counts = (code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, code.co_flags)
    names = (code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars)
    handlers: bytes = getattr(code, "co_exceptiontable", b"")
    head = repr((code.co_name, counts, names, handlers)).encode()
    return hash_blob(head + code.co_code + b"".join(map(_digest_constant, code.co_consts)))


def iter_codes(code: CodeType) -> Iterator[CodeType]:
    """Yield a code object and all those nested in it."""
    pending = [code]
    while pending:
        current = pending.pop()
        yield current
        pending.extend(constant for constant in current.co_consts if isinstance(constant, CodeType))


def _digest_constant(constant: Any) -> bytes:
    if isinstance(constant, CodeType):
        return digest_code(constant)
    if isinstance(constant, tuple):
        return hash_blob(b"tuple" + b"".join(map(_digest_constant, constant)))
    if isinstance(constant, frozenset):
        # The order of a set's repr depends on the hash seed.
        return hash_blob(b"frozenset" + b"".join(sorted(map(_digest_constant, constant))))
    return hash_blob(f"{type(constant).__name__} {constant!r}".encode("utf-8", "surrogatepass"))
