"""Code packages: the project's own code as one file, so that workers elsewhere run what runs here.

A package is a tar.gz with the same bytes for the same files: members in order of name, no times, no owners, no name or
time in the gzip header.  It is named by the BLAKE3 of its bytes, so it is sent once per version.  Invariants: nothing
from outside the folder gets in, and nothing gets out of the folder that it is unpacked in.
"""

from __future__ import annotations

import gzip
import io
import os
import re
import tarfile
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from redun.errors import ExecutorError
from redun.hashing import hash_blob
from redun.store.storage import BadName, check_name

MAX_CODE_BYTES = 256 << 20
"""More than that is data that the patterns let in: each worker would unpack it."""
MAX_CODE_ENTRIES = 200_000
"""Looking at more takes minutes: that is no project, but a home folder or a disk."""
LEFT_OUT = frozenset({
    *(".git", ".hg", ".svn", ".redun", ".venv", "node_modules", "__pycache__", ".tox", ".nox"),
    *(".mypy_cache", ".pytest_cache", ".ruff_cache", ".ipynb_checkpoints"),
})  # fmt: skip
"""Folders that no pattern reaches into; nor is any virtual environment, whatever its name."""
_VIRTUAL_ENVIRONMENT = "pyvenv.cfg"
_EXCLUDES_HINT = "code_excludes leaves files out; data is better handed to tasks as files"


class BadCodePackage(ExecutorError):
    """A code package cannot be made, or is not one."""


class CodePackage(NamedTuple):
    """A tar.gz of code, and its name."""

    digits: str  # BLAKE3 of the bytes, 64 hex digits
    data: bytes


def pack_code(base: Path, includes: Sequence[str], excludes: Sequence[str] = ()) -> CodePackage:
    """Return a package of the files below a folder.

    Args:
        base: the folder.
        includes: patterns of paths relative to it: ``*`` is any text without a slash, ``**/`` any folders or none.
        excludes: patterns of what is left out; one that fits a folder leaves out all below it.

    Raises:
        BadCodePackage: a pattern or a link leads out of the folder, no file fits, they are too many, or one cannot be
            read.
    """
    try:
        return _pack(base.resolve(), includes, excludes)
    except OSError as error:
        raise BadCodePackage(f"the code in {base} cannot be read: {error}", hint=_EXCLUDES_HINT) from error


def _pack(base: Path, includes: Sequence[str], excludes: Sequence[str]) -> CodePackage:
    names = sorted(_iter_files(base, _compile(includes), _compile(excludes)))
    if not names:
        raise BadCodePackage(
            f"no file in {base} fits code_includes {' '.join(includes)}",
            hint="code_package = false sends no code, where workers have it already",
        )
    packed = io.BytesIO()
    with (
        gzip.GzipFile(filename="", fileobj=packed, mode="wb", mtime=0) as zipped,
        tarfile.open(fileobj=zipped, mode="w", format=tarfile.GNU_FORMAT) as tar,
    ):
        n_bytes = 0
        for name in names:
            content, info = _read(base / name, name)
            n_bytes += info.size
            if n_bytes > MAX_CODE_BYTES:
                raise BadCodePackage(
                    f"expected at most {MAX_CODE_BYTES} bytes of code in {base}, found more",
                    hint=_EXCLUDES_HINT,
                )
            tar.addfile(info, io.BytesIO(content))
    return _name(packed.getvalue())


def read_code(path: Path) -> CodePackage:
    """Return a package that somebody made.

    Raises:
        BadCodePackage: there is no such file, or it is no tar.gz that could be unpacked.
    """
    try:
        package = _name(path.read_bytes())
    except OSError as error:
        raise BadCodePackage(f"the code package {path} cannot be read: {error.strerror}") from error
    for _ in _iter_members(package.data):
        pass
    return package


def unpack_code(package: bytes, folder: Path) -> None:
    """Write what is in a package into an empty folder.

    Raises:
        BadCodePackage: it is damaged, or holds a link, a device, or a path that leads out of the folder.
        OSError: a file cannot be written.
    """
    for info, content in _iter_members(package):
        path = folder / info.name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        path.chmod(0o755 if info.mode & 0o100 else 0o644)


def _name(data: bytes) -> CodePackage:
    return CodePackage(hash_blob(data).hex(), data)


def _read(path: Path, name: str) -> tuple[bytes, tarfile.TarInfo]:
    content = path.read_bytes()
    info = tarfile.TarInfo(name)
    info.size = len(content)
    info.mode = 0o755 if path.stat().st_mode & 0o100 else 0o644
    return content, info


def _iter_members(package: bytes) -> Iterator[tuple[tarfile.TarInfo, bytes]]:
    """Yield the files of a package; folders come with their files."""
    n_bytes = 0
    try:
        with tarfile.open(fileobj=io.BytesIO(package), mode="r:gz") as tar:
            for info in tar:
                if info.isdir():
                    continue
                if not info.isreg():
                    raise BadCodePackage(f"expected files in the code package, found {info.name} to be something else")
                info.name = check_name(info.name.removeprefix("./"))
                n_bytes += info.size
                if n_bytes > MAX_CODE_BYTES:
                    raise BadCodePackage(f"expected at most {MAX_CODE_BYTES} bytes in the code package, found more")
                stream = tar.extractfile(info)
                assert stream is not None, "it is a file"
                yield info, stream.read()
    except BadName as error:
        raise BadCodePackage(f"a path in the code package leads out of it: {error}") from error
    except (tarfile.TarError, EOFError, gzip.BadGzipFile, OSError) as error:
        raise BadCodePackage(f"the code package is no whole tar.gz: {error}") from error


def _iter_files(base: Path, includes: list[re.Pattern[str]], excludes: list[re.Pattern[str]]) -> Iterator[str]:
    """Yield the relative paths of the files that go in."""
    folders, n_entries = [""], 0
    while folders:
        inside = folders.pop()
        with os.scandir(base / inside) as entries:
            for entry in entries:
                name = f"{inside}/{entry.name}" if inside else entry.name
                n_entries += 1
                if n_entries > MAX_CODE_ENTRIES:
                    hint = "run in the project's folder, or leave folders out with code_excludes"
                    raise BadCodePackage(
                        f"expected a project in {base}, found over {MAX_CODE_ENTRIES} files", hint=hint
                    )
                if _fits(excludes, name):
                    continue
                if entry.is_dir():
                    if _is_entered(entry, base):
                        folders.append(name)
                elif entry.is_file() and _fits(includes, name):
                    _refuse_outside(entry, base)
                    yield name


def _is_entered(entry: os.DirEntry[str], base: Path) -> bool:
    if entry.name in LEFT_OUT or (Path(entry.path) / _VIRTUAL_ENVIRONMENT).exists():
        return False
    if not entry.is_symlink():
        return True
    target, here = Path(entry.path).resolve(), Path(entry.path).parent.resolve()
    # A link to a folder above itself would have no end.
    return target.is_relative_to(base) and not here.is_relative_to(target)


def _refuse_outside(entry: os.DirEntry[str], base: Path) -> None:
    target = Path(entry.path).resolve()
    if entry.is_symlink() and not target.is_relative_to(base):
        raise BadCodePackage(
            f"expected code inside {base}, found {entry.path} to be a link to {target}",
            hint="code_excludes leaves it out",
        )


def _fits(patterns: Iterable[re.Pattern[str]], name: str) -> bool:
    return any(pattern.fullmatch(name) for pattern in patterns)


def _compile(patterns: Sequence[str]) -> list[re.Pattern[str]]:
    return [_translate(pattern) for pattern in patterns]


@lru_cache(maxsize=256)
def _translate(pattern: str) -> re.Pattern[str]:
    text = pattern.removeprefix("./").rstrip("/")
    if not text or text.startswith("/") or ".." in text.split("/"):
        raise BadCodePackage(f"expected a pattern of paths inside the project, found {pattern!r}")
    parts = re.findall(r"\*\*/|\*\*|\*|\?|\[[^\]]+\]|[^*?\[]+|\[", text)
    spelled = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    made = [spelled.get(part) or _literal_or_class(part) for part in parts]
    return re.compile("".join(made), re.DOTALL)


def _literal_or_class(part: str) -> str:
    if part.startswith("[") and len(part) > 1:
        inner = part[1:-1].replace("\\", "\\\\")
        return f"[^{inner[1:]}]" if inner.startswith("!") else f"[{inner}]"
    return re.escape(part)
