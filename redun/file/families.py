"""The families: which classes of file, set, folder and staging belong together.

A folder of immutable files yields immutable files, and staging one gives an immutable staging: whoever makes one of
them from another looks the class up in ``classes``.
"""

from __future__ import annotations

from typing import NamedTuple

from redun.file.content import ContentDir, ContentFile, ContentFileSet, ContentStagingDir, ContentStagingFile
from redun.file.file import File
from redun.file.fileset import Dir, FileSet
from redun.file.immutable import IDir, IFile, IFileSet, IStagingDir, IStagingFile
from redun.file.staging import StagingDir, StagingFile


class FileClasses(NamedTuple):
    """One family; each of its classes points to it as ``classes``."""

    File: type[File]
    FileSet: type[FileSet]
    Dir: type[Dir]
    StagingFile: type[StagingFile]
    StagingDir: type[StagingDir]


FAMILIES = (
    FileClasses(File, FileSet, Dir, StagingFile, StagingDir),
    FileClasses(IFile, IFileSet, IDir, IStagingFile, IStagingDir),
    FileClasses(ContentFile, ContentFileSet, ContentDir, ContentStagingFile, ContentStagingDir),
)

for _family in FAMILIES:
    for _member in _family:
        _member.classes = _family
