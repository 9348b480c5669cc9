"""One object as `redun show` prints it: its fields, its links by name, its text; or as a JSON record."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from redun.cli.render.tags import tags_json, tags_lines
from redun.cli.render.text import cut, one_line, printable
from redun.objects.kinds import Kind
from redun.provenance.show import ObjectView, kind_name
from redun.provenance.tags import TagView

MAX_LINKS = 200
"""So many links, and so many items of a list, are printed; --json prints all."""
_DUMP_BYTES = 256
_DUMP_COLUMNS = 16
_MAX_FIELD = 2_000


def object_lines(view: ObjectView, tags: Sequence[TagView] = ()) -> Iterator[str]:
    """All of an object for people."""
    yield f"{view.kind_name} {view.oid.hex()}"
    yield f"size: {view.size} bytes"
    for name, value in view.fields:
        yield from _field_lines(name, value)
    if view.preview:
        yield f"preview: {one_line(view.preview)}"
    yield from tags_lines(tags)
    for title, links in (("links", view.links), ("pointed to by", view.pointers)):
        if links:
            yield f"{title}: {len(links)}"
            yield from (
                f"  {link.oid.hex()} {kind_name(link.kind):<10} {one_line(link.name)}" for link in links[:MAX_LINKS]
            )
            if len(links) > MAX_LINKS:
                yield f"  ... and {len(links) - MAX_LINKS} more"
    if view.text:
        yield ""
        yield from printable(view.text).rstrip("\n").split("\n")
    if view.kind == Kind.BLOB:
        yield ""
        yield from _head_lines(view.head, view.size)


def object_json(view: ObjectView, tags: Sequence[TagView] = ()) -> dict[str, Any]:
    """All of an object for scripts; the content of a blob is what ``--raw`` is for."""
    return {
        "type": view.kind_name,
        "oid": view.oid.hex(),
        "size": view.size,
        "fields": dict(view.fields),
        "links": [{"name": link.name, "oid": link.oid.hex(), "kind": kind_name(link.kind)} for link in view.links],
        "tags": tags_json(tags),
        "pointers": [
            {"name": link.name, "oid": link.oid.hex(), "kind": kind_name(link.kind)} for link in view.pointers
        ],
        "preview": view.preview or None,
        "text": view.text or None,
    }


def _field_lines(name: str, value: Any) -> Iterator[str]:
    """A field on one line; a list of lists, an item a line."""
    if isinstance(value, list) and value and isinstance(value[0], list):
        yield f"{name}: {len(value)}"
        yield from ("  " + one_line(" ".join(str(part) for part in item)) for item in value[:MAX_LINKS])
        if len(value) > MAX_LINKS:
            yield f"  ... and {len(value) - MAX_LINKS} more"
        return
    shown = ", ".join(str(item) for item in value) if isinstance(value, list) else str(value)
    yield f"{name}: {cut(one_line(shown), _MAX_FIELD)}" if shown else f"{name}:"


def _head_lines(head: bytes, size: int) -> Iterator[str]:
    """The beginning of a content: as text where it is text, else as a dump."""
    try:
        # A character may be cut in two at the end of what was read.
        text = head.decode() if len(head) == size else head[:-4].decode(errors="strict")
    except UnicodeDecodeError:
        text = "\0"
    if "\0" not in text:
        yield from printable(text).rstrip("\n").split("\n")
        shown = len(text.encode())
    else:
        yield from _dump(head[:_DUMP_BYTES])
        shown = min(len(head), _DUMP_BYTES)
    if shown < size:
        yield f"... {size - shown} bytes more; --raw writes all of it"


def _dump(content: bytes) -> Iterator[str]:
    """Sixteen bytes a line: offset, hex, and what is printable."""
    for start in range(0, len(content), _DUMP_COLUMNS):
        row = content[start : start + _DUMP_COLUMNS]
        shown = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in row)
        yield f"{start:08x}  {row.hex(' '):<{3 * _DUMP_COLUMNS - 1}}  {shown}"
