"""Files as values: identity by content, the stat cache, restoring.

Importing this registers how files are stored, so everything that decodes values imports it.  It does not load fsspec.
"""

from redun.file.errors import RedunFileNotFoundError, RedunOSError, RedunPermissionError
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
from redun.file.local_filesystem import set_hash_mode

__all__ = [
    "Dir",
    "File",
    "FileSet",
    "FileSystem",
    "RedunFileNotFoundError",
    "RedunOSError",
    "RedunPermissionError",
    "copy_file",
    "get_filesystem",
    "glob_file",
    "list_filesystems",
    "open_file",
    "register_filesystem",
    "set_hash_mode",
]
