"""The text of each tag's payload, as Python would write the value.  Imports no user's module and unpickles nothing.

Each function takes the shower, the fields after the tag, and the depth, and yields text in pieces, so that a long
value is shown as far as there is room and no further.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import date, datetime, time, timedelta, timezone

from redun.hashing import Oid
from redun.objects.codec import Node
from redun.objects.kinds import Kind
from redun.objects.oid import short
from redun.objects.value_records import ValueRecord
from redun.value import tags
from redun.value.decoder import Read, ReadFailed
from redun.value.glance import REST, glance_node
from redun.value.names import dotted
from redun.value.tags import Payload

ShowNode = Callable[[Node, Oid, Read], str]

_MAX_SHOWN_NESTING = 20
_MAX_DECIMAL_BITS = 2_000
_MAX_CLASSES = 8


class Shower:
    """Shows the payload of one node."""

    def __init__(self, links: Sequence[Oid], read: Read, show_node: ShowNode, max_items: int) -> None:
        self._links = links
        self._read = read
        self._show_node = show_node
        self._max_items = max_items  # of a large node: see glance.py

    def show(self, payload: Payload, depth: int) -> Iterator[str]:
        """Yield the text of a payload in pieces."""
        if type(payload) is not list:
            yield show_native(payload)
        elif depth > _MAX_SHOWN_NESTING:
            yield "..."
        else:
            tag, *fields = payload
            show = SHOWN.get(tag)
            if show is None:
                raise ValueError(f"unknown tag {tag!r}")
            yield from show(self, fields, depth + 1)

    def joined(self, payloads: list[Payload], depth: int) -> Iterator[str]:
        """Yield payloads with commas between them."""
        for index, payload in enumerate(payloads):
            if index:
                yield ", "
            yield from self.show(payload, depth)

    def named(self, names: list[str], payloads: list[Payload], depth: int) -> Iterator[str]:
        """Yield ``name=value`` with commas between them."""
        for index, (name, payload) in enumerate(zip(names, payloads)):
            yield f"{', ' if index else ''}{name}="
            yield from self.show(payload, depth)

    def pairs(self, payloads: list[Payload], depth: int) -> Iterator[str]:
        """Yield ``key: value`` with commas between them."""
        for index in range(0, len(payloads), 2):
            if index:
                yield ", "
            yield from self.show(payloads[index], depth)
            if payloads[index] is not REST:
                yield ": "
                yield from self.show(payloads[index + 1], depth)

    def text_of(self, payload: Payload, depth: int) -> str:
        """Return the whole text of a small payload."""
        return "".join(self.show(payload, depth))

    def nested(self, index: int, depth: int) -> Iterator[str]:
        """Yield the text of the node that a link names; one that is not here is named by its oid."""
        oid = self._links[index]
        try:
            node = glance_node(self._read(oid), self._max_items)
        except ReadFailed:
            yield f"<missing {short(oid)}>"
            return
        if node.kind != Kind.VALUE:
            yield self._show_node(node, oid, self._read)
        else:
            shower = Shower(node.links, self._read, self._show_node, self._max_items)
            yield from shower.show(ValueRecord.decode(node).payload, depth)


def show_native(value: Payload) -> str:
    """Return the text of what stands for itself."""
    return repr(value)


def _brackets(opening: str, closing: str) -> Show:
    def show(shower: Shower, fields: list[Payload], depth: int) -> Iterator[str]:
        yield opening
        yield from shower.joined(fields, depth)
        yield closing

    return show


def _braces(opening: str, closing: str) -> Show:
    def show(shower: Shower, fields: list[Payload], depth: int) -> Iterator[str]:
        yield opening
        yield from shower.pairs(fields, depth)
        yield closing

    return show


def _tuple(shower: Shower, fields: list[Payload], depth: int) -> Iterator[str]:
    yield "("
    yield from shower.joined(fields, depth)
    yield ",)" if len(fields) == 1 else ")"


def _set(shower: Shower, fields: list[Payload], depth: int) -> Iterator[str]:
    yield from _brackets("{", "}")(shower, fields, depth) if fields else ["set()"]


def _frozenset(shower: Shower, fields: list[Payload], depth: int) -> Iterator[str]:
    yield from _brackets("frozenset({", "})")(shower, fields, depth) if fields else ["frozenset()"]


def _default_dict(shower: Shower, fields: list[Payload], depth: int) -> Iterator[str]:
    yield "defaultdict("
    yield from shower.show(fields[0], depth)
    yield from _braces(", {", "})")(shower, fields[1:], depth)


def _deque(shower: Shower, fields: list[Payload], depth: int) -> Iterator[str]:
    yield from _brackets("deque([", "]")(shower, fields[1:], depth)
    yield ")" if fields[0] is None else f", maxlen={fields[0]})"


def _big_int(_shower: Shower, fields: list[Payload], _depth: int) -> Iterator[str]:
    value = int.from_bytes(fields[0], "big", signed=True)
    bits = value.bit_length()
    # Python refuses to write very long integers in decimal.
    yield str(value) if bits <= _MAX_DECIMAL_BITS else f"<int of {bits} bits>"


def _complex(_shower: Shower, fields: list[Payload], _depth: int) -> Iterator[str]:
    yield repr(complex(*fields))


def _surrogates(shower: Shower, fields: list[Payload], depth: int) -> Iterator[str]:
    if type(fields[0]) is bytes:
        yield repr(fields[0].decode("utf-8", "surrogatepass"))
    else:
        yield from shower.show(fields[0], depth)


def _large(type_name: str) -> Show:
    def show(_shower: Shower, fields: list[Payload], _depth: int) -> Iterator[str]:
        yield f"<{type_name} of {fields[1]} bytes>"

    return show


def _link(shower: Shower, fields: list[Payload], depth: int) -> Iterator[str]:
    yield from shower.nested(fields[0], depth)


def _constant(_shower: Shower, fields: list[Payload], _depth: int) -> Iterator[str]:
    yield str(fields[0])


def _dataclass(shower: Shower, fields: list[Payload], depth: int) -> Iterator[str]:
    name, (_, *names), *members = fields
    yield f"{_class_name(name)}("
    shown = [(field, member) for field, member in zip(names, members) if member != [tags.ABSENT]]
    yield from shower.named([field for field, _ in shown], [member for _, member in shown], depth)
    yield ")"


def _enum(shower: Shower, fields: list[Payload], depth: int) -> Iterator[str]:
    name, *members = fields
    cls = _class_name(name)
    if not members:
        yield f"{cls}(0)"
    for index, member in enumerate(members):
        yield " | " if index else ""
        yield f"{cls}.{member}" if type(member) is str else f"{cls}({shower.text_of(member, depth)})"


def _named_thing(_shower: Shower, fields: list[Payload], _depth: int) -> Iterator[str]:
    yield dotted(fields[0])


def _object(shower: Shower, fields: list[Payload], depth: int) -> Iterator[str]:
    type_name, state, _ = fields
    yield f"{type_name.rpartition('.')[2]}("
    if type(state) is list and state[0] == tags.DICT and all(type(name) is str or name is REST for name in state[1::2]):
        yield from shower.named(state[1::2], state[2::2], depth)
        if state[-1] is REST and len(state) % 2 == 0:
            yield f", {REST}" if len(state) > 2 else f"{REST}"
    else:
        yield from shower.show(state, depth)
    yield ")"


def _serialized(_shower: Shower, fields: list[Payload], _depth: int) -> Iterator[str]:
    type_name, content, _ = fields
    yield f"<{type_name.rpartition('.')[2]} of {_size(content)} bytes>"


def _proxy(shower: Shower, fields: list[Payload], depth: int) -> Iterator[str]:
    _, name, content, _, plain = fields
    if content is None:
        yield from shower.show(plain, depth)
    else:
        yield f"<{_class_name(name)} of {_size(content)} bytes>"


def _pickle(_shower: Shower, fields: list[Payload], _depth: int) -> Iterator[str]:
    name, content, *table = fields
    yield f"<{_class_name(name)}, pickle of {_size(content)} bytes"
    if type(content) is bytes:
        others = [cls for cls in dict.fromkeys(iter_pickled_names(content, table)) if cls != name]
        names = ", ".join(dotted(cls) for cls in others[:_MAX_CLASSES])
        yield f" with {names}{', ...' if len(others) > _MAX_CLASSES else ''}" if others else ""
    yield ">"


def iter_pickled_names(content: bytes, table: list[Payload]) -> Iterator[str]:
    """Yield ``module:qualname`` of the classes and functions that a pickle names, without loading any of it."""
    import pickletools

    texts: list[Payload] = []
    index: Payload = None
    for opcode, argument, _ in pickletools.genops(content):
        if opcode.name == "BINPERSID":
            entry = table[index] if type(index) is int and 0 <= index < len(table) else None
            texts.append(entry)
        elif opcode.name == "STACK_GLOBAL" and len(texts) > 1:
            yield f"{texts[-2]}:{texts[-1]}"
        elif opcode.name == "GLOBAL":
            yield str(argument).replace(" ", ":", 1)
        elif opcode.name.endswith("UNICODE"):
            texts.append(argument)
        elif type(argument) is int:
            index = argument


def _foreign(shower: Shower, fields: list[Payload], depth: int) -> Iterator[str]:
    from redun.value.summaries import summarize  # most values have nothing of a foreign package in them

    summary = summarize(*fields)
    if summary is not None:
        yield summary
        return
    yield f"{fields[0]}("
    yield from shower.show(fields[1], depth)
    yield ")"


def _date(_shower: Shower, fields: list[Payload], _depth: int) -> Iterator[str]:
    yield repr(date(*fields))


def _time(shower: Shower, fields: list[Payload], depth: int) -> Iterator[str]:
    *numbers, fold, zone = fields
    yield from _with_zone(repr(time(*numbers, fold=fold)), zone, shower, depth)


def _datetime(shower: Shower, fields: list[Payload], depth: int) -> Iterator[str]:
    *numbers, fold, zone = fields
    naive = datetime(*numbers, fold=fold)  # noqa: DTZ001  (the zone follows as text)
    yield from _with_zone(repr(naive), zone, shower, depth)


def _with_zone(text: str, zone: Payload, shower: Shower, depth: int) -> Iterator[str]:
    if zone is None:
        yield text
        return
    yield f"{text[:-1]}, tzinfo="
    yield from shower.show(zone, depth)
    yield ")"


def _timedelta(_shower: Shower, fields: list[Payload], _depth: int) -> Iterator[str]:
    yield repr(timedelta(*fields))


def _timezone(_shower: Shower, fields: list[Payload], _depth: int) -> Iterator[str]:
    offset, name = fields
    span = timedelta(microseconds=offset)
    yield repr(timezone(span) if name is None else timezone(span, name))


def _call(name: str) -> Show:
    """Show a class that is made from one text or a few numbers."""
    return _brackets(f"{name}(", ")")


def _range(shower: Shower, fields: list[Payload], depth: int) -> Iterator[str]:
    yield from _call("range")(shower, fields[:2] if fields[2] == 1 else fields, depth)


def _uuid(_shower: Shower, fields: list[Payload], _depth: int) -> Iterator[str]:
    digits = fields[0].hex()
    yield f"UUID('{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}')"


def _path(shower: Shower, fields: list[Payload], depth: int) -> Iterator[str]:
    yield from _call(fields[0])(shower, fields[1:], depth)


def _class_name(name: str) -> str:
    """Return the last part of a ``module:qualname``."""
    return name.rpartition(":")[2].rpartition(".")[2]


def _size(content: Payload) -> int:
    """Return the number of bytes in a payload that stands for bytes: themselves, or a blob."""
    size: int = len(content) if type(content) is bytes else content[2]
    return size


Show = Callable[[Shower, "list[Payload]", int], "Iterator[str]"]

SHOWN: dict[int, Show] = {
    tags.LIST: _brackets("[", "]"),
    tags.TUPLE: _tuple,
    tags.DICT: _braces("{", "}"),
    tags.SET: _set,
    tags.FROZENSET: _frozenset,
    tags.BYTEARRAY: _call("bytearray"),
    tags.BIG_INT: _big_int,
    tags.COMPLEX: _complex,
    tags.SURROGATES: _surrogates,
    tags.BLOB_BYTES: _large("bytes"),
    tags.BLOB_STR: _large("str"),
    tags.LINK: _link,
    tags.CONSTANT: _constant,
    tags.RANGE: _range,
    tags.SLICE: _call("slice"),
    tags.DATACLASS: _dataclass,
    tags.NAMEDTUPLE: _dataclass,
    tags.ENUM: _enum,
    tags.CLASS: _named_thing,
    tags.FUNCTION: _named_thing,
    tags.OBJECT: _object,
    tags.SERIALIZED: _serialized,
    tags.PROXY: _proxy,
    tags.PICKLE: _pickle,
    tags.FOREIGN: _foreign,
    tags.DATE: _date,
    tags.TIME: _time,
    tags.DATETIME: _datetime,
    tags.TIMEDELTA: _timedelta,
    tags.TIMEZONE: _timezone,
    tags.ZONE: _call("ZoneInfo"),
    tags.DECIMAL: _call("Decimal"),
    tags.FRACTION: _call("Fraction"),
    tags.UUID: _uuid,
    tags.PATH: _path,
    tags.ORDERED_DICT: _braces("OrderedDict({", "})"),
    tags.DEFAULT_DICT: _default_dict,
    tags.COUNTER: _braces("Counter({", "})"),
    tags.DEQUE: _deque,
}
