"""Oids as people see them: 64 hex digits, shown as 8, any unique prefix of 4 or more accepted."""

from __future__ import annotations

from redun.errors import ObjectError
from redun.hashing import OID_SIZE, Oid

SHORT_DIGITS = 8
MIN_PREFIX_DIGITS = 4
HEX_DIGITS = 2 * OID_SIZE


class BadOid(ObjectError):
    """A text that was meant as an oid, or as a prefix of one, is not."""


def short(oid: bytes) -> str:
    """Return the first 8 hex digits of an oid."""
    return oid[: SHORT_DIGITS // 2].hex()


def parse_oid(text: str) -> Oid:
    """Parse 64 hex digits.

    Raises:
        BadOid: the text has another length or other characters.
    """
    if len(text) != HEX_DIGITS:
        raise BadOid(f"expected {HEX_DIGITS} hex digits, found {len(text)} characters: {text!r}")
    try:
        return Oid(bytes.fromhex(text))
    except ValueError:
        raise BadOid(f"expected hex digits, found {text!r}") from None


def is_file_stem(text: str) -> bool:
    """Tell whether a file can be named by an oid so: its 64 hex digits, in lower case."""
    return len(text) == HEX_DIGITS and not text.strip("0123456789abcdef")


def is_prefix(text: str) -> bool:
    """Tell whether a text can be a prefix of an oid: 4 to 64 hex digits, either case."""
    return MIN_PREFIX_DIGITS <= len(text) <= HEX_DIGITS and all(c in "0123456789abcdefABCDEF" for c in text)


def prefix_range(prefix: str) -> tuple[bytes, bytes]:
    """Return the lowest and the highest 32 bytes that begin with a hex prefix, both included.

    Raises:
        BadOid: the text cannot be a prefix.
    """
    if not is_prefix(prefix):
        raise BadOid(
            f"expected {MIN_PREFIX_DIGITS} to {HEX_DIGITS} hex digits, found {prefix!r}",
            hint="give more digits of the hash",
        )
    return bytes.fromhex(prefix.ljust(HEX_DIGITS, "0")), bytes.fromhex(prefix.ljust(HEX_DIGITS, "f"))
