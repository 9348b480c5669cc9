"""What the records of all kinds need to take a node apart: a check of its kind, and of how many links it has."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

from redun.errors import ObjectError
from redun.hashing import Oid
from redun.objects.codec import Node
from redun.objects.kinds import Kind


class BadBody(ObjectError):
    """A node of a known kind has links or a body that its kind does not allow."""


_Decode = TypeVar("_Decode", bound=Callable[..., Any])


def checked(kind: Kind) -> Callable[[_Decode], _Decode]:
    """Refuse nodes of another kind, and turn whatever a malformed one makes ``decode`` raise into BadBody."""

    def wrap(decode: _Decode) -> _Decode:
        @wraps(decode)
        def decoder(cls: Any, node: Node) -> Any:
            if node.kind != kind:
                raise BadBody(f"expected a node of kind {kind.name.lower()}, found kind {node.kind}")
            try:
                return decode(cls, node)
            except (TypeError, ValueError, IndexError, AttributeError) as error:
                raise BadBody(f"malformed {kind.name.lower()}: {error}") from None

        return decoder  # type: ignore[return-value]

    return wrap


class Cutter:
    """Takes links off the front of a list, and refuses to take more than there are."""

    def __init__(self, links: list[Oid]) -> None:
        self._links = links
        self._at = 0

    def take(self, count: int) -> list[Oid]:
        end = self._at + count
        if count < 0 or end > len(self._links):
            raise ValueError("fewer links than the body says")
        taken = self._links[self._at : end]
        self._at = end
        return taken

    def rest(self) -> list[Oid]:
        return self.take(len(self._links) - self._at)
