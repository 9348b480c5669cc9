"""Which files a job wrote, and keeping their contents.

This runs in the thread of the job, right after its function: what a job wrote is read once, there, while the disk's
cache still holds it.
"""

from __future__ import annotations

from typing import Any

from redun.expression import Expression, SimpleExpression, TaskExpression, ValueExpression
from redun.file import File
from redun.file.keep import keep_file
from redun.file.produced import is_executable, mark_end, was_produced
from redun.file.state import FileState, check_file
from redun.hashing import Oid
from redun.scheduler.disk_full import is_full
from redun.scheduler.owned import ATOMS
from redun.store.base import ObjectStore
from redun.value.nested import iter_nested_value
from redun.value.registry import get_type_registry

ProducedFiles = dict[Oid, bool]
"""The files that a job wrote, each with whether its owner may execute it."""


class FileKeeper:
    """Settles the files in what a function returned."""

    def __init__(self, store: ObjectStore, keep_bytes: int) -> None:
        """Contents of up to ``keep_bytes`` bytes are kept."""
        self._store = store
        self._keep_bytes = keep_bytes

    def settle(self, value: Any, start_ns: int) -> ProducedFiles | None:
        """Return which of the files in a value were written since ``start_ns``, after keeping their contents."""
        produced: ProducedFiles = {}
        end_ns = mark_end()
        for file in _iter_files(value):
            if was_produced(file, start_ns, end_ns) and file.exists():
                self._keep(file)
                produced[file.encode_node()[1]] = is_executable(file.path)
        return produced or None

    def _keep(self, file: File) -> None:
        try:
            keep_file(file, self._store.put_file, limit_bytes=self._keep_bytes)
        except OSError as error:
            if not is_full(error):
                raise  # else the file is there, and can only not be put back later

    def find_disturbed(self, arguments: Any, value: Any) -> list[str]:
        """Return the paths of given files that changed while the job ran, not by its own doing.

        Its own doing is a write through the file API, or to a path that its result names.  A file that is gone was
        consumed by the job, as far as anybody can tell.
        """
        named = {file.path for file in _iter_files(value)} if type(value) not in ATOMS else set()
        return [
            file.path
            for file in _iter_files(arguments)
            if file.path not in named
            and check_file(file.record).state is FileState.DIFFERENT
            and not was_produced(file, *_NEVER)
        ]


_NEVER = (1, 0)  # a span of time that holds no moment: only writes that redun saw count


def _iter_files(value: Any) -> list[File]:
    """Return the files in a value, in the arguments of its unevaluated calls, and within other values."""
    files: dict[int, File] = {}
    stack = [value]
    opened: set[int] = set()  # a part may stand in many places: x + x of x + x of ...
    subvalues = get_type_registry().iter_subvalues
    while stack:
        for part in iter_nested_value(stack.pop()):
            if isinstance(part, File):
                files[id(part)] = part
            elif isinstance(part, (TaskExpression, SimpleExpression)):
                if id(part) not in opened:
                    opened.add(id(part))
                    stack.extend((*part.args, *part.kwargs.values()))
            elif isinstance(part, ValueExpression):
                stack.append(part.value)
            elif not isinstance(part, Expression):
                stack.extend(subvalues(part))
    return list(files.values())
