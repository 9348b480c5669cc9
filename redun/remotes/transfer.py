"""What push and fetch share: contents checked while they stream, and the record of what a transfer did."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from blake3 import blake3

from redun.errors import RemoteError
from redun.hashing import Oid
from redun.objects.oid import short

OnProgress = Callable[[int, int, str], None]
"""Told (bytes done, bytes in all, what is being done); 0 bytes in all means: not known."""

LARGE_CONTENT_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Skipped:
    """An execution or an edit of tags that was not transferred, and why."""

    name: str  # of its ref
    why: str


@dataclass(frozen=True, slots=True)
class TransferReport:
    """What a push, fetch or pull did, or with a dry run would do."""

    remote: str
    location: str
    executions: int = 0
    objects: int = 0  # large contents included
    transferred_bytes: int = 0  # as written: compressed
    skipped: tuple[Skipped, ...] = ()
    is_dry_run: bool = False
    tag_edits: int = 0  # made outside of runs; those of a run are part of its execution
    refused: tuple[Skipped, ...] = ()  # refs that nobody vouches for whose key is required
    withheld: int = 0  # objects that were not taken, from where only data is trusted
    contents: int = 0  # large contents that had been left at the remote, and came now
    promised: int = 0  # large contents that were left there
    promised_bytes: int = 0
    merged_packs: int = 0  # small packs at the remote that were made one, after a push

    @property
    def is_up_to_date(self) -> bool:
        """Whether there was nothing to do."""
        return not (self.executions or self.tag_edits or self.contents or self.skipped)


class ContentChanged(RemoteError):
    """A content is not, or no longer, what its name says."""

    def __init__(self, oid: Oid, where: str) -> None:
        super().__init__(f"the content at {where} does not hash to {short(oid)}")
        self.oid = oid


def checked(pieces: Iterable[bytes], oid: Oid, where: str) -> Iterator[bytes]:
    """Pass pieces on and raise ContentChanged at their end when together they are not the blob ``oid``.

    A Storage that is given this writes the whole content or nothing.
    """
    hasher = blake3()
    for piece in pieces:
        hasher.update(piece)
        yield piece
    if hasher.digest() != oid:
        raise ContentChanged(oid, where)


def ignore_progress(_done: int, _total: int, _label: str) -> None:
    """Tell nobody."""
