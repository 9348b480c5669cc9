"""The lazy language: what calling a task gives, and what operators on that give.

An expression is immutable but for what the scheduler notes on it (``call_hash``, ``evaluated``, ``upstreams``).
Building one runs nothing.  All have slots: a fan-out holds one for each of its jobs at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Generic, TypeVar

from redun.hashing import Oid
from redun.operators import LazyOperation, get_lazy_operation, iter_operations

Result = TypeVar("Result")

_NO_OPTIONS: Mapping[str, Any] = {}


class Expression(Generic[Result]):
    """Something that the scheduler will turn into a value."""

    __slots__ = ()

    def __bool__(self) -> bool:
        raise TypeError(
            f"{self!r} has no truth value until it is evaluated. Decide inside a task that takes it as an argument."
        )

    def __iter__(self) -> Iterator[Expression[Any]]:
        length = self.known_length()
        if length is None:
            raise TypeError(
                f"{self!r} has no known length until it is evaluated. Iterate inside a task that takes it as an "
                f"argument, or give its task nout=N."
            )
        return iter([self[index] for index in range(length)])

    def known_length(self) -> int | None:
        """Return how many items the value will have, when its task says so."""
        return None

    def __getattr__(self, name: str) -> SimpleExpression:
        # Copying, pickling and inspection probe for special names; those must fail as on any other object.
        if name.startswith("__"):
            raise AttributeError(name)
        return SimpleExpression("getattr", (self, name))

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, slice) and (length := self.known_length()) is not None:
            return [self[index] for index in range(*key.indices(length))]
        return SimpleExpression("getitem", (self, key))

    def __call__(self, *args: Any, **kwargs: Any) -> SimpleExpression:
        return SimpleExpression("call", (self, *args), kwargs)

    __hash__ = object.__hash__


def _infix_method(operation: LazyOperation) -> Callable[[Any, Any], SimpleExpression]:
    name = operation.name

    def method(self: Expression[Any], other: Any) -> SimpleExpression:
        return SimpleExpression(name, (self, other))

    method.__name__ = operation.method
    method.__doc__ = f"Build the unevaluated ``{operation.symbol}`` of two operands."
    return method


for _operation in iter_operations():
    if _operation.symbol:
        setattr(Expression, _operation.method, _infix_method(_operation))


class TaskExpression(Expression[Result]):
    """An unevaluated call of a task."""

    __slots__ = ("args", "call_hash", "export_options", "kwargs", "length", "task_name", "task_options")

    def __init__(
        self,
        task_name: str,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        task_options: dict[str, Any] | None = None,
        export_options: dict[str, Any] | None = None,
        length: int | None = None,
    ) -> None:
        self.task_name = task_name
        self.args = args
        self.kwargs: Mapping[str, Any] = kwargs or _NO_OPTIONS
        self.task_options: Mapping[str, Any] = task_options or _NO_OPTIONS
        self.export_options: Mapping[str, Any] = export_options or _NO_OPTIONS
        self.length = length
        self.call_hash: Oid | None = None

    def known_length(self) -> int | None:
        """Return the ``nout`` of the task."""
        return self.length

    def __reduce__(self) -> tuple[Any, ...]:
        # Within a partial task it is part of a value: what the scheduler noted on it must not enter that one's key.
        options, exports = dict(self.task_options), dict(self.export_options)
        return TaskExpression, (self.task_name, self.args, dict(self.kwargs), options, exports, self.length)

    def __repr__(self) -> str:
        return f"{self.task_name}({_format_arguments(self.args, self.kwargs)})"


class SchedulerExpression(TaskExpression[Result]):
    """An unevaluated call of a scheduler task, such as ``cond`` or ``seq``: it gets its arguments unevaluated."""

    __slots__ = ("evaluated", "upstreams")

    def __init__(
        self,
        task_name: str,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        task_options: dict[str, Any] | None = None,
        export_options: dict[str, Any] | None = None,
        length: int | None = None,
    ) -> None:
        super().__init__(task_name, args, kwargs, task_options, export_options, length)
        self.evaluated: Any = None
        """What the evaluator notes, so that a part that stands in several places is evaluated once."""
        self.upstreams: list[Any] | None = None
        """The parts that the value came from, once the scheduler task has said so; None: all arguments."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (SchedulerExpression, *super().__reduce__()[1:])


class SimpleExpression(Expression[Any]):
    """An unevaluated operation on expressions, such as ``a + b`` or ``a[k]``."""

    __slots__ = ("args", "evaluated", "func_name", "kwargs")

    def __init__(self, func_name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any] | None = None) -> None:
        self.func_name = func_name
        self.args = args
        self.kwargs: Mapping[str, Any] = kwargs or _NO_OPTIONS
        self.evaluated: Any = None  # as on SchedulerExpression

    def __reduce__(self) -> tuple[Any, ...]:
        return SimpleExpression, (self.func_name, self.args, dict(self.kwargs))

    def __repr__(self) -> str:
        operation = get_lazy_operation(self.func_name)
        if self.func_name == "getattr":
            return f"{_shown(self.args[0])}.{self.args[1]}"
        if self.func_name == "getitem":
            return f"{_shown(self.args[0])}[{_shown(self.args[1])}]"
        if self.func_name == "call":
            return f"{_shown(self.args[0])}({_format_arguments(self.args[1:], self.kwargs)})"
        left, right = reversed(self.args) if operation.is_reverse else self.args
        return f"({_shown(left)} {operation.symbol} {_shown(right)})"


class ValueExpression(Expression[Result]):
    """An expression that is its value: what lets the operators work on a plain one."""

    __slots__ = ("value",)

    def __init__(self, value: Result) -> None:
        self.value = value

    def __repr__(self) -> str:
        return f"ValueExpression({self.value!r})"


def _shown(part: Any) -> str:
    # A chain of calls or operators can be 100 000 deep; what is shown of it is not.
    return "..." if isinstance(part, Expression) and _is_deep(part) else repr(part)


def _is_deep(expression: Expression[Any], limit: int = 20) -> bool:
    current: Any = expression
    for _ in range(limit):
        args = getattr(current, "args", ()) if isinstance(current, Expression) else ()
        current = next((arg for arg in args if isinstance(arg, Expression)), None)
        if current is None:
            return False
    return True


def _format_arguments(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> str:
    return ", ".join([*map(_shown, args), *(f"{name}={_shown(value)}" for name, value in kwargs.items())])
