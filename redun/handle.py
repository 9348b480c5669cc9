"""Handle: a value that stands for something outside that changes, such as a database.

Theory of operation.  What a handle points at cannot be hashed, so a handle is identified by its **state**: its full
name and the arguments that its constructor was given, then the calls that it went through.  ``__handle__`` holds it.
A call of a task gets a *fork* of the state, and what it returns is the fork after the *call*; whether a recorded state
still stands is judged from events in the store (``redun.scheduler.handles``).

The invariant: a state never changes, and nothing of the outside is part of it.  So a handle is made again from its
state alone, by its class's constructor: in the thread of the job that gets it, or at first use.
Normative page: docs/format/handle.md.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from redun.errors import TaskError
from redun.hashing import Oid
from redun.namespace import check_name, check_namespace, get_current_namespace, join_fullname
from redun.objects.codec import Node, decode_node
from redun.objects.kinds import Kind
from redun.objects.oid import short
from redun.objects.value_records import HandleForm, HandleRecord
from redun.value.encoding import (
    Part,
    Read,
    ValueNotEncodable,
    decode_value,
    encode_value,
    find_pickled_types,
    register_kind,
)
from redun.value.objects import find_value_class
from redun.value.value import Value

if TYPE_CHECKING:
    from typing_extensions import Self

handle_classes: list[type[Handle]] = []
"""The classes of handles defined so far: while there are none, nobody need look for handles."""

AnyHandle = TypeVar("AnyHandle", bound="Handle")


class HandleError(TaskError):
    """A handle is made or used in a way that it cannot be."""

    def __init__(self, fullname: str, message: str, *, hint: str = "") -> None:
        super().__init__(f"handle {fullname!r}: {message}", hint=hint)
        self.fullname = fullname
        self.message = message

    def __reduce__(self) -> tuple[Any, ...]:
        return _remake_error, (type(self), self.fullname, self.message, self.hint)


def _remake_error(cls: type[HandleError], fullname: str, message: str, hint: str) -> HandleError:
    return cls(fullname, message, hint=hint)


class HandleInfo:
    """One state of a handle, with what its constructor takes besides the name."""

    __slots__ = ("_unstored", "args", "data", "fullname", "kwargs", "oid", "record", "root")

    def __init__(
        self,
        fullname: str,
        arguments: tuple[Sequence[Any], Mapping[str, Any]],
        record: HandleRecord,
        root: Oid | None = None,
        links: Iterable[Part] = (),
    ) -> None:
        """Take a state; ``links`` are objects to be stored before its node, ``root`` is its own when it is one."""
        self.fullname = fullname
        self.args, self.kwargs = tuple(arguments[0]), dict(arguments[1])
        self.record = record
        self.oid, self.data = record.encode()
        self.root: Oid = root or self.oid
        self._unstored: tuple[Part, ...] = (*links, (self.oid, self.data, int(Kind.HANDLE)))

    @property
    def hash(self) -> str:
        """The state's hash, 64 hex digits."""
        return self.oid.hex()

    @property
    def name(self) -> str:
        """The handle's name without its namespace."""
        return self.fullname.rpartition(".")[2]

    @property
    def namespace(self) -> str:
        """The handle's namespace, empty when it has none."""
        return self.fullname.rpartition(".")[0]

    @property
    def key(self) -> str:
        """The key of the branch that this state is, empty for any other state."""
        return self.record.texts[0] if self.record.form is HandleForm.FORK else ""

    @property
    def unstored(self) -> tuple[Part, ...]:
        """The objects of this state that may not be in the store yet, itself included, in the order to put them."""
        return self._unstored

    def note_stored(self) -> None:
        """Note that the state is in the store, so that a long chain of calls need not carry all of itself along."""
        self._unstored = ()

    def follow(self, form: HandleForm, texts: list[str], others: Sequence[HandleInfo] = ()) -> HandleInfo:
        """Return the state that comes of this one, and of others when branches are merged."""
        parents = (self, *others)
        links = {part[0]: part for parent in parents for part in parent.unstored}
        record = HandleRecord(form, [self.root, *(parent.oid for parent in parents)], texts)
        return HandleInfo(self.fullname, (self.args, self.kwargs), record, self.root, links.values())


class Handle(Value):
    """Something outside that changes: subclass it, and open it in ``__init__``.

    Args:
        name: names it within its namespace.  Handles of one name and of equal arguments are one handle.
        args: what else the subclass's constructor takes, as plain data.
        namespace: stands before the name; default the class's module's ``redun_namespace``, else that of
            ``redun.namespace`` when the class was defined.
        kwargs: as ``args``.

    A constructor that sets ``self.instance`` lends the handle all attributes of it.  What is set after construction is
    no part of the handle, and no other job sees it.

    Raises:
        HandleError: the name is none, or an argument is not plain data.
    """

    type_name = "redun.handle.Handle"
    instance: Any
    __handle__: HandleInfo
    _handle_namespace = ""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls._handle_namespace = get_current_namespace()
        handle_classes.append(cls)

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        """Capture what the constructor is given."""
        handle = super().__new__(cls)
        handle.__dict__["__handle__"] = _capture(cls, args, kwargs)
        return handle

    def __init__(self, name: str, *args: Any, namespace: str | None = None, **kwargs: Any) -> None:
        """Open nothing: for handles whose class has no constructor."""

    # States

    def fork(self, key: str) -> Self:
        """Return the branch ``key`` of this handle: calls on one branch do not undo what others have made."""
        return self._with(self.__handle__.follow(HandleForm.FORK, [str(key)]))

    def apply_call(self, call_hash: str) -> Self:
        """Return what this handle becomes by a call."""
        return self._with(self.__handle__.follow(HandleForm.CALLED, [call_hash]))

    def merge(self, others: Sequence[Handle]) -> Self:
        """Return this handle joined with other branches of it; itself when there are none.

        Raises:
            HandleError: one of them has another name.
        """
        mine = self.__handle__
        for other in others:
            if other.__handle__.fullname != mine.fullname:
                raise HandleError(mine.fullname, f"cannot be merged with handle {other.__handle__.fullname!r}")
        infos = {other.__handle__.oid: other.__handle__ for other in others if other.__handle__.oid != mine.oid}
        return self._with(mine.follow(HandleForm.MERGED, [], list(infos.values()))) if infos else self

    def _with(self, info: HandleInfo) -> Self:
        return _revive(type(self), info)

    # As a value

    def encode_node(self) -> tuple[int, Oid, bytes]:
        """Return its handle node: kind, oid and canonical bytes."""
        info = self.__handle__
        return int(Kind.HANDLE), info.oid, info.data

    def iter_node_parts(self) -> Iterable[Part]:
        """Return what must be stored before its node."""
        return [part for part in self.__handle__.unstored if part[0] != self.__handle__.oid]

    def preprocess(self, preprocess_args: dict[str, Any]) -> Self:  # noqa: ARG002  (a hook's signature)
        """Return the handle made anew, in the thread of the job that gets it."""
        handle = self._with(self.__handle__)
        handle._make()
        return handle

    def postprocess(self, postprocess_args: dict[str, Any]) -> Self:
        """Return the handle as it is after the call."""
        return self.apply_call(postprocess_args["pre_call_hash"])

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Handle) and self.__handle__.oid == other.__handle__.oid

    def __hash__(self) -> int:
        return hash(self.__handle__.oid)

    def __repr__(self) -> str:
        info = self.__handle__
        return f"{type(self).__name__}(fullname={info.fullname}, hash={short(info.oid)})"

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return _revive, (type(self), self.__handle__)

    # What it stands for

    def __getattr__(self, name: str) -> Any:
        # Only what neither the handle nor its class has comes here.  Python itself asks for double underscores.
        if name.startswith("__"):
            raise AttributeError(f"{type(self).__name__!r} has no attribute {name!r}")
        if "__unmade__" in self.__dict__:
            self._make()
            return getattr(self, name)
        if name == "instance":
            raise AttributeError(f"{self!r} has no instance: its constructor sets none")
        return getattr(self.instance, name)

    def _make(self) -> None:
        """Run the constructor; a handle whose constructor raised can be tried again."""
        info = self.__handle__
        self.__dict__.pop("__unmade__", None)
        positional = info.args if "name" in info.kwargs else (info.name, *info.args)
        try:
            self.__init__(*positional, **info.kwargs)  # type: ignore[misc]
        except BaseException:
            self.__dict__["__unmade__"] = True
            raise


def _capture(cls: type[Handle], args: tuple[Any, ...], kwargs: dict[str, Any]) -> HandleInfo:
    """Return the root state of a handle whose constructor is given these arguments."""
    given: Any = kwargs["name"] if "name" in kwargs else args[0] if args else None
    namespace = kwargs.get("namespace")
    if namespace is None:
        module = sys.modules.get(cls.__module__)
        named = getattr(module, "redun_namespace", None)
        namespace = cls._handle_namespace if named is None else named
    try:
        fullname = join_fullname(check_namespace(namespace), check_name(given))
    except (TypeError, ValueError) as error:
        raise HandleError(str(given), f"it needs a name as its first argument: {error}") from None
    rest = args if "name" in kwargs else args[1:]
    arguments = (rest, dict(sorted(kwargs.items())))
    try:
        encoded = encode_value(arguments)
    except ValueNotEncodable as error:
        raise HandleError(fullname, f"what its constructor is given must be plain data: {error}") from error
    pickled = find_pickled_types(encoded)
    if pickled:
        raise HandleError(fullname, f"what its constructor is given must be plain data, found {', '.join(pickled)}")
    record = HandleRecord(HandleForm.ROOT, [encoded.oid], [cls.type_name, fullname])
    links = (*encoded.parts, (encoded.oid, encoded.data, encoded.kind))
    return HandleInfo(fullname, arguments, record, None, links)


def _revive(cls: type[AnyHandle], info: HandleInfo) -> AnyHandle:
    """Return a handle of a state, whose constructor runs when somebody needs it."""
    handle = object.__new__(cls)
    handle.__dict__["__handle__"] = info
    handle.__dict__["__unmade__"] = True
    return handle


def _decode(node: Node, oid: Oid, read: Read) -> Handle:
    record = HandleRecord.decode(node)
    root_oid = oid if record.form is HandleForm.ROOT else record.links[0]
    root = record if root_oid == oid else HandleRecord.decode(decode_node(read(root_oid)))
    type_name, fullname = root.texts
    cls = find_value_class(type_name)
    if not issubclass(cls, Handle):
        raise TypeError(f"{type_name} is no class of handles")
    info = HandleInfo(fullname, decode_value(root.links[0], read, allow_pickle=False), record, root_oid)
    info.note_stored()
    return _revive(cls, info)


register_kind(Kind.HANDLE, _decode)
