"""Tags as they stand at the end of a line, on a line of their own, and in records.

The invariant: a tag takes one line and steers no terminal, whatever its key and value are; in a list of things a long
value is cut, where one thing is told in full it is not.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from redun.cli.render.text import one_line
from redun.objects.execution_records import TagRecord
from redun.provenance.tags import TagView
from redun.tags import format_tag_key_value, parse_tag_value

_TYPES = ("Execution", "Job", "Task", "CallNode", "Value", "File", "Object")


def tag_suffix(tags: Iterable[TagView]) -> str:
    """`` (env=prod, user=alice)``; empty when there are none."""
    parts = [one_line(format_tag_key_value(tag.key, tag.value)) for tag in tags]
    return f" ({', '.join(parts)})" if parts else ""


def tags_lines(tags: Iterable[TagView]) -> Iterator[str]:
    """``Tags: env=prod, user=alice``; nothing when there are none."""
    parts = [one_line(format_tag_key_value(tag.key, tag.value, None)) for tag in tags]
    if parts:
        yield f"Tags: {', '.join(parts)}"


def tags_json(tags: Iterable[TagView]) -> list[dict[str, Any]]:
    """Return the records of tags."""
    return [{"key": tag.key, "value": tag.value} for tag in tags]


def count_lines(counts: Mapping[str, Mapping[str, int]]) -> Iterator[str]:
    """``  env   (2 Execution, 3 Job)``: a line for each key, or key and value."""
    width = max((len(one_line(name)) for name in counts), default=0)
    for name, of_types in counts.items():
        yield f"  {one_line(name):<{width}}   ({format_counts(of_types)})"


def format_counts(of_types: Mapping[str, int]) -> str:
    """``2 Execution, 3 Job``."""
    return ", ".join(f"{of_types[name]} {name}" for name in _TYPES if name in of_types)


def show_values(counts: Mapping[tuple[str, str], Mapping[str, int]]) -> dict[str, Mapping[str, int]]:
    """Return counts by (key, canonical JSON) under the text that people type."""
    return {format_tag_key_value(key, parse_tag_value(text), None): found for (key, text), found in counts.items()}


def edit_line(verb: str, type_name: str, id: str, record: TagRecord) -> str:
    """``add tag Execution:69c40fe5 env="prod"``: the value stands as JSON."""
    return one_line(f"{verb} tag {type_name}:{id} {record.key}={record.value}")


def edits_json(verb: str, done: Iterable[tuple[str, str, TagRecord]]) -> list[dict[str, Any]]:
    """Return the records of an edit."""
    return [
        {"edit": verb, "type": type_name, "id": id, "key": record.key, "value": json.loads(record.value)}
        for type_name, id, record in done
    ]
