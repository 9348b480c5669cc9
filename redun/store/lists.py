"""Small lists that lie among the packs, where whoever lists these sees them without another request.

The invariant: a list is written whole, under a name that nobody else takes, and never changed.  What the kinds of list
say stand in docs/format/condemned.md, absent.md and forgotten.md.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from datetime import datetime, timezone

from redun.store.pack_format import FOLDER
from redun.store.storage import Storage

_NAME = re.compile(rf"{FOLDER}/\d{{8}}T\d{{6}}\.\d{{6}}Z-[0-9a-f]{{8}}\.[a-z]+")


def is_list_name(name: str, suffix: str) -> bool:
    """Tell whether a name in a storage is that of a list of one kind, given its suffix with the dot."""
    return name.endswith(suffix) and _NAME.fullmatch(name) is not None


def written_us(name: str) -> int:
    """Return when a list was written, by its name: microseconds since 1970 UTC."""
    text = name.rpartition("/")[2].partition("Z-")[0]
    moment = datetime.strptime(text, "%Y%m%dT%H%M%S.%f").replace(tzinfo=timezone.utc)
    return round(moment.timestamp() * 1_000_000)


def write_list(storage: Storage, suffix: str, lines: Iterable[str], now_us: int) -> str:
    """Write a list; return its name.

    Args:
        storage: holds the packs.
        suffix: says what kind of list it is, with the dot.
        lines: the first names its version.
        now_us: microseconds since 1970 UTC, for the name.

    Raises:
        OSError, StoreError: it cannot be written.
    """
    moment = datetime.fromtimestamp(now_us / 1e6, timezone.utc)
    name = f"{FOLDER}/{moment:%Y%m%dT%H%M%S.%fZ}-{os.urandom(4).hex()}{suffix}"
    storage.write(name, "".join(f"{line}\n" for line in lines).encode())
    return name
