"""Files that are identified by their content wherever they are: remote ones are read, and settings do not matter.

A ``File`` does that for local files already, but with ``[files] hash = stat`` it does not, and of remote files it takes
what their server tells.  Reading a remote file to identify it costs its transfer; in return, uploading the same bytes
again is no change.
"""

from __future__ import annotations

from redun.file.file import File
from redun.file.fileset import Dir, FileSet
from redun.file.staging import StagingDir, StagingFile
from redun.objects.value_records import CONTENT_SCHEME


class ContentFile(File):
    """A file that is identified by its path and content, wherever it is."""

    type_name = "redun.file.ContentFile"
    identity_scheme = CONTENT_SCHEME


class ContentFileSet(FileSet):
    """The files that match a pattern, each identified by its content."""

    type_name = "redun.file.ContentFileSet"


class ContentDir(Dir):
    """A folder whose files are identified by their content."""

    type_name = "redun.file.ContentDir"


class ContentStagingFile(StagingFile):
    """A file identified by its content, and a local path that scripts know it by."""

    type_name = "redun.file.ContentStagingFile"


class ContentStagingDir(StagingDir):
    """A folder of files identified by content, and a local one that scripts know it by."""

    type_name = "redun.file.ContentStagingDir"
