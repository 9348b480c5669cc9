"""FileCache: a proxy whose values lie in files of their own, of which only the names are recorded.

The invariant: a file is named by the hash of its content, so a name that is found again stands for the same bytes; a
file that is gone or damaged makes the value undecodable, which is a cache miss, never another value.

Users know it as ``redun.value.FileCache``.  It stands here because it writes files, and files stand on values.
"""

from __future__ import annotations

import pickle
from typing import Any, ClassVar

from redun.file.errors import RedunFileNotFoundError
from redun.file.file import File
from redun.hashing import hash_blob
from redun.value.errors import InvalidValueError
from redun.value.value import ProxyValue

_PROTOCOL = 4  # fixed: another default in a later Python must not change the names

_damaged: set[str] = set()
"""Files that were found with a content that is not theirs: written again when their value is."""


class CachedFileInvalid(InvalidValueError):
    """The file in which a value lies is gone or damaged."""

    def __init__(self, path: str, why: str) -> None:
        super().__init__(f"the value lies in {path}, which {why}")
        self.path = path

    def __reduce__(self) -> tuple[type[InvalidValueError], tuple[str]]:
        return InvalidValueError, (str(self),)


class FileCache(ProxyValue):
    """Keeps values of a foreign type as files under ``base_path``, a folder or URL; derive from it and set ``type``.

    The store has the file's name only, not ``base_path``: the folder may be another one on another machine, and where
    the file is not there, the job runs again.  Files are never removed.
    """

    type_name = "redun.FileCache"
    base_path: ClassVar[str] = "."

    def _serialize(self) -> bytes:
        """Return what the file holds, made of ``self.instance``; equal bytes for equal values.  Default: its pickle."""
        return pickle.dumps(self.instance, _PROTOCOL)

    @classmethod
    def _deserialize(cls, data: bytes) -> Any:
        """Return the value that a file holds."""
        return pickle.loads(data)

    def is_valid(self) -> bool:
        """Tell whether the value still holds: one at hand does, since reading it has found its file.

        That a class answers for itself keeps calls above from being reused in one step, without a look at the file.
        """
        return True

    def serialize(self) -> bytes:
        content = self._serialize()
        name = hash_blob(content).hex()
        path = self._path_of(name)
        if path in _damaged or _size_of(path) != len(content):
            File(path).write(content)
            _damaged.discard(path)
        return name.encode()

    @classmethod
    def deserialize(cls, raw_type: Any, data: bytes) -> Any:  # noqa: ARG003  (a hook's full signature)
        path = cls._path_of(data.decode())
        try:
            with File(path).open("rb") as stream:
                content = stream.read()
        except RedunFileNotFoundError:
            raise CachedFileInvalid(path, "is missing") from None
        if hash_blob(content).hex().encode() != data:
            _damaged.add(path)
            raise CachedFileInvalid(path, "holds something else")
        return cls._deserialize(content)

    @classmethod
    def _path_of(cls, name: str) -> str:
        return f"{cls.base_path.rstrip('/')}/{name}"


def _size_of(path: str) -> int | None:
    try:
        return File(path).size()
    except RedunFileNotFoundError:
        return None
