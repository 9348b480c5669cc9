"""``PartialTask``: a task with some of its arguments given."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from redun.value.value import Value

if TYPE_CHECKING:
    from inspect import Signature

    from redun.task.task import Task

R = TypeVar("R")


class PartialTask(Value, Generic[R]):
    """A task with some arguments given.  They may be expressions, which stay unevaluated until it is called.

    Calling it calls the inner task; no job and no record speaks of the partial one.
    """

    type_name: ClassVar[str] = "redun.PartialTask"

    def __init__(self, task: Task[Any, R], args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
        self.task = task
        self.args = tuple(args)
        self.kwargs = dict(kwargs)

    def __call__(self, *args: Any, **kwargs: Any) -> R:
        return self.task(*self.args, *args, **{**self.kwargs, **kwargs})

    def __repr__(self) -> str:
        shown = [repr(arg) for arg in self.args] + [f"{name}={value!r}" for name, value in self.kwargs.items()]
        return f"PartialTask({self.task.fullname}, {', '.join([*shown, '...'])})"

    @property
    def fullname(self) -> str:
        """The full name of the inner task."""
        return self.task.fullname

    @property
    def signature(self) -> Signature:
        """The signature of the inner task."""
        return self.task.signature

    @property
    def hash(self) -> str:
        """The value hash, as hex digits: inner task and arguments."""
        return self.get_hash()

    def partial(self, *args: Any, **kwargs: Any) -> PartialTask[R]:
        """Return this with further arguments given."""
        return PartialTask(self.task, (*self.args, *args), {**self.kwargs, **kwargs})

    def options(self, **options: Any) -> PartialTask[R]:
        """Return this with options for the inner task's calls."""
        return PartialTask(self.task.options(**options), self.args, self.kwargs)

    def update_context(self, context: Mapping[str, Any] | None = None, /, **updates: Any) -> PartialTask[R]:
        """Return this with entries merged into the context of the inner task's calls."""
        return PartialTask(self.task.update_context(context, **updates), self.args, self.kwargs)

    def reference_parts(self) -> list[Any]:
        """Return what refers to this: the inner task's parts, the arguments."""
        return [self.task.reference_parts(), list(self.args), self.kwargs]

    def is_valid(self) -> bool:
        return self.task.is_valid()

    def iter_subvalues(self) -> Iterator[Any]:
        yield self.task

    def __getstate__(self) -> Any:
        return {"task": self.task, "args": self.args, "kwargs": self.kwargs}
