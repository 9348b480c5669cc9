"""Arguments of a task from elsewhere than the command line: a recorded job, or a pickle."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from redun.errors import ConfigError, RedunError


class BadInput(ConfigError):
    """What --input names is no pickle of arguments."""


class NothingRecorded(RedunError):
    """A run that is to be run again cannot be looked up."""


@dataclass(frozen=True, slots=True)
class Recalled:
    """A task by its full name, and what it was called with."""

    fullname: str
    items: tuple[Any, ...]  # of ``*args``
    named: Mapping[str, Any]  # all other arguments


def read_input(path: str) -> tuple[tuple[Any, ...], Mapping[str, Any]]:
    """Read a pickle of ``(args, kwargs)``; the path may be any that ``File`` takes.

    Raises:
        BadInput: there is no such file, or it holds something else.
    """
    args, named = _read_pair(path)
    if isinstance(args, (tuple, list)) and isinstance(named, Mapping):
        return tuple(args), named
    raise BadInput(f"--input {path}: expected a pickle of (args, kwargs), found tuple of others")


def read_element(path: str, rank: int) -> tuple[tuple[Any, ...], Mapping[str, Any]]:
    """Read one of many calls from a pickle of ``(list of args, list of kwargs)``.

    Raises:
        BadInput: there is no such file, or it holds something else, or no such call.
    """
    all_args, all_named = _read_pair(path)
    try:
        return tuple(all_args[rank]), dict(all_named[rank])
    except (LookupError, TypeError, ValueError) as error:
        raise BadInput(f"--input {path}: expected arguments for element {rank}: {error}") from error


def _read_pair(path: str) -> tuple[Any, Any]:
    import pickle

    from redun.file import File

    try:
        with File(path).open("rb") as stream:
            found = pickle.load(stream)
    except Exception as error:  # unpickling runs code of the user's
        raise BadInput(f"--input {path}: cannot be read: {type(error).__name__}: {error}") from error
    if isinstance(found, (tuple, list)) and len(found) == 2:
        return found[0], found[1]
    raise BadInput(f"--input {path}: expected a pickle of (args, kwargs), found {type(found).__name__}")


def recall(session: Any, text: str) -> Recalled:
    """Return what a job or execution on record was asked; ``text`` is its id.

    The script must be loaded: arguments may be of its classes.

    Raises:
        NothingRecorded: there is no repository, or an argument cannot be read any more.
        RefError, ObjectError: as ``find_recorded`` does.
    """
    from redun.provenance.rerun import find_recorded
    from redun.value.encoding import decode_value
    from redun.value.errors import InvalidValueError

    if session.repository is None:
        raise NothingRecorded("there is no repository to look it up in")
    store = session.repository.store
    call = find_recorded(text, store, session.repository.refs, Path.cwd())
    try:
        items = tuple(decode_value(oid, store.get) for oid in call.args)
        named = {name: decode_value(oid, store.get) for name, oid in call.named}
    except InvalidValueError as error:
        raise NothingRecorded(f"an argument of {call.fullname} cannot be read any more: {error}") from error
    return Recalled(call.fullname, items, named)
