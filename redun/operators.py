"""The operators that work on unevaluated expressions, by name: the name stands in stored expressions.

Importing this gives no expression any method; ``expression.py`` does, and its ``lazy_operation`` registers further
operations of users.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any, NamedTuple

from redun.errors import RedunError


class UnknownOperation(RedunError):
    """An expression names an operation that nothing has registered."""

    hint = "import the module that registers it with lazy_operation before the run"

    def __init__(self, name: str) -> None:
        super().__init__(f"no operation is called {name!r}")
        self.name = name

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.name,)


class LazyOperation(NamedTuple):
    """One operator: how it is called in stored expressions, how it is shown, what it does."""

    name: str
    method: str  # the special method that builds it
    symbol: str  # what stands between the operands when shown; "" when it is no infix operator
    func: Callable[..., Any]
    is_reverse: bool = False


def _and(left: Any, right: Any) -> Any:
    return left and right


def _or(left: Any, right: Any) -> Any:
    return left or right


def _call(func: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    return func(*args, **kwargs)


_INFIX: list[tuple[str, str, Callable[..., Any]]] = [
    ("eq", "==", operator.eq),
    ("ne", "!=", operator.ne),
    ("lt", "<", operator.lt),
    ("le", "<=", operator.le),
    ("gt", ">", operator.gt),
    ("ge", ">=", operator.ge),
    ("add", "+", operator.add),
    ("sub", "-", operator.sub),
    ("mul", "*", operator.mul),
    ("truediv", "/", operator.truediv),
    ("and", "&", _and),
    ("or", "|", _or),
]
_REFLECTED = ("add", "sub", "mul", "truediv", "and", "or")

_operations: dict[str, LazyOperation] = {}


def register_operation(operation: LazyOperation) -> None:
    """Register an operation under its name; a later one of the same name takes its place."""
    _operations[operation.name] = operation


def find_operation(name: str) -> LazyOperation | None:
    """Return the operation of a name; None when there is none."""
    return _operations.get(name)


def get_operation(name: str) -> LazyOperation:
    """Return the operation of a name.

    Raises:
        UnknownOperation: nothing is registered under it.
    """
    try:
        return _operations[name]
    except KeyError:
        raise UnknownOperation(name) from None


def iter_operations() -> list[LazyOperation]:
    """Return every registered operation."""
    return list(_operations.values())


for _name, _symbol, _func in _INFIX:
    register_operation(LazyOperation(_name, f"__{_name}__", _symbol, _func))
for _name in _REFLECTED:
    _plain = _operations[_name]
    register_operation(
        LazyOperation(f"r{_name}", f"__r{_name}__", _plain.symbol, lambda a, b, f=_plain.func: f(b, a), is_reverse=True)
    )
register_operation(LazyOperation("getattr", "__getattr__", "", getattr))
register_operation(LazyOperation("getitem", "__getitem__", "", operator.getitem))
register_operation(LazyOperation("call", "__call__", "", _call))

BUILT_IN = frozenset(_operations)
"""The operations whose meaning redun's version tells; what any other one computes is known to nobody's hash."""
