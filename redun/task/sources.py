"""Syntax trees of the modules that functions and classes come from.

A file is read and parsed once per process and state (modification time, size).  A function is found by its name and
the line that it begins on; lambdas of one line by what they compile to.  The columns of their code would tell more, but
Python 3.10 has none and 3.12 some, and one text would have several hashes.

The invariant: a text stands for a function only if it is what the function was made of.  A file may be edited while a
run goes on, and hashing the new text for the old code would file the old code's results under the new one.  So a
function is compared with what its file compiles to now, which costs about as much as parsing did.
"""

from __future__ import annotations

import ast
import linecache
import os
import warnings
from collections.abc import Iterator
from copy import copy
from importlib.machinery import SourceFileLoader
from importlib.util import decode_source
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any, NamedTuple, Union

from redun.task.bytecode import digest_code, iter_codes
from redun.task.names import Import, Reference, find_references, imports_of
from redun.task.normalize import normalize

Definition = Union[ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef]
_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


class Facts(NamedTuple):
    """What hashing needs to know of a piece of source."""

    canonical: bytes
    references: list[Reference]


class ModuleText:
    """One state of one file, indexed."""

    def __init__(self, path: str, text: str) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # whoever imports the module is told
            self.tree = ast.parse(text, path)
        self.path = path
        self.text = text
        self.imports: dict[str, list[Import]] = {}
        self.statements: dict[str, list[ast.stmt]] = {}
        """The module-level statements that bind a name, or change what it is bound to."""
        self.bound: set[str] = set()
        """The names that module-level statements other than imports bind."""
        self._lines = [
            line + "\n" for line in text.split("\n")
        ]  # as the parser counts them; splitlines knows more ends
        self._functions: dict[tuple[str, int], list[Definition]] = {}
        self._classes: dict[str, list[Definition]] = {}
        self._codes: dict[tuple[str, int], list[CodeType]] | None = None
        self._lambdas: dict[ast.AST, set[bytes]] = {}
        self._facts: dict[tuple[ast.AST, ...], Facts] = {}
        self._variants: dict[tuple[Any, ...], Definition] = {}
        self._index_definitions()
        self._index_module_level()

    def find_functions(self, code: CodeType) -> list[Definition]:
        """Return the definition of a function's code, nothing when it is not there; several lambdas if in doubt."""
        found = self._functions.get((code.co_name, code.co_firstlineno), [])
        return found if len(found) < 2 else self._tell_apart(found, code)

    def find_classes(self, qualname: str) -> list[Definition]:
        """Return the definitions of a class: more than one when branches define it differently."""
        return self._classes.get(qualname, [])

    def find_changes(self, name: str) -> list[ast.stmt]:
        """Return the statements beside its definition that bind a name anew, or change what it is bound to."""
        return [one for one in self.statements.get(name, []) if not isinstance(one, _DEFINITIONS)]

    def is_origin_of(self, code: CodeType) -> bool:
        """Tell whether this text compiles to a function's code, so that the one stands for the other."""
        if self._codes is None:
            self._codes = self._compile()
        candidates = self._codes.get((code.co_name, code.co_firstlineno), [])
        return any(one == code or digest_code(one) == digest_code(code) for one in candidates)

    def facts(self, *nodes: ast.AST) -> Facts:
        """Return canonical bytes and references of nodes of this text, worked out once."""
        known = self._facts.get(nodes)
        if known is None:
            known = Facts(b"".join(map(normalize, nodes)), find_references(*nodes))
            self._facts[nodes] = known
        return known

    def variant(self, node: Definition, dropped: tuple[int, ...], *, with_defaults: bool) -> Definition:
        """Return a function's definition without some of its decorators, and without its defaults when asked."""
        if isinstance(node, ast.ClassDef) or (with_defaults and not dropped):
            return node
        key = (node, dropped, with_defaults)
        if key not in self._variants:
            made = copy(node)
            if not isinstance(made, ast.Lambda):
                made.decorator_list = [one for i, one in enumerate(made.decorator_list) if i not in dropped]
            if not with_defaults:
                made.args = copy(node.args)
                made.args.defaults = []
                made.args.kw_defaults = []
            self._variants[key] = made
        return self._variants[key]

    def every_import(self) -> list[Import]:
        """Return what all import statements name, those inside functions too."""
        found = [node for node in ast.walk(self.tree) if isinstance(node, (ast.Import, ast.ImportFrom))]
        return [imported for node in found for _, imported in imports_of(node)]

    def text_of(self, *nodes: ast.AST) -> str:
        """Return the lines that nodes stand on, decorators included."""
        return "".join("".join(self._lines[first_line(node) - 1 : getattr(node, "end_lineno", 0)]) for node in nodes)

    def _tell_apart(self, lambdas: list[Definition], code: CodeType) -> list[Definition]:
        """Return those of some lambdas that compile to a code; all of them when none does."""
        wanted = digest_code(code)
        return [node for node in lambdas if wanted in self._digests_of(node)] or lambdas

    def _digests_of(self, node: Definition) -> set[bytes]:
        """Return the digests of a lambda's code: several where the compiler repeats it, as it does with finally."""
        if node not in self._lambdas:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                tree = ast.parse(self.text, self.path)
                _move_down(tree, self._number_of(node), len(self._lines))
                module = compile(tree, self.path, "exec", dont_inherit=True)
            self._lambdas[node] = {digest_code(code) for code in _outermost_below(module, len(self._lines))}
        return self._lambdas[node]

    def _number_of(self, node: Definition) -> int:
        return next(number for number, one in enumerate(_lambdas_in(self.tree)) if one is node)

    def _compile(self) -> dict[tuple[str, int], list[CodeType]]:
        index: dict[tuple[str, int], list[CodeType]] = {}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            module = compile(self.tree, self.path, "exec", dont_inherit=True)
        for code in iter_codes(module):
            index.setdefault((code.co_name, code.co_firstlineno), []).append(code)
        return index

    def _index_definitions(self) -> None:
        pending: list[tuple[ast.AST, str]] = [(self.tree, "")]
        while pending:
            node, prefix = pending.pop()
            for child in ast.iter_child_nodes(node):
                inner = prefix
                if isinstance(child, ast.Lambda):
                    self._functions.setdefault(("<lambda>", child.lineno), []).append(child)
                elif isinstance(child, ast.ClassDef):
                    self._classes.setdefault(prefix + child.name, []).append(child)
                    inner = f"{prefix}{child.name}."
                elif isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef)):
                    self._functions.setdefault((child.name, first_line(child)), []).append(child)
                    inner = f"{prefix}{child.name}.<locals>."
                pending.append((child, inner))
        for found in self._functions.values():
            found.sort(key=_start)

    def _index_module_level(self) -> None:
        pending: list[ast.stmt] = list(reversed(self.tree.body))
        while pending:
            statement = pending.pop()
            if isinstance(statement, (ast.Import, ast.ImportFrom)):
                for name, imported in imports_of(statement):
                    self.imports.setdefault(name, []).append(imported)
            pending.extend(reversed(_inner_statements(statement)))
            for target in _targets_of(statement):
                name = _base_name(target)
                if name and statement not in self.statements.setdefault(name, []):
                    self.statements[name].append(statement)
                if isinstance(target, ast.Name):
                    self.bound.add(name)


def _lambdas_in(tree: ast.Module) -> list[ast.Lambda]:
    return [node for node in ast.walk(tree) if isinstance(node, ast.Lambda)]


def _move_down(tree: ast.Module, number: int, n_lines: int) -> None:
    """Move a lambda below all else, so that its code is known by its line.

    Its body moves with it: a compiler that saw the two on lines further apart would make other code of them.  Its
    defaults stay, since their code is not its.
    """
    moved = _lambdas_in(tree)[number]
    for node in (moved, *ast.walk(moved.body)):
        if isinstance(node, ast.expr):
            node.lineno += n_lines
            node.end_lineno = (node.end_lineno or 0) + n_lines


def _outermost_below(code: CodeType, line: int) -> Iterator[CodeType]:
    """Yield the code objects that begin below a line, but none that are within another one of them."""
    pending = [code]
    while pending:
        for constant in pending.pop().co_consts:
            if isinstance(constant, CodeType):
                if constant.co_firstlineno > line:
                    yield constant
                else:
                    pending.append(constant)


def _start(node: Definition) -> tuple[int, int]:
    return node.lineno, node.col_offset


def first_line(node: ast.AST) -> int:
    """Return the line that a definition begins on, from 1; that of its first decorator when it has any."""
    own: int = getattr(node, "lineno", 1)
    decorators: list[ast.expr] = getattr(node, "decorator_list", [])
    return min([own, *(decorator.lineno for decorator in decorators)])


def text_of_function(func: FunctionType) -> ModuleText | None:
    """Return the text that a function was made of; None when there is none, or when it has been edited since."""
    code = func.__code__
    module = get_text(code.co_filename, func.__globals__)
    if module is None or not module.find_functions(code):
        return None
    if _is_rewritten(func.__globals__) or module.is_origin_of(code):
        return module
    return None


def get_text(path: str, namespace: dict[str, Any]) -> ModuleText | None:
    """Return the text of a file as it is now.

    Args:
        path: as a code object or ``__file__`` has it.
        namespace: globals of the module, for what lies in an archive or was typed into a notebook.
    """
    try:
        status = os.stat(path)  # noqa: PTH116  (asked for every function of every task)
    except (OSError, ValueError):
        return _get_unfiled_text(path, namespace)
    state = (status.st_mtime_ns, status.st_size, status.st_ino)
    known = _texts.get(path)
    if known is None or known[0] != state:
        known = _texts[path] = (state, _read(path))
    return known[1]


_texts: dict[str, tuple[tuple[int, ...], ModuleText | None]] = {}


def _read(path: str) -> ModuleText | None:
    try:
        return ModuleText(path, decode_source(Path(path).read_bytes()))
    except (OSError, SyntaxError, ValueError, RecursionError):
        return None


def _get_unfiled_text(path: str, namespace: dict[str, Any]) -> ModuleText | None:
    lines = linecache.getlines(path, namespace)
    if not lines:
        return None
    text = "".join(lines)
    state = (hash(text), len(text))
    known = _texts.get(path)
    if known is None or known[0] != state:
        try:
            known = (state, ModuleText(path, text))
        except (SyntaxError, ValueError, RecursionError):
            known = (state, None)
        _texts[path] = known
    return known[1]


def _is_rewritten(namespace: dict[str, Any]) -> bool:
    """Tell whether a loader of its own kind changes what it compiles, as pytest's does with assertions."""
    loader = namespace.get("__loader__")
    return loader is not None and type(loader) is not SourceFileLoader and "__file__" in namespace


def _inner_statements(statement: ast.stmt) -> list[ast.stmt]:
    """Return the statements that run at module level inside a block."""
    if isinstance(statement, _DEFINITIONS):
        return []
    inner: list[ast.stmt] = []
    for child in ast.iter_child_nodes(statement):
        if isinstance(child, ast.stmt):
            inner.append(child)
        elif isinstance(child, (ast.ExceptHandler, ast.match_case)):
            inner.extend(child.body)
    return inner


def _targets_of(statement: ast.stmt) -> list[ast.expr]:
    """Return what a statement binds (a name), or changes (``TABLE[k] = v``, ``parser.add(...)``)."""
    targets: list[ast.expr] = []
    if isinstance(statement, _DEFINITIONS):
        targets.append(ast.Name(statement.name))
    elif isinstance(statement, (ast.Assign, ast.Delete)):
        targets.extend(statement.targets)
    elif isinstance(statement, (ast.AugAssign, ast.AnnAssign, ast.For, ast.AsyncFor)):
        targets.append(statement.target)
    elif isinstance(statement, (ast.With, ast.AsyncWith)):
        targets.extend(item.optional_vars for item in statement.items if item.optional_vars is not None)
    elif isinstance(statement, ast.Expr) and isinstance(call := statement.value, ast.Call):
        targets += [call.func] if isinstance(call.func, ast.Attribute) else []
    return _unpacked(targets)


def _unpacked(targets: list[ast.expr]) -> list[ast.expr]:
    flat: list[ast.expr] = []
    pending = list(reversed(targets))
    while pending:
        target = pending.pop()
        if isinstance(target, (ast.Tuple, ast.List)):
            pending.extend(reversed(target.elts))
        else:
            flat.append(target.value if isinstance(target, ast.Starred) else target)
    return flat


def _base_name(node: ast.AST) -> str:
    while isinstance(node, (ast.Attribute, ast.Subscript)):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""
