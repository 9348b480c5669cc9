"""Canonical bytes of a syntax tree.  Specified in docs/internals/task-hash.md.

The invariant: two texts that differ only in comments, docstrings, layout, parentheses, quotes or spelling of a literal
have the same bytes, on every Python from 3.10 on; two that differ in anything that runs do not.

`ast.dump` is not used because what it prints changes between Python versions: fields are added (``type_params``), empty
ones are left out or not, and f-strings gain empty constants in their format specifications.
"""

from __future__ import annotations

import ast
from typing import Any

# Where a thing stands, not what it is: loads and stores follow from the place of a node, kinds are the letter u.
_SKIPPED_FIELDS = frozenset({"ctx", "kind", "type_comment", "type_ignores"})
_WITH_DOCSTRING = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
_FIELDS: dict[type[ast.AST], list[tuple[str, bytes]]] = {}


def normalize(tree: ast.AST) -> bytes:
    """Return the canonical bytes of a tree.

    Not recursive: a chain of a thousand operators is a tree a thousand deep.
    """
    out: list[bytes] = []
    # A stack of what is still to be written, last first: bytes are finished output, the rest is to be taken apart.
    # No field of a node is a bytes value but that of a Constant, which is written in one go.
    stack: list[Any] = [tree]
    while stack:
        item = stack.pop()
        if type(item) is bytes:
            out.append(item)
        elif isinstance(item, ast.Constant):
            out.append(b"(Constant " + _constant(item.value) + b")")
        elif isinstance(item, ast.AST):
            _open_node(item, stack, out)
        elif isinstance(item, list):
            out.append(b"[")
            stack.append(b"]")
            stack.extend(reversed(item))
        else:
            out.append(_constant(item))
    return b"".join(out)


def _open_node(node: ast.AST, stack: list[Any], out: list[bytes]) -> None:
    kind = type(node)
    fields = _FIELDS.get(kind)
    if fields is None:
        fields = _FIELDS[kind] = [(name, f" {name}=".encode()) for name in kind._fields if name not in _SKIPPED_FIELDS]
    parts: list[Any] = []
    for name, label in fields:
        value = _field(node, name)
        # An absent field and an empty one are the same: versions of Python differ in which of them they give.
        if value is not None and value != []:
            parts += (label, value)
    out.append(b"(" + kind.__name__.encode())
    stack.append(b")")
    stack.extend(reversed(parts))


def _field(node: ast.AST, name: str) -> Any:
    value = getattr(node, name, None)
    if name == "body" and isinstance(node, _WITH_DOCSTRING):
        return _without_docstring(value)
    if name == "values" and isinstance(node, ast.JoinedStr):
        return _merged_strings(value or [])
    if name == "format_spec" and isinstance(value, ast.JoinedStr) and not _merged_strings(value.values):
        return None
    return value


def _without_docstring(body: Any) -> Any:
    if body and isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant):
        return body[1:] if isinstance(body[0].value.value, str) else body
    return body


def _merged_strings(values: list[ast.expr]) -> list[ast.expr]:
    """Join neighbouring constants of an f-string and drop empty ones: versions of Python split them differently."""
    merged: list[ast.expr] = []
    for value in values:
        if isinstance(value, ast.Constant) and merged and isinstance(merged[-1], ast.Constant):
            merged[-1] = ast.Constant(str(merged[-1].value) + str(value.value))
        elif not (isinstance(value, ast.Constant) and value.value == ""):
            merged.append(value)
    return merged


def _constant(value: Any) -> bytes:
    if type(value) is str:
        # Source may spell lone surrogates.
        text = value.encode("utf-8", "surrogatepass")
        return b"s%d:%b" % (len(text), text)
    if type(value) is bool or value is None or value is Ellipsis:
        return repr(value).encode()
    if type(value) is int:
        return b"i%b;" % hex(value).encode()  # decimal digits are limited to 4300 by default
    if type(value) is float:
        return b"f%b;" % value.hex().encode()
    if type(value) is complex:
        return b"c%b;%b;" % (value.real.hex().encode(), value.imag.hex().encode())
    if type(value) is bytes:
        return b"b%d:%b" % (len(value), value)
    raise TypeError(f"expected a constant of a syntax tree, found {type(value).__name__}")
