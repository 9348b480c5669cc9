"""Tasks and forms that put other tasks together: in sequence, over lists, one after another, by name or text.

``seq``, ``map_`` and ``starmap`` are special forms: they make no job of their own, and nothing of the scheduler is
imported for them, only used through the argument ``scheduler``.  The others are tasks, or make calls of tasks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from redun.errors import TaskError
from redun.expression import (
    Expression,
    QuotedExpression,
    SchedulerExpression,
    SimpleExpression,
    TaskExpression,
    ValueExpression,
    quote,
)
from redun.promise import Promise
from redun.task import scheduler_task, task
from redun.task.partial import PartialTask
from redun.task.scheduler_tasks import transparent

if TYPE_CHECKING:
    from redun.scheduler.job import Job
    from redun.scheduler.scheduler import Scheduler

T = TypeVar("T")

_NAMESPACE = "redun"
_MAP_NAME = "redun.map_"

SLICE = 64
"""So many parts of a sequence that all have their values at once are taken before the scheduler looks at other jobs."""


class NotListed(TaskError, TypeError):
    """A form that goes through a list was given something else."""

    def __init__(self, form: str, expected: str, found: object) -> None:
        super().__init__(f"{form} takes {expected}, found a {type(found).__name__}")
        self.form = form
        self.expected = expected
        self.found = type(found).__name__


# -- one after another


@transparent
@scheduler_task(namespace=_NAMESPACE, version="1")
def seq(
    scheduler: Scheduler,
    parent_job: Job | None,
    expression: SchedulerExpression[Any],  # noqa: ARG001  (what every form is given)
    exprs: Sequence[T],
) -> Promise[list[T]]:
    """Evaluate parts strictly one after another; return the list of their values.

    A part begins when the one before it has its value.  After one that fails no other begins.  Calls that are equal to
    one outside begin when that one does.  A lazy list is evaluated as a whole.

    Raises:
        NotListed: the parts are no list or tuple.
    """
    if _is_lazy(exprs):
        return scheduler.evaluate(exprs, parent_job).then(lambda values: _listed("seq", "a list of parts", values))
    made: Promise[list[T]] = Promise()
    parts = iter(_listed("seq", "a list of parts", exprs))
    values: list[T] = []

    def take(value: T) -> None:
        values.append(value)
        if len(values) % SLICE:
            begin()
        else:
            scheduler.do_soon(begin)

    def begin() -> None:
        for part in parts:
            scheduler.evaluate(part, parent_job).then(take, made.do_reject)
            return
        made.do_resolve(values)

    begin()
    return made


# -- over lists


@transparent
@scheduler_task(namespace=_NAMESPACE, version="1")
def map_(
    scheduler: Scheduler,
    parent_job: Job | None,
    expression: SchedulerExpression[Any],
    a_task: Callable[[Any], T],
    values: Sequence[Any],
) -> Promise[list[T]]:
    """Call a task with each of the values, all at once; return the list of results.

    Task and values may be lazy, as a whole or one by one.  Of ``map_(f, map_(g, values))`` each ``f`` begins when its
    own ``g`` has ended, not when all have.

    Raises:
        NotListed: the values are no list or tuple, or what is to be called is no task.
    """
    tasks, innermost = _unwrap_maps(a_task, values)

    def call_all(functions: Any, items: Any) -> list[T]:
        for function in functions:
            if not callable(function):
                raise NotListed("map_", "a task", function)
        items = _items_of(innermost, _listed("map_", "a list of values", items))
        calls = [_apply(functions, item) for item in items]
        expression.upstreams = calls
        return calls

    return _evaluate_with_list(scheduler, parent_job, tasks, innermost).then(lambda pair: call_all(*pair))


@transparent
@scheduler_task(namespace=_NAMESPACE, version="1")
def starmap(
    scheduler: Scheduler,
    parent_job: Job | None,
    expression: SchedulerExpression[Any],
    a_task: Callable[..., T],
    kwargs: Sequence[Mapping[str, Any]] = (),
) -> Promise[list[T]]:
    """Call a task once for each dict of keyword arguments, all at once; return the list of results.

    Task, list and dicts may be lazy, and what stands in the dicts.

    Raises:
        NotListed: the arguments are no list of dicts, or what is to be called is no task.
    """

    def call_all(function: Any, items: Any) -> list[T]:
        items = _items_of(kwargs, _listed("starmap", "a list of dicts", items))
        calls = [_spread(function, item) for item in items]
        expression.upstreams = calls
        return calls

    return _evaluate_with_list(scheduler, parent_job, a_task, kwargs).then(lambda pair: call_all(*pair))


def _evaluate_with_list(scheduler: Scheduler, parent_job: Job | None, function: Any, listed: Any) -> Promise[Any]:
    """Promise the values of what is to be called and of a list.

    Lazy members of a list that is there are left to the calls: each begins as soon as its own argument is known.
    """
    whole = listed if _is_lazy(listed) else None
    evaluated = scheduler.evaluate([function, whole], parent_job)
    return evaluated.then(lambda pair: [pair[0], listed if whole is None else pair[1]])


@transparent
@scheduler_task(name="call_with", namespace=_NAMESPACE, version="1")
def _call_with(
    scheduler: Scheduler,
    parent_job: Job | None,
    expression: SchedulerExpression[Any],
    function: Callable[..., T],
    kwargs: Mapping[str, Any],
) -> Promise[T]:
    """Call a task with keyword arguments that are lazy as a whole."""

    def call(values: Any) -> Any:
        made = _spread(function, values)
        expression.upstreams = [made]
        return made

    return scheduler.evaluate(kwargs, parent_job).then(call)


@task(namespace=_NAMESPACE, version="1")
def flatten(list_of_lists: Sequence[Sequence[T]]) -> list[T]:
    """Return one list of what is in several."""
    return [item for items in list_of_lists for item in items]


@task(namespace=_NAMESPACE, version="1")
def flat_map(a_task: Callable[[Any], list[T]], values: Sequence[Any]) -> list[T]:
    """Call a task that returns a list with each of the values; return one list of all that is in the results."""
    return flatten(map_(a_task, values))


@task(namespace=_NAMESPACE, version="1")
def zip_(*lists: Sequence[Any]) -> list[tuple[Any, ...]]:
    """Return tuples of the first members, of the second ones and so on, as many as the shortest list has."""
    return list(zip(*lists))


def _is_lazy(part: object) -> bool:
    return isinstance(part, Expression)


def _listed(form: str, expected: str, found: Any) -> Any:
    if not isinstance(found, (list, tuple)):
        raise NotListed(form, expected, found)
    return found


def _unwrap_maps(a_task: Any, values: Any) -> tuple[list[Any], Any]:
    """Return the tasks of maps of maps, the outermost first, and what the innermost goes through."""
    tasks = [a_task]
    while type(values) is SchedulerExpression and values.task_name == _MAP_NAME and not values.export_options:
        inner = {**dict(zip(("a_task", "values"), values.args)), **values.kwargs}
        if inner.keys() != {"a_task", "values"}:
            break
        tasks.append(inner["a_task"])
        values = inner["values"]
    return tasks, values


def _apply(functions: Sequence[Callable[..., Any]], argument: Any) -> Any:
    for function in reversed(functions):
        argument = function(argument)
    return argument


def _spread(function: Callable[..., Any], kwargs: Any) -> Any:
    source = kwargs.upstreams if isinstance(kwargs, ValueExpression) else None
    plain: Any = kwargs.value if source is not None else kwargs
    if _is_lazy(plain):
        return _call_with(function, plain)
    if not isinstance(plain, Mapping):
        raise NotListed("starmap", "a list of dicts", plain)
    return function(**({name: ValueExpression(value, source) for name, value in plain.items()} if source else plain))


def _items_of(source: Any, items: Sequence[Any]) -> Sequence[Any]:
    """Return the items of a list that was lazy, each with the expression that it came from; others as they are."""
    root = source
    while isinstance(root, SimpleExpression):
        root = root.args[0]
    if type(root) is TaskExpression:
        return [ValueExpression(item, [source]) for item in items]
    # What a form came from may be as long as the list: noting that with each item would be its square.
    if isinstance(root, SchedulerExpression) and root is source:
        parts = _parts_in_order(root)
        if len(parts) == len(items):
            return [ValueExpression(item, [part]) for item, part in zip(items, parts)]
    return items


def _parts_in_order(form: SchedulerExpression[Any]) -> list[Any]:
    """Return what each item of a form's list came from, where the form is one that keeps the order; else nothing."""
    if form.task_name == seq.fullname:
        (parts,) = (*form.args, *form.kwargs.values())
        return list(parts) if isinstance(parts, (list, tuple)) else []
    return list(form.upstreams or ()) if form.task_name in {_MAP_NAME, starmap.fullname} else []


# -- tasks of tasks


@task(namespace=_NAMESPACE, version="1")
def compose_apply(tasks: Sequence[Callable[..., Any]], *args: Any, **kwargs: Any) -> Any:
    """Call the last of the tasks with the arguments, the one before it with the result, and so on to the first."""
    if not tasks:
        raise TypeError("compose takes at least one task, found none")
    *others, first = tasks
    return _apply(others, first(*args, **kwargs))


def compose(*tasks: Callable[..., Any]) -> PartialTask[Any]:
    """Return a task that calls the last of the tasks, then the one before it with the result, and so on."""
    return compose_apply.partial(tasks)


@task(namespace=_NAMESPACE, version="1")
def identity(x: T) -> T:
    """Return the argument."""
    return x


@task(namespace=_NAMESPACE, version="1")
def const(x: T, _: Any) -> T:
    """Return the first argument, once the second has been evaluated as well."""
    return x


def delay(x: T) -> PartialTask[T]:
    """Return an expression as a task without arguments: it is evaluated when that is called, see ``force``."""
    delayed: Any = identity.partial(x)
    return delayed  # type: ignore[no-any-return]


def force(x: Callable[[], T]) -> T:
    """Call a task without arguments, such as one of ``delay``."""
    return x()


# -- plain Python


@task(namespace=_NAMESPACE, version="1")
def apply_func(func: Callable[..., T], *args: Any, **kwargs: Any) -> T:
    """Call a function that stands at the top of its module, with arguments that may be lazy."""
    return func(*args, **kwargs)


def as_task(func: Callable[..., T]) -> PartialTask[T]:
    """Return a function that stands at the top of its module as a task."""
    made: Any = apply_func.partial(func)
    return made  # type: ignore[no-any-return]


@task(namespace=_NAMESPACE, version="1")
def eval_(code: str, *args: Any, pos_args: Sequence[str] = (), **variables: Any) -> Any:
    """Return the value of a Python expression given as text, with variables that may be lazy.

    Args:
        code: the expression.
        args: values of the variables in ``pos_args``, in order.
        pos_args: names of variables.
        variables: values of further variables.

    Raises:
        TypeError: ``pos_args`` and ``args`` differ in length.
        SyntaxError: the text is no expression.
    """
    if len(pos_args) != len(args):
        raise TypeError(f"eval_ takes a value for each of pos_args {list(pos_args)}, found {len(args)} values")
    # As globals: comprehensions and lambdas in the text do not see locals.
    return eval(code.strip(), {**dict(zip(pos_args, args)), **variables})  # noqa: S307  (the caller's own code)


# -- records


@task(name="evaluate_quoted", namespace=_NAMESPACE, version="1")
def _evaluate_quoted(expr: QuotedExpression[Any]) -> Any:
    """Evaluate an expression below a job of its own."""
    return expr.eval()


@task(name="no_prov", namespace=_NAMESPACE, version="1", check_valid="shallow")
def _without_provenance(expr: QuotedExpression[Any]) -> Any:
    """Evaluate an expression as one call: the only one that is on record."""
    # Said of the call: a task that is defined without provenance is asked each time, also below a shallow check.
    return _evaluate_quoted.options(prov=False)(expr)


def no_prov(expr: T) -> T:
    """Evaluate an expression without recording the calls in it.

    One job is recorded, with the value.  It is reused as long as its tasks are as they were and its value is valid.
    """
    value: Any = _without_provenance(quote(expr))
    return value  # type: ignore[no-any-return]
