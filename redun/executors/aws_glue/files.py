"""What Glue needs in S3 before it runs a call: the driver script, redun as a zip file, and files of the user's own.

Each lies in the scratch under the hash of its content, ``glue/<hash>/<name>``, so it is sent once and a changed file is
another; what is an ``s3://`` URL already stays where it is.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable, Iterator
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

from redun.executors.remote.submitter import SubmitterError
from redun.hashing import hash_blob
from redun.store.location import locate, open_storage

FOLDER = "glue"
_ZIP_TIME = (1980, 1, 1, 0, 0, 0)
"""Of every entry, so that the same sources make the same bytes."""


class MissingExtraFile(SubmitterError):
    """A file that an option names is not there."""

    def __init__(self, option: str, path: str) -> None:
        super().__init__(f"expected a file at {path}, which option {option!r} names, found none")
        self.option = option
        self.path = path


class GlueFiles:
    """Files of one scratch."""

    def __init__(self, scratch: str, base: Path | None = None) -> None:
        """``base``: where relative paths start; the working directory when None."""
        self.url = locate(scratch, base or Path.cwd()).rstrip("/")
        self._base = base or Path.cwd()
        self._storage = open_storage(self.url)
        self._sent: set[str] = set()

    def send(self, name: str, content: bytes) -> str:
        """Send a content under its hash; return its URL.  Raises OSError."""
        place = f"{FOLDER}/{hash_blob(content).hex()}/{name}"
        if place not in self._sent:
            if self._storage.size(place) != len(content):
                self._storage.write(place, content)
            self._sent.add(place)
        return f"{self.url}/{place}"

    def send_each(self, option: str, paths: Iterable[str]) -> list[str]:
        """Send files of this machine; return the URL of each.

        Raises:
            MissingExtraFile: one is not there.
            OSError: the scratch cannot be written.
        """
        urls = []
        for path in paths:
            if "://" in path:
                urls.append(path)
                continue
            place = self._base / Path(path).expanduser()
            if not place.is_file():
                raise MissingExtraFile(option, path)
            urls.append(self.send(place.name, place.read_bytes()))
        return urls


def driver_script() -> bytes:
    """Return the text of the script that Glue runs."""
    return Path(__file__).with_name("driver.py").read_bytes()


def redun_zip() -> bytes:
    """Return redun itself as a zip file that Python can import from."""
    root = Path(__file__).parents[3]
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as package:
        for path in sorted((root / "redun").rglob("*")):
            if path.suffix == ".py" or path.name == "py.typed":
                info = zipfile.ZipInfo(path.relative_to(root).as_posix(), _ZIP_TIME)
                info.compress_type = zipfile.ZIP_DEFLATED
                package.writestr(info, path.read_bytes())
    return out.getvalue()


def redun_requirements() -> list[str]:
    """Return what redun needs besides itself, as pip takes it; with s3fs, by which a worker reaches its scratch."""
    return [*_iter_requirements(), "s3fs"]


def _iter_requirements() -> Iterator[str]:
    try:
        found = requires("redun") or []
    except PackageNotFoundError:  # run from a checkout that was not installed: whoever did that sees to it
        found = []
    for requirement in found:
        text, _, marker = requirement.partition(";")
        if "extra" not in marker:
            yield text.replace(" ", "")
