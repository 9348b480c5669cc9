"""``Task``: a function that a workflow can call lazily, with a name, a hash and options.

The invariant: a task's hash is that of its record (full name, and version or source closure); options given where it is
defined never enter.  As a value a task is its record; with options given later, a value of its own that links to it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar, Generic, ParamSpec, TypeVar

from redun.context import CONTEXT_OPTION, merge_dicts
from redun.errors import TaskError
from redun.expression import TaskExpression
from redun.hashing import Oid
from redun.namespace import check_name, check_namespace, join_fullname, split_task_fullname
from redun.objects.codec import Node
from redun.objects.kinds import Kind
from redun.objects.task_records import TaskRecord
from redun.once import once
from redun.task.binding import Binder, BoundArguments
from redun.task.built import building
from redun.task.code import Source, TaskCode
from redun.task.options import check_async_options, exported_by_nature, normalize_options
from redun.task.outputs import infer_nout
from redun.task.units import Unit
from redun.value.encoding import register_kind
from redun.value.value import Value

if TYPE_CHECKING:
    from inspect import Signature

    from redun.task.partial import PartialTask

P = ParamSpec("P")
R = TypeVar("R")

_CO_COROUTINE = 0x80
_HASH_DIGITS = 64


class UnknownTask(TaskError):
    """A task is named that is not defined here, or is not any more what it was."""

    hint = "import the module that defines it, or run again what named it"

    def __init__(self, fullname: str, why: str) -> None:
        super().__init__(f"task {fullname!r} {why}")
        self.fullname = fullname
        self.why = why

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.fullname, self.why)


class Task(Value, Generic[P, R]):
    """A task.  Made by the ``task`` decorator, which registers it; calling one gives an unevaluated expression."""

    type_name: ClassVar[str] = "redun.Task"

    def __init__(
        self,
        func: Callable[P, R],
        *,
        name: str | None = None,
        namespace: str | None = None,
        version: str | None = None,
        compat: Sequence[str] | None = None,
        script: bool = False,
        hash_includes: Sequence[Any] | None = None,
        source: str | None = None,
        options: Mapping[str, Any] | None = None,
        export_options: Mapping[str, Any] | None = None,
    ) -> None:
        if name is None:
            name = str(getattr(func, "__name__", ""))
        self.func = func
        self.name = check_name(name)
        self.namespace, self.is_namespace_given = _resolve_namespace(func, namespace)
        self.fullname = join_fullname(self.namespace, self.name)
        self.version = _check_version(version)
        self.compat = _check_compat(compat)
        self.script = script
        exported = normalize_options(export_options or {})
        # What jobs below inherit is an option of the task itself as well.
        self._options = {**normalize_options(options or {}), **exported}
        self._overrides: dict[str, Any] = {}
        self._export_options = {**exported_by_nature(self._options), **exported}
        self._export_overrides: dict[str, Any] = {}
        self.wrapped_task: Task[..., Any] | None = None
        """The task that this one wraps, made by ``wraps_task``."""
        self._code = TaskCode(func, version=self.version, source=source, hash_includes=hash_includes or ())
        if self._options.get("config_args"):
            self.binder.check_config_args()
        if self.is_async():
            check_async_options(self.fullname, self._options)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Return the unevaluated call; the scheduler gives it the type that it is declared with here."""
        expression: Any = TaskExpression(
            self.fullname, args, kwargs, self._overrides, self._export_overrides, self.nout
        )
        built = building.get()
        if built is not None:
            built.append(expression)
        return expression  # type: ignore[no-any-return]

    def __repr__(self) -> str:
        return f"Task(fullname={self.fullname}, hash={self.oid.hex()[:8]})"

    # -- what it is

    @property
    def oid(self) -> Oid:
        """The task hash, as raw bytes."""
        return Oid(bytes.fromhex(self.compat[0])) if self.compat else self._code.oid(self.fullname)

    @property
    def hash(self) -> str:
        """The task hash, as 64 hex digits; that of the task as a value when options were given since its definition."""
        return self.get_hash() if self._overrides or self._export_overrides else self.oid.hex()

    def has_hash(self, oid: Oid) -> bool:
        """Tell whether this is the task of a hash: its own, or the one that ``compat`` gives it."""
        return oid == self.oid or (bool(self.compat) and oid == self._code.oid(self.fullname))

    @property
    def source(self) -> str:
        """The source that the hash stands for, as written."""
        return self._code.text

    @once
    def signature(self) -> Signature:
        """The signature that calls are bound to: the function's, or that of the task which it wraps."""
        from inspect import signature  # 10 ms to import

        return signature(self.visible_func)

    @property
    def visible_func(self) -> Callable[..., Any]:
        """The function whose signature and docstring callers see: its own, or that of the task which it wraps."""
        if self.wrapped_task is not None and not self._options.get("use_wrapper_signature"):
            return self.wrapped_task.visible_func
        return self.func

    @property
    def nout(self) -> int | None:
        """How many values the result unpacks into; None when it is one value, or not known."""
        nout = self._overrides.get("nout", self._options.get("nout"))
        return self._inferred_nout if nout is None else nout

    @property
    def load_module(self) -> str:
        """The module that a worker imports to have this task."""
        return self.get_task_option("load_module") or self.func.__module__

    @property
    def inner_task(self) -> Task[..., Any]:
        """The innermost of the tasks that this one wraps; itself when it wraps none."""
        task: Task[..., Any] = self
        while task.wrapped_task is not None:
            task = task.wrapped_task
        return task

    def is_async(self) -> bool:
        """Tell whether the function is a coroutine function."""
        func = getattr(self.func, "func", self.func)  # functools.partial
        return bool(getattr(getattr(func, "__code__", None), "co_flags", 0) & _CO_COROUTINE)

    def record(self) -> TaskRecord:
        """Return the record that the hash names, unless ``compat`` gives the hash of another one."""
        return self._code.record(self.fullname)

    def units(self) -> tuple[Unit, ...]:
        """Return each piece of the project's source that the hash covers besides the function, sorted by name."""
        return self._code.units()

    def sources(self) -> list[Source]:
        """Return record, text, module and first line of the task, then of each of its units."""
        return self._code.sources(self.fullname)

    def forget_hash(self) -> None:
        """Compute the hash anew when next asked for it."""
        self._code.forget()

    def set_fullname(self, fullname: str) -> None:
        """Take another full name.  The registry calls this; it looks tasks up by theirs."""
        namespace, name = split_task_fullname(fullname)
        self.namespace, self.name = check_namespace(namespace), check_name(name)
        self.fullname = fullname
        self.__dict__.pop("_known_binder", None)  # its messages name the task

    def note_wrapped_name(self) -> None:
        """Take over the full name of the task that this one wraps."""
        if self.wrapped_task is not None:
            self._options = {**self._options, "wrapped_task": self.wrapped_task.fullname}

    # -- options

    def get_task_options(self) -> dict[str, Any]:
        """Return the options in force: those of the definition, overridden by those of ``.options()``."""
        return {**self._options, **self._overrides}

    def get_task_option(self, name: str, default: Any = None) -> Any:
        """Return one option in force."""
        if name in self._overrides:
            return self._overrides[name]
        return self._options.get(name, default)

    def has_task_option(self, name: str) -> bool:
        """Tell whether an option is set."""
        return name in self._overrides or name in self._options

    def get_export_options(self) -> dict[str, Any]:
        """Return the options in force that jobs below this task's inherit."""
        options = self.get_task_options()
        return {name: options[name] for name in (*self._export_options, *self._export_overrides)}

    def options(self, **options: Any) -> Task[P, R]:
        """Return the task with other options: only calls of the copy have them.

        Raises:
            ValueError, TypeError: as where a task is defined.
        """
        checked = normalize_options(options)
        made = self._copy()
        made._overrides = {**self._overrides, **checked}
        again = {name: checked[name] for name in self._export_overrides if name in checked}
        made._export_overrides = {**self._export_overrides, **again, **exported_by_nature(checked)}
        if "config_args" in checked:
            made.binder.check_config_args()
        if made.is_async():
            check_async_options(self.fullname, made.get_task_options())
        return made

    def export_options(self, **options: Any) -> Task[P, R]:
        """Return the task with options that its calls and all jobs below them have.

        Raises:
            ValueError, TypeError: as where a task is defined.
        """
        made = self.options(**options)
        made._export_overrides = {**made._export_overrides, **normalize_options(options)}
        return made

    def update_context(self, context: Mapping[str, Any] | None = None, /, **updates: Any) -> Task[P, R]:
        """Return the task with entries merged, dict by dict, into the context of its calls and of the jobs below."""
        merged = self._overrides.get(CONTEXT_OPTION, {})
        for update in (context or {}, updates):
            merged = merge_dicts(merged, update)
        return self.options(**{CONTEXT_OPTION: merged})

    # -- calls

    def bind(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> BoundArguments:
        """Bind a call's arguments to the signature, with defaults filled in.

        Raises:
            TaskArgumentError: the signature does not take them.
        """
        return self.binder.bind(args, kwargs)

    @property
    def binder(self) -> Binder:
        """What binds arguments to the signature, ``config_args`` left out of the key."""
        names = self.get_task_option("config_args") or ()
        known: Binder | None = self.__dict__.get("_known_binder")
        if known is None or known.config_args != frozenset(names):
            known = self.__dict__["_known_binder"] = Binder(self.fullname, self.signature, names)
        return known

    def partial(self, *args: Any, **kwargs: Any) -> PartialTask[R]:
        """Return the task with some of its arguments given."""
        from redun.task.partial import PartialTask

        return PartialTask(self, args, kwargs)

    # -- as a value

    def reference_parts(self) -> list[Any]:
        """Return the full name, then the options given since the definition, if any: what refers to this task."""
        if not self._overrides and not self._export_overrides:
            return [self.fullname]
        return [self.fullname, self._overrides, self._export_overrides]

    def is_valid(self) -> bool:
        """Tell whether this is the task that is registered under its name now."""
        from redun.task.registry import get_task_registry

        current = get_task_registry().get(task_name=self.fullname)
        return current is not None and current.oid == self.oid

    def encode_node(self) -> tuple[int, Oid, bytes] | None:
        if self._overrides or self._export_overrides:
            return None
        return (int(Kind.TASK), *self.record().encode())

    def iter_node_parts(self) -> list[tuple[Oid, bytes, int]]:
        return [(*unit.record.encode(), int(Kind.UNIT)) for unit in self.units()]

    def __getstate__(self) -> Any:
        return {"task": self._base(), "options": self._overrides, "export_options": self._export_overrides}

    def __setstate__(self, state: Any) -> None:
        self.__dict__.update(state["task"].__dict__)
        self._overrides, self._export_overrides = state["options"], state["export_options"]

    def __reduce__(self) -> tuple[Any, ...]:
        return _load_task, (self.fullname, self.load_module, self.oid.hex(), self._overrides, self._export_overrides)

    # -- inside

    @once
    def _inferred_nout(self) -> int | None:
        return infer_nout(self.func)

    def with_func(self, func: Callable[P, R]) -> Task[P, R]:
        """Return this task with another function to run; all else, its hash too, is what it was."""
        made = self._copy()
        made.func = func
        return made

    def _copy(self) -> Task[P, R]:
        made: Task[P, R] = object.__new__(type(self))
        made.__dict__.update(self.__dict__)
        return made

    def _base(self) -> Task[P, R]:
        made = self._copy()
        made._overrides, made._export_overrides = {}, {}
        return made


class _Decoding(threading.local):
    takes_any_version = False


_decoding = _Decoding()


@contextmanager
def tasks_by_name() -> Iterator[None]:
    """Let stored tasks be read, in this thread, as those that have their names now, whatever their hashes were.

    A function that returns a task names it; so its recorded reduction does.
    """
    _decoding.takes_any_version = True
    try:
        yield
    finally:
        _decoding.takes_any_version = False


def find_current_task(fullname: str, oid: Oid) -> Task[Any, Any]:
    """Return the registered task of a full name.

    Raises:
        UnknownTask: there is none, or its hash is not ``oid`` and no other will do.
    """
    from redun.task.registry import get_task_registry

    found = get_task_registry().get(task_name=fullname)
    if found is None:
        raise UnknownTask(fullname, "is not defined")
    if not found.has_hash(oid) and not _decoding.takes_any_version:
        raise UnknownTask(fullname, f"has changed: expected {oid.hex()[:8]}, found {found.hash[:8]}")
    return found


def _load_task(
    fullname: str, module: str, digits: str, overrides: dict[str, Any], exports: dict[str, Any]
) -> Task[Any, Any]:
    """Make a task of its pickle, which names it: another process has code of its own."""
    from importlib import import_module

    from redun.task.registry import get_task_registry

    if get_task_registry().get(task_name=fullname) is None:
        import_module(module)
    found = find_current_task(fullname, Oid(bytes.fromhex(digits)))
    if not overrides and not exports:
        return found
    made = found._copy()
    made._overrides, made._export_overrides = overrides, exports
    return made


def _resolve_namespace(func: Callable[..., Any], given: str | None) -> tuple[str, bool]:
    """Return the namespace of a task being defined, and whether anybody said so."""
    from redun.namespace import get_current_namespace

    if given is not None:
        return check_namespace(given), True
    named = getattr(func, "__globals__", {}).get("redun_namespace")
    if named is None:
        named = get_current_namespace() or None
    return ("", False) if named is None else (check_namespace(named), True)


def _check_version(version: Any) -> str | None:
    if version is not None and not isinstance(version, str):
        raise ValueError(f"expected version to be text, found {version!r}")
    return version


def _check_compat(compat: Sequence[str] | None) -> list[str]:
    digits = list(compat or ())
    for one in digits:
        if len(one) != _HASH_DIGITS or not all(digit in "0123456789abcdef" for digit in one):
            raise ValueError(f"expected compat to hold task hashes of {_HASH_DIGITS} hex digits, found {one!r}")
    return digits


def _decode_task(node: Node, oid: Oid, _read: Any) -> Task[Any, Any]:
    return find_current_task(TaskRecord.decode(node).fullname, oid)


register_kind(Kind.TASK, _decode_task)
