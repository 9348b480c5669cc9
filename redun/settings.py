"""What redun reads of its settings, as typed records, and the names that it knows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

DURABILITIES = ("off", "commit", "job")
CODE_HASHES = ("closure", "function")
TRUSTS = ("full", "data")
FileHash = Literal["content", "stat"]
DEFAULT_KEEP_BYTES = 16 << 20

STORAGE_KEYS = ("endpoint", "region", "profile", "anonymous", "requester_pays", "account")
REPOSITORY_KEYS = ("url", "durability", "alternates", "read_only", *STORAGE_KEYS, "config_dir")
REMOTE_KEYS = ("url", "auto_pull", "auto_push", "trust", "namespace", "require_signatures", *STORAGE_KEYS)


@dataclass(frozen=True, slots=True)
class SchedulerSettings:
    """``[scheduler]``: what stands here now; other keys are read by whoever they concern."""

    ignore_warnings: tuple[str, ...] = ()
    job_status_interval_seconds: float = 20.0  # 0 or less: no status table
    code_hash: str = "closure"  # "function": a task's own text alone
    setup_scheduler: str | None = None  # "file.py::function" or "module::function" that makes the scheduler


@dataclass(frozen=True, slots=True)
class FileSettings:
    """``[files]``: how files are identified, and up to which size their contents are kept."""

    hash: FileHash = "content"  # "stat": size and time of change, for huge files
    keep_bytes: int = DEFAULT_KEEP_BYTES


@dataclass(frozen=True, slots=True)
class StorageSettings:
    """How to reach what lies at a URL, in ``[repository]`` and ``[remotes.NAME]``; None: as the surroundings say."""

    endpoint: str | None = None  # URL of a server that speaks as the cloud of the URL does
    region: str | None = None
    profile: str | None = None  # of the files that AWS keeps credentials in
    anonymous: bool = False  # sign no request: for a public bucket
    requester_pays: bool = False
    account: str | None = None  # that a container of Azure is in


@dataclass(frozen=True, slots=True)
class RepositorySettings:
    """``[repository]``: where the objects are, when not beside the settings, and when to fsync."""

    url: str | None = None
    durability: str = "commit"
    config_dir: str | None = None  # filled in when the settings were read from a file
    alternates: tuple[str, ...] = ()  # repositories that are read too: paths as written, relative to the project
    storage: StorageSettings = StorageSettings()
    read_only: bool = False  # use what is there, and record nothing


@dataclass(frozen=True, slots=True)
class RemoteSettings:
    """``[remotes.NAME]``: another repository."""

    name: str
    url: str  # as written: a relative path starts at the project directory, the parent of ``.redun``
    storage: StorageSettings = StorageSettings()
    trust: str = "full"  # "data": nothing is taken from there that runs code when it is read
    namespace: str | None = None  # where this repository writes there, apart from what others read
    require_signatures: tuple[str, ...] = ()  # public keys, or files of them; with any, refs of others are refused
