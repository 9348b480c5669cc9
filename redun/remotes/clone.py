"""Clone: a new repository with everything that another one has.

The invariant: where there is a repository already, nothing is cloned over it, except that a clone of the same origin
which was cut off goes on.  The folder around it may hold anything: a checkout of the project's source, as a rule.
"""

from __future__ import annotations

from pathlib import Path

from redun.errors import RemoteError
from redun.remotes.connect import connect, open_remote
from redun.remotes.pull import pull
from redun.remotes.settings import DEFAULT_REMOTE, add_remote, load_remotes
from redun.remotes.transfer import OnProgress, TransferReport, ignore_progress
from redun.remotes.urls import REPOSITORY_FOLDER
from redun.store.location import is_local, locate
from redun.store.repository import Repository


class CloneTargetTaken(RemoteError):
    """There is a repository where a clone was to go."""

    def __init__(self, path: Path) -> None:
        if path.is_dir():
            super().__init__(
                f"expected a folder without {REPOSITORY_FOLDER} at {path}, found one with it",
                hint="`redun remote add` and `redun pull` bring another repository's executions into this one",
            )
        else:
            super().__init__(f"expected a folder or nothing at {path}, found a file", hint="name another folder")
        self.path = path


def clone(
    url: str,
    path: Path,
    *,
    trust: str = "full",
    is_lazy: bool = False,
    on_progress: OnProgress = ignore_progress,
) -> TransferReport:
    """Make ``path/.redun`` with all ended executions of the repository at a URL, which becomes its remote ``origin``.

    Args:
        url: a path (a relative one starts at the working directory) or a URL.
        path: the project directory; made when it is not there.
        trust: "data" takes nothing that runs code when it is read; the settings of the new remote say so too.
        is_lazy: leave large contents there until they are needed.
        on_progress: told now and then how far it is.

    Raises:
        CloneTargetTaken: there is a repository at ``path``, or ``path`` is no folder.
        RemoteError: the URL cannot be reached, holds no repository or a damaged one.
    """
    origin = locate(url, Path.cwd()) if is_local(url) else url
    folder = path / REPOSITORY_FOLDER
    remotes = load_remotes(folder / "redun.ini")
    is_resumed = DEFAULT_REMOTE in remotes and remotes[DEFAULT_REMOTE].url == origin
    if not is_resumed and (folder.exists() or (path.exists() and not path.is_dir())):
        raise CloneTargetTaken(path)
    # Asked before anything is made: a mistyped URL leaves no folder behind.
    open_remote(DEFAULT_REMOTE, origin, path, None).look()
    with Repository.init(folder) as repository:
        if not is_resumed:
            more = {"trust": trust} if trust != "full" else None
            add_remote(repository.config_path, DEFAULT_REMOTE, origin, more)
        remote = connect(repository, DEFAULT_REMOTE)  # of one that goes on, the settings may say whom to trust
        return pull(repository, remote, is_lazy=is_lazy, on_progress=on_progress)
