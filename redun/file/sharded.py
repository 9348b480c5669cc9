"""ShardedS3Dataset: a table that lies in many files of one format below one folder.

It is a set of files: its hash covers path, format, the names of the shards and what identifies each, so that
rewriting a shard in place is a change.  The name is the one that users know; it works on any path or URL.

Readers and writers live in ``shards_pandas`` and ``shards_spark``, which load their libraries on use.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Mapping, Sequence
from itertools import takewhile
from typing import Any, ClassVar

from redun.errors import RedunError
from redun.file.file import File
from redun.file.fileset import FileSet
from redun.file.filesystems import Found
from redun.objects.oid import SHORT_DIGITS

FORMATS = ("avro", "csv", "ion", "grokLog", "json", "orc", "parquet", "xml")
_SECONDS_PER_HOUR = 3600


class BadDataset(RedunError, ValueError):
    """A dataset's format, or the files that it is to be made of, do not do."""


class ShardedS3Dataset(FileSet):
    """The files of one format below a folder, as one table.

    Args:
        path: the folder, a path or URL.
        format: one of "avro", "csv", "ion", "grokLog", "json" (a record a line), "orc", "parquet", "xml"; the shards
            are the files whose names end with a dot and this.
        recurse: whether shards in folders below count.

    Raises:
        BadDataset: the format is none of these.
    """

    type_name = "redun.file.ShardedS3Dataset"
    formats: ClassVar[tuple[str, ...]] = FORMATS

    def __init__(self, path: str | os.PathLike[str], format: str = "parquet", recurse: bool = True) -> None:
        if format not in FORMATS:
            raise BadDataset(f"expected a format out of {', '.join(FORMATS)}, found {format!r}")
        text = os.fspath(path)
        self._path = text.rstrip("/") or text[:1]
        self._format = format
        self._recurse = recurse
        folder = _as_pattern(self._path.rstrip("/"))
        super().__init__(f"{folder}/{'**/' if recurse else ''}*.{format}")

    @property
    def path(self) -> str:
        """The folder."""
        return self._path

    @property
    def format(self) -> str:
        """The format of the shards, and the end of their names."""
        return self._format

    @property
    def recurse(self) -> bool:
        """Whether shards in folders below count."""
        return self._recurse

    @property
    def filenames(self) -> list[str]:
        """The paths of the shards that the hash covers, in order."""
        return [file.path for file in self.files]

    # Making one

    @classmethod
    def from_files(
        cls, files: Sequence[File], format: str | None = None, allow_additional_files: bool = False
    ) -> ShardedS3Dataset:
        """Return the dataset that some files are.

        Args:
            files: all in one folder, or below one.
            format: None takes it from the end of the first file's name.
            allow_additional_files: whether the folder may hold more shards than were given; they count too.

        Raises:
            BadDataset: no files, files of more than one place or format, or more of them than may be.
        """
        if not files:
            raise BadDataset("expected at least one file, found none")
        names = sorted({file.path for file in files})
        format = format or names[0].rpartition(".")[2]
        folder = _common_folder(names)
        if folder == ".":
            names = [f"./{name}" for name in names]
        dataset = cls(folder, format, recurse=len({name.rpartition("/")[0] for name in names}) > 1)
        _check_members(dataset, names, allow_additional_files)
        return dataset

    @classmethod
    def from_data(
        cls,
        dataset: Any,
        output_path: str,
        format: str = "parquet",
        partition_keys: Sequence[str] = (),
        *,
        catalog_database: str = "default",
        catalog_table: str | None = None,
        format_options: Mapping[str, Any] | None = None,
    ) -> ShardedS3Dataset:
        """Write a table, and return its dataset.

        Args:
            dataset: a pandas DataFrame, a list of them (a shard each), or a Spark DataFrame.
            output_path: the folder; shards of this format that it holds are replaced.
            format: of the shards.
            partition_keys: columns that become folders, ``key=value``, instead.
            catalog_database: database of Spark's catalog that the table is entered into.
            catalog_table: name to enter it under; None enters it nowhere.
            format_options: handed to the writer.

        Raises:
            BadDataset: nothing writes this format.
        """
        from redun.file.shards_pandas import as_frames, join_frames, write_frames

        made = cls(output_path, format)
        frames = as_frames(dataset)
        if frames is None or catalog_table is not None:
            table = dataset if frames is None else join_frames(frames)
            made.save_spark(table, partition_keys, catalog_database, catalog_table, format_options)
        else:
            write_frames(frames, list(made), made.path, format, partition_keys, format_options or {})
            made.update_hash()
        return made

    # Reading it

    def load_pandas_shards(self, max_shards: int = -1) -> list[Any]:
        """Return a pandas DataFrame for each shard, in order of path; folders ``key=value`` give a column each.

        Args:
            max_shards: read this many at most; all when negative.

        Raises:
            BadDataset: pandas does not read this format.
            RedunOSError: a shard cannot be read.
        """
        from redun.file.shards_pandas import read_frames

        files = self.files
        return read_frames(self.path, self.format, files, len(files) if max_shards < 0 else max_shards)

    def load_pandas(self, max_shards: int = -1) -> Any:
        """Return all shards as one DataFrame, with rows numbered from 0.  As ``load_pandas_shards``."""
        from redun.file.shards_pandas import join_frames

        return join_frames(self.load_pandas_shards(max_shards))

    def load_spark(self, validate: bool = False, format_options: Mapping[str, Any] | None = None) -> Any:
        """Return the shards as a Spark DataFrame, read by the active Spark session, or by a new one.

        Args:
            validate: first check that the shards are still what the hash says.
            format_options: handed to Spark's reader.

        Raises:
            BadDataset: there are no shards, or they have changed.
            ConfigError: pyspark is not installed.
        """
        from redun.file.shards_spark import load_table

        if not self.files:
            raise BadDataset(f"there are no shards {self.pattern}")
        if validate and not self.is_valid():
            raise BadDataset(f"the shards {self.pattern} are no longer those that were hashed")
        return load_table(self.path, self.format, self.filenames, format_options or {})

    # Changing it

    def save_spark(
        self,
        dataset: Any,
        partition_keys: Sequence[str] = (),
        catalog_database: str = "default",
        catalog_table: str | None = None,
        format_options: Mapping[str, Any] | None = None,
    ) -> None:
        """Write a pandas or Spark DataFrame here with Spark, in place of what the folder holds.

        Args:
            dataset: the table.
            partition_keys: columns that become folders, ``key=value``, instead.
            catalog_database: database of Spark's catalog that the table is entered into.
            catalog_table: name to enter it under; None enters it nowhere.
            format_options: handed to Spark's writer.

        Raises:
            ConfigError: pyspark is not installed.
        """
        from redun.file.shards_spark import save_table

        table = None if catalog_table is None else f"{catalog_database}.{catalog_table}"
        save_table(dataset, self.path, self.format, partition_keys, table, format_options or {})
        self.update_hash()

    def purge_spark(self, remove_older_than: float = 1, manifest_file_path: str | None = None) -> list[str]:
        """Remove shards that are older than some hours; return their paths.

        Args:
            remove_older_than: hours since the last change.
            manifest_file_path: file to write the removed paths into, one a line.

        Raises:
            RedunOSError: the file system does not tell times, or does not let us.
        """
        limit = time.time() - remove_older_than * _SECONDS_PER_HOUR
        removed = [file for file in self if self.filesystem.modified(file.path) <= limit]
        for file in removed:
            file.remove()
        if manifest_file_path is not None:
            self.classes.File(manifest_file_path).write("".join(f"{file.path}\n" for file in removed))
        self.update_hash()
        return [file.path for file in removed]

    def _find(self) -> list[Found]:
        # What Spark has not committed lies in folders whose names begin with an underscore.
        start = len(self._path)
        return [found for found in super()._find() if not _is_uncommitted(found.path[start:])]

    def __repr__(self) -> str:
        shown = f"path={self.path}, format={self.format}, hash={self.hash[:SHORT_DIGITS]}"
        return f"{type(self).__name__}({shown})"

    def __getstate__(self) -> dict[str, Any]:
        own = {"path": self._path, "format": self._format, "recurse": self._recurse}
        return {**super().__getstate__(), **own}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self._path, self._format, self._recurse = state["path"], state["format"], state["recurse"]


def _as_pattern(path: str) -> str:
    """Return the pattern that matches a path and nothing else."""
    return re.sub(r"([*?[])", r"[\1]", path)


def _common_folder(names: Sequence[str]) -> str:
    """Return the deepest folder that all paths lie below.  Raises BadDataset when they share no bucket or host."""
    folders = [name.split("/")[:-1] for name in names]
    # What the first and the last in order share, all share.
    common = [low for low, high in takewhile(lambda pair: pair[0] == pair[1], zip(min(folders), max(folders)))]
    if "://" in names[0] and len(common) < len(("protocol:", "", "bucket")):
        raise BadDataset(f"expected files of one bucket or host, found {names[0]} and {names[-1]}")
    return "/".join(common) or ("/" if names[0].startswith("/") else ".")


def _is_uncommitted(rel_path: str) -> bool:
    return any(part.startswith("_") and "=" not in part for part in rel_path.split("/"))


def _check_members(dataset: ShardedS3Dataset, names: list[str], allow_additional_files: bool) -> None:
    """Raise BadDataset when a dataset does not hold just the files that it is to be made of."""
    found = set(dataset.filenames)
    missing = [name for name in names if name not in found]
    if missing:
        raise BadDataset(f"expected files that exist and end with .{dataset.format}, found {', '.join(missing)}")
    if len(found) > len(names) and not allow_additional_files:
        others = sorted(found.difference(names))
        raise BadDataset(
            f"{dataset.path} holds {len(others)} more files of this format, such as {others[0]}",
            hint="allow_additional_files=True takes them in",
        )
