"""Files that never change: the path is all that identifies them, so nothing is ever read or asked to check them.

For outputs whose names say what is in them, and for places where looking costs more than it is worth.  A file that is
deleted or rewritten all the same goes unnoticed.
"""

from __future__ import annotations

from redun.file.file import File
from redun.file.fileset import Dir, FileSet
from redun.file.identity import PATH_SCHEME
from redun.file.staging import StagingDir, StagingFile


class IFile(File):
    """A file that never changes: its hash is of its path alone."""

    type_name = "redun.file.IFile"
    identity_scheme = PATH_SCHEME


class IFileSet(FileSet):
    """The files that match a pattern, which never change: its hash is of the pattern alone."""

    type_name = "redun.file.IFileSet"
    is_fixed = True


class IDir(Dir):
    """A folder that never changes: its hash is of its path alone."""

    type_name = "redun.file.IDir"
    is_fixed = True


class IStagingFile(StagingFile):
    """A file that never changes, and a local path that scripts know it by."""

    type_name = "redun.file.IStagingFile"


class IStagingDir(StagingDir):
    """A folder that never changes, and a local one that scripts know it by."""

    type_name = "redun.file.IStagingDir"
