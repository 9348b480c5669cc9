"""Files as values: identity by content, the stat cache, restoring.

Importing this registers how files are stored, so everything that decodes values imports it.  It does not load fsspec.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from redun.file.content import ContentDir, ContentFile, ContentFileSet, ContentStagingDir, ContentStagingFile
from redun.file.errors import RedunFileNotFoundError, RedunOSError, RedunPermissionError
from redun.file.families import FileClasses
from redun.file.file import File
from redun.file.fileset import Dir, FileSet
from redun.file.filesystems import (
    FileSystem,
    copy_file,
    get_filesystem,
    glob_file,
    list_filesystems,
    open_file,
    register_filesystem,
)
from redun.file.immutable import IDir, IFile, IFileSet, IStagingDir, IStagingFile
from redun.file.local_filesystem import set_hash_mode
from redun.file.staging import Staging, StagingDir, StagingFile

if TYPE_CHECKING:
    from redun.file.sharded import ShardedS3Dataset as ShardedS3Dataset

__all__ = [
    "ContentDir",
    "ContentFile",
    "ContentFileSet",
    "ContentStagingDir",
    "ContentStagingFile",
    "Dir",
    "File",
    "FileClasses",
    "FileSet",
    "FileSystem",
    "IDir",
    "IFile",
    "IFileSet",
    "IStagingDir",
    "IStagingFile",
    "RedunFileNotFoundError",
    "RedunOSError",
    "RedunPermissionError",
    "ShardedS3Dataset",
    "Staging",
    "StagingDir",
    "StagingFile",
    "copy_file",
    "get_filesystem",
    "glob_file",
    "list_filesystems",
    "open_file",
    "register_filesystem",
    "set_hash_mode",
]


def __getattr__(name: str) -> Any:
    # Most workflows have no dataset, and every start would pay for it.
    if name == "ShardedS3Dataset":
        from redun.file.sharded import ShardedS3Dataset

        return ShardedS3Dataset
    raise AttributeError(f"module 'redun.file' has no attribute {name!r}")
