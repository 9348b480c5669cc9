"""What a repository notes beside its objects: which are missing on purpose or promised, which results must not serve.

The invariant: the notes are the union of all lists there are, whatever their order, so anybody may add one at any time.
Formats: docs/format/absent.md, docs/format/forgotten.md, docs/format/promised.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from redun.hashing import Oid
from redun.objects.oid import prefix_range
from redun.store import absent, forgotten, promised
from redun.store.absent import Absence, Cause, merge_absences, parse_absence
from redun.store.forgotten import Forgotten, parse_forgotten
from redun.store.lists import is_list_name
from redun.store.promised import Promise, parse_promise
from redun.store.storage import NameMissing, Storage

_VERSIONS = {
    absent.SUFFIX: absent.VERSION_LINE,
    forgotten.SUFFIX: forgotten.VERSION_LINE,
    promised.SUFFIX: promised.VERSION_LINE,
}


def is_note(name: str) -> bool:
    """Tell whether a name in a storage is that of a list of absent, forgotten or promised objects."""
    return any(is_list_name(name, suffix) for suffix in _VERSIONS)


class Notes:
    """The notes of one repository, as they were when its packs were last listed."""

    def __init__(self, storage: Storage, warn: Callable[[str], None]) -> None:
        """Make empty notes; ``warn`` is told of each list that cannot be understood."""
        self._storage = storage
        self._warn = warn
        self._lines: dict[str, list[str]] = {}  # by name of the list: it never changes
        self.strange: set[str] = set()
        """Lists that say something that is not understood."""
        self.absent: dict[Oid, Absence] = {}
        self.promised: dict[Oid, Promise] = {}  # whether they have come or not
        self.forgotten: Forgotten | None = None  # None where nothing is: it is asked for each job

    @property
    def names(self) -> list[str]:
        """The names of the lists."""
        return list(self._lines)

    @property
    def is_asking(self) -> bool:
        """Whether something is absent here that may come back."""
        return any(one.cause is Cause.WITHHELD for one in self.absent.values())

    def find_absences(self, prefix: str) -> list[Absence]:
        """Return what is absent and has an oid that begins with a prefix, in order of oid."""
        low, high = prefix_range(prefix)
        return sorted(one for one in self.absent.values() if low <= one.oid <= high)

    def update(self, names: Iterable[str]) -> None:
        """Take in the lists of these names, and let go of those that are not among them."""
        listed = list(names)
        if listed == list(self._lines):
            return
        self.strange.intersection_update(listed)
        self._lines = {name: self._lines[name] if name in self._lines else self._read(name) for name in listed}
        absences = [parse_absence(line) for line in self._gather(absent.SUFFIX)]
        self.absent = merge_absences(one for one in absences if one is not None)
        promises = [parse_promise(line) for line in self._gather(promised.SUFFIX)]
        purged = {oid for oid, one in self.absent.items() if one.cause is Cause.PURGED}
        self.promised = {one.oid: one for one in promises if one is not None and one.oid not in purged}
        self.forgotten = parse_forgotten(self._gather(forgotten.SUFFIX))[0] or None

    def _gather(self, suffix: str) -> list[str]:
        return [line for name, lines in self._lines.items() if name.endswith(suffix) for line in lines]

    def _read(self, name: str) -> list[str]:
        version = _VERSIONS["." + name.rpartition(".")[2]]
        try:
            head, *lines = self._storage.read(name).decode().splitlines() or [""]
        except NameMissing:
            return []  # merged into another since the listing
        except UnicodeDecodeError:
            head, lines = "", []
        if head != version:
            self.strange.add(name)
            self._warn(f"{name} is not understood: expected the first line {version!r}, found {head[:60]!r}")
            return []
        for line in lines:
            if not _is_understood(version, line):
                self.strange.add(name)
                self._warn(f"{name}: a line is not understood: {line[:100]!r}")
        return lines


def _is_understood(version: str, line: str) -> bool:
    if version == absent.VERSION_LINE:
        return parse_absence(line) is not None
    if version == promised.VERSION_LINE:
        return parse_promise(line) is not None
    return not parse_forgotten([line])[1]
