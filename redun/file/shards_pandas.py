"""Reading and writing a dataset's shards with pandas, on any file system.

Partitions follow Hive, as Spark does: a folder ``key=value`` is a column of all rows below it, and not in the files.  A
key whose values are all whole numbers is a column of integers, any other one of text.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import IO, Any
from urllib.parse import quote, unquote

from redun.errors import ConfigError
from redun.file.file import File
from redun.file.sharded import BadDataset

NO_VALUE = "__HIVE_DEFAULT_PARTITION__"
"""What stands in a folder's name for a missing value."""

Frame = Any
"""A pandas DataFrame; named so because pandas is not always there, and tells no types."""

_HINT = "`pip install 'redun[data]'`"
_Read = Callable[[IO[bytes]], Frame]
_Write = Callable[..., Any]


class ReaderMissing(ConfigError):
    """The package that reads or writes a format is not installed."""


def read_frames(root: str, format: str, files: Sequence[File], max_shards: int) -> list[Frame]:
    """Return the tables of the first ``max_shards`` files; partitions are told from the paths of all."""
    read = _find_reader(format)
    columns = _partition_columns(root, files)
    return [_read_frame(read, file, columns[file.path]) for file in files[:max_shards]]


def as_frames(table: Any) -> list[Frame] | None:
    """Return a pandas DataFrame, or a list of them, as a list; None when it is something else."""
    pd = sys.modules.get("pandas")
    if pd is None:
        return None  # whoever has a DataFrame of pandas has imported it; Spark needs none
    frames = list(table) if isinstance(table, (list, tuple)) else [table]
    return frames if all(isinstance(frame, pd.DataFrame) for frame in frames) else None


def join_frames(frames: Sequence[Frame]) -> Frame:
    """Return the rows of all tables as one, numbered from 0."""
    pd = _import_pandas()
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()


def write_frames(
    frames: Sequence[Frame],
    replaced: Sequence[File],
    root: str,
    format: str,
    partition_keys: Sequence[str],
    options: Mapping[str, Any],
) -> None:
    """Write each table into a file of its own below ``root``, or into one in each of its partitions.

    ``replaced`` are removed first, once it is known that the format can be written.
    """
    write = _find_writer(format)
    parts = [_split(frame, list(partition_keys)) for frame in frames]
    for file in replaced:
        file.remove()
    for number, part in enumerate(parts):
        for folder, rows in part:
            with File(f"{root.rstrip('/')}/{folder}part-{number:05d}.{format}").open("wb") as stream:
                write(rows, stream, **options)


def _read_frame(read: _Read, file: File, columns: Mapping[str, Any]) -> Frame:
    with file.open("rb") as stream:
        frame: Frame = read(stream)
    for key, value in columns.items():
        if key not in frame.columns:
            frame[key] = value
    return frame


def _partition_columns(root: str, files: Sequence[File]) -> dict[str, dict[str, Any]]:
    """Return for each path the columns that its folders stand for."""
    texts = {file.path: _partitions_of(file.path[len(root.rstrip("/")) + 1 :]) for file in files}
    values: dict[str, set[str | None]] = {}
    for columns in texts.values():
        for key, text in columns.items():
            values.setdefault(key, set()).add(text)
    whole = {key for key, found in values.items() if all(text is not None and _is_whole(text) for text in found)}
    return {
        path: {key: int(text) if key in whole and text is not None else text for key, text in columns.items()}
        for path, columns in texts.items()
    }


def _partitions_of(rel_path: str) -> dict[str, str | None]:
    columns: dict[str, str | None] = {}
    for part in rel_path.split("/")[:-1]:
        key, mark, value = part.partition("=")
        if mark:
            columns[unquote(key)] = None if value == NO_VALUE else unquote(value)
    return columns


def _is_whole(text: str) -> bool:
    """Tell whether a text is an integer in its usual form: "007" is a name."""
    return text.lstrip("-").isdecimal() and text.isascii() and str(int(text)) == text


def _split(frame: Frame, keys: list[str]) -> list[tuple[str, Frame]]:
    """Return (folder with a slash at its end, or nothing; rows) for each partition, in order of first appearance."""
    if not keys:
        return [("", frame)]
    missing = [key for key in keys if key not in frame.columns]
    if missing:
        raise BadDataset(f"expected partition keys out of {', '.join(map(str, frame.columns))}, found {missing[0]!r}")
    groups = frame.groupby(keys, sort=False, dropna=False)
    return [
        ("".join(f"{quote(key)}={_folder_value(value)}/" for key, value in zip(keys, values)), rows.drop(columns=keys))
        for values, rows in groups
    ]


def _folder_value(value: Any) -> str:
    return NO_VALUE if value is None or value != value else quote(str(value), safe=" ")  # noqa: PLR0124 (tells NaN)


def _find_reader(format: str) -> _Read:
    pd = _import_pandas()
    readers: dict[str, _Read] = {
        "avro": _read_avro,
        "csv": pd.read_csv,
        "json": lambda stream: pd.read_json(stream, lines=True),
        "orc": pd.read_orc,
        "parquet": pd.read_parquet,
        "xml": lambda stream: pd.read_xml(stream, parser="etree"),
    }
    if format not in readers:
        raise BadDataset(f"pandas does not read {format}", hint="load_spark reads what your Spark has a reader for")
    return _named(format, readers[format])


def _find_writer(format: str) -> _Write:
    writers: dict[str, _Write] = {
        "avro": _write_avro,
        "csv": lambda frame, stream, **options: frame.to_csv(stream, **{"index": False, **options}),
        "json": lambda frame, stream, **options: frame.to_json(
            stream, **{"orient": "records", "lines": True, **options}
        ),
        "orc": lambda frame, stream, **options: frame.to_orc(stream, **{"index": False, **options}),
        "parquet": lambda frame, stream, **options: frame.to_parquet(stream, **{"index": False, **options}),
        "xml": lambda frame, stream, **options: frame.to_xml(stream, **{"index": False, "parser": "etree", **options}),
    }
    if format not in writers:
        raise BadDataset(f"pandas does not write {format}", hint="save_spark writes what your Spark has a writer for")
    return _named(format, writers[format])


def _named(format: str, call: Callable[..., Any]) -> Callable[..., Any]:
    """Say which format an optional package is missing for."""

    def wrapped(*arguments: Any, **options: Any) -> Any:
        try:
            return call(*arguments, **options)
        except ImportError as error:
            raise ReaderMissing(f"{format} needs a package that is not installed: {error}", hint=_HINT) from error

    return wrapped


def _import_pandas() -> Any:
    try:
        return import_module("pandas")
    except ImportError as error:
        raise ReaderMissing(f"pandas is not here: {error}", hint=_HINT) from error


def _read_avro(stream: IO[bytes]) -> Frame:
    return _import_pandas().DataFrame.from_records(list(import_module("fastavro").reader(stream)))


def _write_avro(frame: Frame, stream: IO[bytes], **options: Any) -> None:
    """``options`` need a ``schema``, as pandas has no types that tell one."""
    if "schema" not in options:
        raise BadDataset("avro needs a schema", hint="format_options={'schema': {...}}")
    import_module("fastavro").writer(stream, records=frame.to_dict("records"), **options)
