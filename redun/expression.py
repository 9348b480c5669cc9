"""The lazy language: what calling a task gives, and what operators on that give.

An expression is immutable but for what the scheduler notes on it (``call_hash``, ``evaluated``, ``upstreams``).
Building one runs nothing.  All have slots: a fan-out holds one for each of its jobs at once.  Nothing here recurses: a
chain may be 100 000 calls deep.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping
from contextvars import ContextVar
from typing import Any, ClassVar, Generic, TypeVar

from redun.errors import TaskError
from redun.hashing import Oid
from redun.operators import LazyOperation, find_operation, iter_operations, register_operation
from redun.value.nested import iter_nested_value
from redun.value.value import Value

Result = TypeVar("Result")

MAX_SHOWN = 120
"""Characters of an expression in a message."""

MAX_DEPTH_SHOWN = 12
"""Of what is nested deeper, dots are shown."""

_NO_OPTIONS: Mapping[str, Any] = {}


class Unevaluated(TaskError, TypeError):
    """Python asked an expression for something that only its value has."""

    def __init__(self, shown: str, lacks: str, way_out: str) -> None:
        super().__init__(f"{shown} {lacks} until it is evaluated: {way_out}", hint=way_out)
        self.shown = shown
        self.lacks = lacks
        self.way_out = way_out

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.shown, self.lacks, self.way_out)


class AwaitedOutsideJob(TaskError, RuntimeError):
    """An expression is awaited where no async task runs."""

    def __init__(self, shown: str) -> None:
        super().__init__(
            f"{shown} is awaited outside a running job: expected to be in an `async def` task that a scheduler runs",
            hint="evaluate it with redun.run(it), or await it in an async task",
        )
        self.shown = shown

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.shown,)


awaiting: ContextVar[Callable[[Expression[Any]], Generator[Any, None, Any]] | None] = ContextVar(
    "redun_awaiting", default=None
)
"""What evaluates the expressions that the job which runs here awaits."""


class Expression(Generic[Result]):
    """Something that the scheduler will turn into a value."""

    __slots__ = ()

    def __bool__(self) -> bool:
        raise Unevaluated(
            _named(self),
            "has no truth value",
            "choose with redun.cond(it, then, otherwise), combine with & and | instead of `and` and `or`, decide in a "
            "task that takes it as an argument, or await it in an async task",
        )

    def __contains__(self, _item: Any) -> bool:
        raise Unevaluated(
            _named(self),
            "cannot be searched with `in`",
            "search in a task that takes it as an argument, or await it in an async task",
        )

    def __iter__(self) -> Iterator[Expression[Any]]:
        length = self.known_length()
        if length is None:
            raise Unevaluated(
                _named(self),
                "has no known length",
                "apply a task to each item with redun.functools.map_(task, it), iterate in a task that takes it as an "
                "argument, give the task that returns it nout=N, or await it in an async task",
            )
        return iter([self[index] for index in range(length)])

    def __await__(self) -> Generator[Any, None, Result]:
        evaluate = awaiting.get()
        if evaluate is None:
            raise AwaitedOutsideJob(_named(self))
        return evaluate(self)

    def known_length(self) -> int | None:
        """Return how many items the value will have, when its task says so."""
        return None

    def __getattr__(self, name: str) -> SimpleExpression:
        # Copying, pickling and inspection probe for special names; those must fail as on any other object.
        if name.startswith("__"):
            raise AttributeError(name)
        return SimpleExpression("getattr", (self, name))

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, slice):
            places = (key.start, key.stop, key.step)
            if any(isinstance(place, Expression) for place in places):
                # A slice is no container that is looked into: it is made once its places are known.
                key = SimpleExpression("call", (slice, *places))
            elif (length := self.known_length()) is not None:
                return [self[index] for index in range(*key.indices(length))]
        return SimpleExpression("getitem", (self, key))

    def __call__(self, *args: Any, **kwargs: Any) -> SimpleExpression:
        return SimpleExpression("call", (self, *args), kwargs)

    __hash__ = object.__hash__


def _lazy_method(operation: LazyOperation) -> Callable[..., SimpleExpression]:
    name = operation.name

    def method(self: Expression[Any], *others: Any, **named: Any) -> SimpleExpression:
        return SimpleExpression(name, (self, *others), named)

    method.__name__ = operation.method
    method.__doc__ = f"Build the unevaluated ``{operation.symbol or name}``."
    return method


for _operation in iter_operations():
    if _operation.symbol:
        setattr(Expression, _operation.method, _lazy_method(_operation))


def lazy_operation(
    method: str | None = None, name: str | None = None, symbol: str | None = None, reverse: bool = False
) -> Callable[[Callable[..., Any]], Callable[..., SimpleExpression]]:
    """Make a function of values an operation on expressions; the decorated function builds it.

    The scheduler's thread computes it, so it should be quick.  No job and no record speaks of it, hence a call that
    holds one is asked anew in each run.

    Args:
        method: a special method, such as ``__mod__``, that all expressions get for it.
        name: what stored expressions call it; default the function's name.  A later one of the same name replaces it.
        symbol: what stands between the operands where it is shown.
        reverse: the operands stand the other way round where it is shown, as with ``__rmod__``.
    """

    def register(func: Callable[..., Any]) -> Callable[..., SimpleExpression]:
        operation = LazyOperation(name or func.__name__, method or "", symbol or "", func, is_reverse=reverse)
        register_operation(operation)
        if method:
            setattr(Expression, method, _lazy_method(operation))

        def build(*args: Any, **kwargs: Any) -> SimpleExpression:
            return SimpleExpression(operation.name, args, kwargs)

        build.__name__, build.__doc__ = func.__name__, func.__doc__
        return build

    return register


def get_lazy_operation(name: str) -> Callable[..., Any] | None:
    """Return the function of a registered operation; None when there is none of the name."""
    operation = find_operation(name)
    return None if operation is None else operation.func


class ApplyExpression(Expression[Result]):
    """What is made of arguments: a call, or an operation."""

    __slots__ = ("args", "kwargs")

    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]


class TaskExpression(ApplyExpression[Result]):
    """An unevaluated call of a task."""

    __slots__ = ("call_hash", "export_options", "length", "task_name", "task_options")

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
        self.kwargs = kwargs or _NO_OPTIONS
        self.task_options: Mapping[str, Any] = task_options or _NO_OPTIONS
        self.export_options: Mapping[str, Any] = export_options or _NO_OPTIONS
        self.length = length
        self.call_hash: Oid | None = None

    def known_length(self) -> int | None:
        """Return the ``nout`` of the task."""
        return self.length

    def is_valid(self) -> bool:
        """Tell whether every task that it calls is defined, and every value in it valid."""
        return all(
            _is_task_defined(leaf.task_name) if isinstance(leaf, TaskExpression) else leaf.is_valid()
            for leaf in iter_leaves(self)
            if isinstance(leaf, (TaskExpression, Value))
        )

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


class SimpleExpression(ApplyExpression[Any]):
    """An unevaluated operation on expressions, such as ``a + b`` or ``a[k]``."""

    __slots__ = ("evaluated", "func_name")

    def __init__(self, func_name: str, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None) -> None:
        self.func_name = func_name
        self.args = args
        self.kwargs = kwargs or _NO_OPTIONS
        self.evaluated: Any = None  # as on SchedulerExpression

    def known_length(self) -> int | None:
        """Return the length of a slice between two places counted from the start, so that it can be unpacked."""
        key = self.args[1] if self.func_name == "getitem" else None
        if not isinstance(key, slice):
            return None
        places = (key.start or 0, key.stop, key.step or 1)
        if any(type(place) is not int or place < 0 for place in places):
            return None
        return len(range(*places))

    def __reduce__(self) -> tuple[Any, ...]:
        return SimpleExpression, (self.func_name, self.args, dict(self.kwargs))

    def __repr__(self) -> str:
        if self.func_name == "getattr":
            return f"{_shown(self.args[0])}.{self.args[1]}"
        if self.func_name == "getitem":
            return f"{_shown(self.args[0])}[{_shown_key(self.args[1])}]"
        if self.func_name == "call":
            return f"{_shown(self.args[0])}({_format_arguments(self.args[1:], self.kwargs)})"
        operation = find_operation(self.func_name)
        if operation is None or not operation.symbol:
            return f"{self.func_name}({_format_arguments(self.args, self.kwargs)})"
        if len(self.args) == 1:
            return f"{operation.symbol}{_shown(self.args[0])}"
        left, right = reversed(self.args) if operation.is_reverse else self.args
        return f"({_shown(left)} {operation.symbol} {_shown(right)})"


class ValueExpression(Expression[Result]):
    """An expression that is its value: what lets the operators work on a plain one."""

    __slots__ = ("upstreams", "value")

    def __init__(self, value: Result, upstreams: list[Any] | None = None) -> None:
        """``upstreams`` are expressions that the value came from, known while they are evaluated and not stored."""
        self.value = value
        self.upstreams = upstreams

    def __reduce__(self) -> tuple[Any, ...]:
        return ValueExpression, (self.value,)

    def __repr__(self) -> str:
        return f"ValueExpression({self.value!r})"


class QuotedExpression(Value, Generic[Result]):
    """An expression as a plain value: arguments and results may hold it, and nothing evaluates it.

    It is stored by its structure.  Read back, it names only tasks that are defined: a recorded result that names
    another one does not serve.
    """

    type_name: ClassVar[str] = "redun.QuotedExpression"

    def __init__(self, expr: Result) -> None:
        self.expr = expr

    def eval(self) -> Result:
        """Return the expression; whoever evaluates what holds it evaluates it then."""
        return self.expr

    def __repr__(self) -> str:
        return f"QuotedExpression({self.expr!r})"

    def __getstate__(self) -> Any:
        from redun.expression_codec import flatten_expression

        steps, values = flatten_expression(self.expr)
        return {"steps": steps, "values": values}

    def __setstate__(self, state: Any) -> None:
        from redun.expression_codec import ExpressionUndecodable, unflatten_expression

        self.expr = unflatten_expression(state["steps"], state["values"])
        for name in iter_task_names(self.expr):
            if not _is_task_defined(name):
                raise ExpressionUndecodable(f"a quoted expression calls the task {name!r}, which is not defined")


def quote(expr: Result) -> QuotedExpression[Result]:
    """Return an expression as a plain value, which its ``eval()`` gives back."""
    return QuotedExpression(expr)


# -- looking into expressions


def _accept_any(_name: str) -> bool:
    return True


_is_task_defined: Callable[[str], bool] = _accept_any


def ask_for_tasks(is_defined: Callable[[str], bool]) -> None:
    """Say how to tell whether a task of a name is defined; the registry does, which stands above the language."""
    global _is_task_defined
    _is_task_defined = is_defined


def iter_leaves(whole: Any) -> Iterator[Any]:
    """Yield each call in a nested value, outer ones first, and each plain value among their arguments and options."""
    stack, opened = [whole], set()
    while stack:
        part = stack.pop()
        if isinstance(part, Expression):
            if id(part) in opened:
                continue
            opened.add(id(part))
            if isinstance(part, TaskExpression):
                yield part
            stack.extend(reversed(_parts_of(part)))
            continue
        for leaf in iter_nested_value(part):
            if isinstance(leaf, Expression):
                stack.append(leaf)
            else:
                yield leaf


def iter_task_names(whole: Any) -> Iterator[str]:
    """Yield the full name of the task of each call in a nested value, outer ones first."""
    return (leaf.task_name for leaf in iter_leaves(whole) if isinstance(leaf, TaskExpression))


def _parts_of(expression: Expression[Any]) -> list[Any]:
    if isinstance(expression, ValueExpression):
        return [expression.value]
    assert isinstance(expression, ApplyExpression)
    parts = [*expression.args, *expression.kwargs.values()]
    if isinstance(expression, TaskExpression):
        parts += [*expression.task_options.values(), *expression.export_options.values()]
    return parts


# -- showing them


def _named(expression: Expression[Any]) -> str:
    """Return an expression as a message shows it, with the name of a task that it calls."""
    shown = repr(expression)
    if len(shown) > MAX_SHOWN:
        shown = f"{shown[:MAX_SHOWN]}..."
    name = next(iter_task_names(expression), None)
    return shown if name is None or name in shown else f"{shown}, which calls {name},"


def _shown(part: Any) -> str:
    # A chain of calls or operators can be 100 000 deep, and a sum of itself has 2**depth parts; what is shown is less.
    return "..." if isinstance(part, Expression) and _is_deep(part) else repr(part)


def _shown_key(key: Any) -> str:
    if not isinstance(key, slice):
        return _shown(key)
    parts = [key.start, key.stop] if key.step is None else [key.start, key.stop, key.step]
    return ":".join("" if part is None else _shown(part) for part in parts)


def _is_deep(expression: Expression[Any], limit: int = MAX_DEPTH_SHOWN) -> bool:
    current: Any = expression
    for _ in range(limit):
        args = getattr(current, "args", ()) if isinstance(current, Expression) else ()
        current = next((arg for arg in args if isinstance(arg, Expression)), None)
        if current is None:
            return False
    return True


def _format_arguments(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> str:
    return ", ".join([*map(_shown, args), *(f"{name}={_shown(value)}" for name, value in kwargs.items())])
