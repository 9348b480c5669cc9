"""Dates, exact numbers, UUIDs and paths of the standard library.  Normative page: docs/format/value.md.

Classes whose modules are not cheap to import (decimal, fractions, uuid, zoneinfo) are known by name until a value of
theirs is met: whoever has such a value has imported the module.
"""

from __future__ import annotations

import pathlib
from collections.abc import Callable
from datetime import date, datetime, time, timedelta, timezone
from typing import TYPE_CHECKING, Any

from redun.value.tags import (
    DATE,
    DATETIME,
    DECIMAL,
    FRACTION,
    PATH,
    TIME,
    TIMEDELTA,
    TIMEZONE,
    UUID,
    ZONE,
    Payload,
)

if TYPE_CHECKING:
    from redun.value.decoder import Decoder
    from redun.value.encoder import Encode, Encoder

_MICROSECOND = timedelta(microseconds=1)
_PATHS = ("PurePosixPath", "PureWindowsPath", "PosixPath", "WindowsPath")


def _encode_date(_encoder: Encoder, value: date, _depth: int) -> Payload:
    return [DATE, value.year, value.month, value.day]


def _encode_time(encoder: Encoder, value: time, depth: int) -> Payload:
    zone = encoder.payload(value.tzinfo, depth + 1)
    return [TIME, value.hour, value.minute, value.second, value.microsecond, value.fold, zone]


def _encode_datetime(encoder: Encoder, value: datetime, depth: int) -> Payload:
    day = [DATETIME, value.year, value.month, value.day]
    zone = encoder.payload(value.tzinfo, depth + 1)
    return [*day, value.hour, value.minute, value.second, value.microsecond, value.fold, zone]


def _encode_timedelta(_encoder: Encoder, value: timedelta, _depth: int) -> Payload:
    return [TIMEDELTA, value.days, value.seconds, value.microseconds]


def _encode_timezone(_encoder: Encoder, value: timezone, _depth: int) -> Payload:
    # Whether a name was given shows nowhere but in the arguments that pickle would call timezone with.
    arguments = value.__getinitargs__()  # type: ignore[attr-defined]
    return [TIMEZONE, arguments[0] // _MICROSECOND, arguments[1] if len(arguments) > 1 else None]


def _encode_zone(encoder: Encoder, value: Any, depth: int) -> Payload:
    if value.key is None:
        from redun.value.pickling import encode_pickle

        return encode_pickle(encoder, value, depth)
    return [ZONE, value.key]


def _encode_decimal(_encoder: Encoder, value: Any, _depth: int) -> Payload:
    # The text is exact, but for the case of its letters, which the thread's decimal context decides.
    return [DECIMAL, str(value).upper()]


def _encode_fraction(encoder: Encoder, value: Any, depth: int) -> Payload:
    return [FRACTION, *encoder.payloads((value.numerator, value.denominator), depth)]


def _encode_uuid(_encoder: Encoder, value: Any, _depth: int) -> Payload:
    return [UUID, value.bytes]


def _encode_path(encoder: Encoder, value: pathlib.PurePath, depth: int) -> Payload:
    return [PATH, type(value).__name__, encoder.payload(str(value), depth + 1)]


ENCODERS: dict[type, tuple[str, Encode]] = {
    date: ("datetime.date", _encode_date),
    time: ("datetime.time", _encode_time),
    datetime: ("datetime.datetime", _encode_datetime),
    timedelta: ("datetime.timedelta", _encode_timedelta),
    timezone: ("datetime.timezone", _encode_timezone),
    # Their module is pathlib._local from Python 3.13 on, and a type name must not tell the version.
    **{getattr(pathlib, name): (f"pathlib.{name}", _encode_path) for name in _PATHS},
}

ENCODERS_BY_NAME: dict[str, tuple[str, Encode]] = {
    "decimal:Decimal": ("decimal.Decimal", _encode_decimal),
    "fractions:Fraction": ("fractions.Fraction", _encode_fraction),
    "uuid:UUID": ("uuid.UUID", _encode_uuid),
    "zoneinfo:ZoneInfo": ("zoneinfo.ZoneInfo", _encode_zone),
}


def _decode_date(_decoder: Decoder, payload: list[Payload]) -> Any:
    _, year, month, day = payload
    return date(year, month, day)


def _decode_time(decoder: Decoder, payload: list[Payload]) -> Any:
    _, hour, minute, second, microsecond, fold, zone = payload
    return time(hour, minute, second, microsecond, decoder.value(zone), fold=fold)


def _decode_datetime(decoder: Decoder, payload: list[Payload]) -> Any:
    _, year, month, day, hour, minute, second, microsecond, fold, zone = payload
    return datetime(year, month, day, hour, minute, second, microsecond, decoder.value(zone), fold=fold)


def _decode_timedelta(_decoder: Decoder, payload: list[Payload]) -> Any:
    _, days, seconds, microseconds = payload
    return timedelta(days, seconds, microseconds)


def _decode_timezone(_decoder: Decoder, payload: list[Payload]) -> Any:
    _, offset, name = payload
    span = timedelta(microseconds=offset)
    return timezone(span) if name is None else timezone(span, name)


def _decode_zone(_decoder: Decoder, payload: list[Payload]) -> Any:
    from zoneinfo import ZoneInfo

    _, key = payload
    return ZoneInfo(key)


def _decode_decimal(_decoder: Decoder, payload: list[Payload]) -> Any:
    from decimal import Decimal

    _, text = payload
    if type(text) is not str:
        raise TypeError(f"expected text, found {type(text).__name__}")
    return Decimal(text)


def _decode_fraction(decoder: Decoder, payload: list[Payload]) -> Any:
    from fractions import Fraction

    numerator, denominator = decoder.members(payload, 1)
    return Fraction(numerator, denominator)


def _decode_uuid(_decoder: Decoder, payload: list[Payload]) -> Any:
    import uuid

    _, content = payload
    return uuid.UUID(bytes=content)


def _decode_path(decoder: Decoder, payload: list[Payload]) -> Any:
    _, name, text = payload
    if name not in _PATHS:
        raise ValueError(f"no class of paths: {name!r}")
    return getattr(pathlib, name)(decoder.text_in(text))


DECODERS: dict[int, Callable[[Decoder, list[Payload]], Any]] = {
    DATE: _decode_date,
    TIME: _decode_time,
    DATETIME: _decode_datetime,
    TIMEDELTA: _decode_timedelta,
    TIMEZONE: _decode_timezone,
    ZONE: _decode_zone,
    DECIMAL: _decode_decimal,
    FRACTION: _decode_fraction,
    UUID: _decode_uuid,
    PATH: _decode_path,
}
