"""Small functions under the names that users of the language import from here; redun itself imports nothing of it.

What redun has of its own (walks over nested values, merging of dicts) is the same thing under both names.
"""

from __future__ import annotations

import io
import pickle
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import reduce
from itertools import chain
from typing import IO, Any, Generic, TypeVar

from redun import context
from redun.value.nested import iter_nested_value, map_nested_value

__all__ = [
    "MultiMap",
    "PreviewClass",
    "PreviewUnpicklable",
    "add_import_path",
    "format_table",
    "iter_nested_value",
    "map_nested_value",
    "merge_dicts",
    "pickle_dump",
    "pickle_dumps",
    "pickle_loads",
    "pickle_preview",
    "trim_string",
]

K = TypeVar("K")
V = TypeVar("V")

PICKLE_PROTOCOL = 4
_MISSING = object()


# -- containers


def merge_dicts(dicts: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Return one dict of several, the later over the earlier; where both have a dict, the dicts are merged."""
    return reduce(context.merge_dicts, dicts, {})


class MultiMap(Generic[K, V]):
    """A dict that keeps all values of a key, in the order in which they were added."""

    def __init__(self, items: Iterable[Sequence[Any]] = ()) -> None:
        """``items`` are pairs of a key and a value."""
        self._values: dict[K, list[V]] = {}
        for key, value in items:
            self.add(key, value)

    def add(self, key: K, value: V) -> None:
        """Add a value to those of a key."""
        self._values.setdefault(key, []).append(value)

    def get(self, key: K, default: Any = _MISSING) -> Any:
        """Return the values of a key; ``default``, an empty list when not given, for a key that there is not."""
        found = self._values.get(key)
        if found is not None:
            return found
        return [] if default is _MISSING else default

    def has_item(self, key: K, value: V) -> bool:
        """Tell whether a key has a value."""
        return value in self._values.get(key, ())

    def keys(self) -> Iterator[K]:
        """Yield each key once."""
        return iter(self._values)

    def values(self) -> Iterator[V]:
        """Yield all values, key by key."""
        return chain.from_iterable(self._values.values())

    def items(self) -> Iterator[tuple[K, V]]:
        """Yield all pairs, key by key."""
        return ((key, value) for key, values in self._values.items() for value in values)

    def as_dict(self) -> dict[K, list[V]]:
        """Return the lists of values by key."""
        return {key: list(values) for key, values in self._values.items()}

    def __getitem__(self, key: K) -> list[V]:
        return self._values[key]

    def __contains__(self, key: object) -> bool:
        return key in self._values

    def __iter__(self) -> Iterator[tuple[K, V]]:
        return self.items()

    def __len__(self) -> int:
        return sum(map(len, self._values.values()))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, MultiMap) and self._values == other._values

    __hash__ = None  # type: ignore[assignment]  # as with dict

    def __repr__(self) -> str:
        return f"MultiMap({list(self.items())!r})"


# -- text


def trim_string(text: str, max_length: int = 200, ellipsis: str = "...") -> str:
    """Return a text, cut so that it has at most so many characters, the ellipsis at its end included."""
    return text if len(text) <= max_length else text[: max(0, max_length - len(ellipsis))] + ellipsis


def format_table(table: Sequence[Sequence[Any]], justs: str, min_width: int = 0) -> Iterator[str]:
    """Yield the lines of a table: its head, an empty one, its rows.

    Args:
        table: rows of cells; the first one is the head.
        justs: a letter for each column: ``l`` for cells that stand at its left, ``r`` for its right.
        min_width: of a column, in characters.

    Raises:
        ValueError: another letter.
    """
    if set(justs) - {"l", "r"}:
        raise ValueError(f"expected a letter l or r for each column, found {justs!r}")
    texts = [[str(cell) for cell in row] for row in table]
    widths = [max(min_width, *map(len, column)) for column in zip(*texts)]
    for index, row in enumerate(texts):
        cells = zip(row, justs, widths)
        yield " ".join(cell.rjust(width) if just == "r" else cell.ljust(width) for cell, just, width in cells)
        if index == 0:
            yield ""


# -- imports and pickles


def add_import_path(path: str) -> None:
    """Have modules looked for in a folder first."""
    if path not in sys.path:
        sys.path.insert(0, path)


def pickle_dumps(obj: Any) -> bytes:
    """Return the pickle of an object."""
    return pickle.dumps(obj, PICKLE_PROTOCOL)


def pickle_dump(obj: Any, file: IO[bytes]) -> None:
    """Write the pickle of an object to a file."""
    pickle.dump(obj, file, PICKLE_PROTOCOL)


def pickle_loads(data: bytes) -> Any:
    """Return the object of a pickle.  It runs what is in it: load none that you do not trust."""
    return pickle.loads(data)


class PreviewClass:
    """Stands for an object whose class cannot be imported here: its attributes, below the name of its class."""

    def __init__(self, *args: Any) -> None:
        self._preview_args = args

    def __setstate__(self, state: Any) -> None:
        self.__dict__.update(state if isinstance(state, dict) else {"state": state})

    def __repr__(self) -> str:
        shown = [repr(value) for value in self.__dict__.get("_preview_args", ())]
        shown += [f"{name}={value!r}" for name, value in self.__dict__.items() if name != "_preview_args"]
        return f"{type(self).__name__}({', '.join(shown)})"


class PreviewUnpicklable:
    """Stands for what cannot be unpickled at all."""

    def __init__(self, error: object) -> None:
        self.error = error

    def __repr__(self) -> str:
        return f"Unpicklable({str(self.error)!r})"


class _PreviewUnpickler(pickle.Unpickler):
    def find_class(self, module_name: str, name: str) -> Any:
        try:
            return super().find_class(module_name, name)
        except Exception:
            return type(name, (PreviewClass,), {"__module__": module_name})


def pickle_preview(data: bytes, raise_error: bool = False) -> Any:
    """Return the object of a pickle as far as it can be made here.

    It runs what is in it, as ``pickle_loads``.  Objects of classes that cannot be imported are ``PreviewClass``es.

    Args:
        data: the pickle.
        raise_error: what to do with one that cannot be read at all: raise its error, or return a
            ``PreviewUnpicklable`` with it.
    """
    try:
        return _PreviewUnpickler(io.BytesIO(data)).load()
    except Exception as error:
        if raise_error:
            raise
        return PreviewUnpicklable(error)
