"""Which names a piece of source takes from outside itself, with the attributes it reads of them.

``helpers.scale(x) + LIMIT`` in a function of one parameter ``x`` refers to ``helpers.scale`` and ``LIMIT``.  Scoping
follows Python's rules from the syntax tree alone.  Where the tree leaves a doubt (a class body may read a global before
it binds the same name), the name is given: one name too many costs a needless run, one too few a stale result.
"""

from __future__ import annotations

import ast
from typing import Any, NamedTuple, Union

_Function = Union[ast.FunctionDef, ast.AsyncFunctionDef]
_Comprehension = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


class Import(NamedTuple):
    """What an import statement binds a name to, as written."""

    level: int  # leading dots
    module: str
    attr: str  # "" when the name stands for the module itself

    def __str__(self) -> str:
        return "." * self.level + ".".join(part for part in (self.module, self.attr) if part)


class Reference(NamedTuple):
    """A name taken from outside, and the attributes read of it one after another."""

    root: str
    attrs: tuple[str, ...]
    imported: Import | None  # set when the piece itself imports the name, inside a function

    def __str__(self) -> str:
        return ".".join((self.root, *self.attrs))


def find_references(*nodes: ast.AST) -> list[Reference]:
    """Return what statements or expressions that stand at module level take from outside, sorted."""
    outside = _Scope(None, hides=False)
    _Walker().walk(list(nodes), outside)
    found = set(outside.collect())
    return sorted(found, key=lambda ref: (ref.root, ref.attrs, ref.imported is not None, ref.imported or ()))


def imports_of(statement: ast.Import | ast.ImportFrom) -> list[tuple[str, Import]]:
    """Return each name that an import statement binds, with what to; a star import binds ``*``."""
    if isinstance(statement, ast.ImportFrom):
        module = statement.module or ""
        return [(a.asname or a.name, Import(statement.level, module, a.name)) for a in statement.names]
    return [
        (alias.asname, Import(0, alias.name, ""))
        if alias.asname
        else (alias.name.partition(".")[0], Import(0, alias.name.partition(".")[0], ""))
        for alias in statement.names
    ]


class _Scope:
    """Names that one function, lambda or comprehension binds and reads."""

    def __init__(self, parent: _Scope | None, *, hides: bool, is_comprehension: bool = False) -> None:
        self.parent = parent
        self.hides = hides  # a class body, or the module around all, hides none of its names
        # A walrus inside a comprehension binds in the function around it.
        self.walrus: _Scope = parent.walrus if is_comprehension and parent is not None else self
        self.bound: set[str] = set()
        self.declared: set[str] = set()  # global and nonlocal
        self.imports: dict[str, list[Import]] = {}  # several when branches differ
        self.reads: list[tuple[str, tuple[str, ...]]] = []
        self.children: list[_Scope] = []
        if parent is not None:
            parent.children.append(self)

    def collect(self) -> list[Reference]:
        found: list[Reference] = []
        pending = [self]
        while pending:
            scope = pending.pop()
            pending.extend(scope.children)
            for root, attrs in scope.reads:
                found += [Reference(root, attrs, origin) for origin in scope._origins_of(root)]
        return found

    def _origins_of(self, name: str) -> list[Import | None]:
        """Return what a name read here may come from: imports within, or (None) the outside; nothing if it is local."""
        scope: _Scope | None = self
        while scope is not None:
            if name in scope.imports and (scope.hides or scope is self):
                return [*scope.imports[name]]
            if scope.hides and name in scope.bound and name not in scope.declared:
                return []
            scope = scope.parent
        return [None]


class _Walker:
    """Fills scopes from a tree, with a stack of its own: trees of generated code nest deeper than Python calls."""

    def __init__(self) -> None:
        self._pending: list[tuple[Any, _Scope]] = []

    def walk(self, nodes: list[ast.AST], scope: _Scope) -> None:
        self._push(nodes, scope)
        while self._pending:
            node, current = self._pending.pop()
            self._visit(node, current)

    def _push(self, nodes: Any, scope: _Scope) -> None:
        self._pending.extend((node, scope) for node in nodes if node is not None)

    def _visit(self, node: ast.AST, scope: _Scope) -> None:
        if isinstance(node, ast.Name):
            self._name(node, scope)
        elif isinstance(node, ast.Attribute):
            self._attribute(node, scope)
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            self._function(node, scope)
        elif isinstance(node, ast.ClassDef):
            self._class(node, scope)
        elif isinstance(node, _Comprehension):
            self._comprehension(node, scope)
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            for name, imported in imports_of(node):
                scope.imports.setdefault(name, []).append(imported)
        else:
            self._other(node, scope)

    def _name(self, node: ast.Name, scope: _Scope) -> None:
        if isinstance(node.ctx, ast.Load):
            scope.reads.append((node.id, ()))
        else:
            scope.bound.add(node.id)

    def _attribute(self, node: ast.Attribute, scope: _Scope) -> None:
        attrs = [node.attr]
        base = node.value
        while isinstance(base, ast.Attribute):
            attrs.append(base.attr)
            base = base.value
        if isinstance(base, ast.Name):
            scope.reads.append((base.id, tuple(reversed(attrs))))
        else:
            self._push([base], scope)

    def _function(self, node: _Function | ast.Lambda, scope: _Scope) -> None:
        args = node.args
        inner = _Scope(scope, hides=True)
        named = [*args.posonlyargs, *args.args, *args.kwonlyargs]
        named += [arg for arg in (args.vararg, args.kwarg) if arg is not None]
        inner.bound.update(arg.arg for arg in named)
        self._push([*args.defaults, *args.kw_defaults, *(arg.annotation for arg in named)], scope)
        if isinstance(node, ast.Lambda):
            self._push([node.body], inner)
            return
        self._type_parameters(node, scope)
        scope.bound.add(node.name)
        self._push([*node.decorator_list, node.returns], scope)
        self._push(node.body, inner)

    def _class(self, node: ast.ClassDef, scope: _Scope) -> None:
        scope.bound.add(node.name)
        self._type_parameters(node, scope)
        self._push([*node.decorator_list, *node.bases, *node.keywords], scope)
        self._push(node.body, _Scope(scope, hides=False))

    def _type_parameters(self, node: Any, scope: _Scope) -> None:
        # From Python 3.12.  Their names stay unbound here: no global has them, so nothing comes of it.
        for parameter in getattr(node, "type_params", ()):
            self._push(ast.iter_child_nodes(parameter), scope)

    def _comprehension(self, node: Any, scope: _Scope) -> None:
        inner = _Scope(scope, hides=True, is_comprehension=True)
        self._push([node.generators[0].iter], scope)
        self._push([node.generators[0].target, *node.generators[0].ifs, *node.generators[1:]], inner)
        results = (node.key, node.value) if isinstance(node, ast.DictComp) else (node.elt,)
        self._push(results, inner)

    def _other(self, node: ast.AST, scope: _Scope) -> None:
        if isinstance(node, (ast.Global, ast.Nonlocal)):
            scope.declared.update(node.names)
        elif isinstance(node, ast.NamedExpr):
            scope.walrus.bound.add(node.target.id)
            self._push([node.value], scope)
            return
        elif isinstance(node, (ast.ExceptHandler, ast.MatchAs, ast.MatchStar)) and node.name:
            scope.bound.add(node.name)
        elif isinstance(node, ast.MatchMapping) and node.rest:
            scope.bound.add(node.rest)
        self._push(ast.iter_child_nodes(node), scope)
