"""An HTTP proxy between an S3 client and its server that injects what networks and servers do to requests.

It forwards requests untouched (their signatures hold: the host that was signed is the proxy's own), counts them, and
lets those fail that a ``Rule`` picks.  Faults are real: a reset is a TCP reset, a lost reply was sent by the server.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
from dataclasses import dataclass, field
from enum import Enum
from urllib.parse import urlsplit

from redun.testing.started import Started

EVER_AFTER = 1 << 30
_PIECE_BYTES = 1 << 18
_HEAD_BYTES = 1 << 16
_END_OF_HEAD = b"\r\n\r\n"
MESSAGES = {
    "InternalError": "We encountered an internal error. Please try again.",
    "SlowDown": "Please reduce your request rate.",
    "AccessDenied": "Access Denied",
}
"""What S3 says with an error's code; clients tell their users the one, the other or both."""


class Fault(Enum):
    """What happens to a request."""

    INTERNAL_ERROR = "500 InternalError"  # the server says so, and has done nothing
    SLOW_DOWN = "503 SlowDown"  # the same, because there are too many requests
    FORBIDDEN = "403 AccessDenied"  # the same, for ever
    RESET = "reset"  # the connection is reset before the request reaches the server
    LOST_REPLY = "lost reply"  # the server has done it, and the connection is reset before it can say so
    TRUNCATED = "truncated"  # half of the reply's body arrives, then the connection is closed


@dataclass(slots=True)
class Rule:
    """Which requests fail, and how."""

    fault: Fault
    method: str = ""  # "" is any
    part: str = ""  # of the request's path and query
    skip: int = 0  # so many that fit are let through first
    times: int = EVER_AFTER  # so many fail after these
    hits: int = 0  # how many have failed

    def picks(self, method: str, target: str) -> bool:
        """Tell whether this request fails, and count it."""
        if (self.method and method != self.method) or self.part not in target or not self.times:
            return False
        if self.skip:
            self.skip -= 1
            return False
        self.times -= 1
        self.hits += 1
        return True


@dataclass(slots=True)
class _Head:
    """The head of a request or a reply."""

    raw: bytes
    words: list[str]  # of its first line
    fields: dict[str, str] = field(default_factory=dict)  # in lower case

    @classmethod
    async def read(cls, reader: asyncio.StreamReader) -> _Head:
        raw = await reader.readuntil(_END_OF_HEAD)
        first, *lines = raw[: -len(_END_OF_HEAD)].decode("latin-1").split("\r\n")
        split = (line.partition(":") for line in lines)
        return cls(raw, first.split(" ", 2), {name.strip().lower(): value.strip() for name, _, value in split})

    def without(self, name: str) -> bytes:
        """Return the bytes of this head without one of its fields."""
        lines = [line for line in self.raw.split(b"\r\n") if not line.lower().startswith(name.encode() + b":")]
        return b"\r\n".join(lines)


class FaultyProxy(Started):
    """The proxy, from ``start`` (or ``with``) to ``stop``; it runs in a thread of its own.

    Args:
        target: the server's URL.
    """

    def __init__(self, target: str) -> None:
        split = urlsplit(target)
        self._target = (split.hostname or "", split.port or 80)
        self.url = ""
        self.latency_seconds = 0.0
        """How much later each request reaches the server."""
        self.requests: list[tuple[str, str]] = []
        """(method, path and query) of each request, in order."""
        self._rules: list[Rule] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="faulty proxy", daemon=True)
        self._server: asyncio.Server | None = None

    def start(self) -> None:
        """Listen on a free port of this machine."""
        self._thread.start()
        self._server = asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result()
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    def stop(self) -> None:
        """Cut all connections and end."""
        if self._server is not None:
            asyncio.run_coroutine_threadsafe(self._end(), self._loop).result()
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()
            self._server = None

    def inject(self, fault: Fault, method: str = "", part: str = "", *, skip: int = 0, times: int = EVER_AFTER) -> Rule:
        """Let requests fail from now on; takes what ``Rule`` says, and returns it."""
        rule = Rule(fault, method, part, skip, times)
        self._rules.append(rule)
        return rule

    def calm(self) -> None:
        """Forward everything, at once, and begin a new account."""
        self._rules.clear()
        self.requests.clear()
        self.latency_seconds = 0.0

    async def _listen(self) -> asyncio.Server:
        return await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=_HEAD_BYTES)

    async def _end(self) -> None:
        assert self._server is not None
        self._server.close()
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection of a client, by one connection to the server."""
        upstream: asyncio.StreamWriter | None = None
        try:
            replies, upstream = await asyncio.open_connection(*self._target, limit=_HEAD_BYTES)
            while await self._forward(_Link(reader, writer, replies, upstream)):
                pass
        except (OSError, EOFError, asyncio.LimitOverrunError, asyncio.CancelledError):
            pass  # one of the two has gone, or this is the end
        finally:
            writer.close()
            if upstream is not None:
                upstream.close()

    async def _forward(self, link: _Link) -> bool:
        """Forward one request and its reply; return whether the connection goes on."""
        head = await _Head.read(link.requests)
        method, target = head.words[0], head.words[1]
        self.requests.append((method, target))
        fault = next((rule.fault for rule in self._rules if rule.picks(method, target)), None)
        if head.fields.get("expect", "").lower() == "100-continue":
            link.client.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        if self.latency_seconds:
            await asyncio.sleep(self.latency_seconds)
        if fault is Fault.RESET:
            link.reset()
            return False
        if fault in (Fault.INTERNAL_ERROR, Fault.SLOW_DOWN, Fault.FORBIDDEN):
            await _pump(head, link.requests, None)
            link.client.write(_error_reply(fault, method))
            await link.client.drain()
            return True
        link.server.write(head.without("expect"))
        await _pump(head, link.requests, link.server)
        return await self._reply(link, method, fault)

    async def _reply(self, link: _Link, method: str, fault: Fault | None) -> bool:
        head = await _Head.read(link.replies)
        while head.words[1].startswith("1"):
            head = await _Head.read(link.replies)
        has_body = method != "HEAD" and head.words[1] not in ("204", "304")
        if fault is Fault.LOST_REPLY:
            if has_body:
                await _pump(head, link.replies, None, is_reply=True)
            link.reset()
            return False
        link.client.write(head.raw)
        if fault is Fault.TRUNCATED and has_body:
            half = int(head.fields.get("content-length", "2")) // 2
            link.client.write(await link.replies.readexactly(half))
            await link.client.drain()
            return False
        if has_body:
            await _pump(head, link.replies, link.client, is_reply=True)
        await link.client.drain()
        return "close" not in head.fields.get("connection", "").lower()


@dataclass(frozen=True, slots=True)
class _Link:
    """The four ends of a forwarded connection."""

    requests: asyncio.StreamReader
    client: asyncio.StreamWriter
    replies: asyncio.StreamReader
    server: asyncio.StreamWriter

    def reset(self) -> None:
        """End the client's connection with a TCP reset instead of an orderly close."""
        end: socket.socket = self.client.get_extra_info("socket")
        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.client.transport.abort()


async def _pump(
    head: _Head, source: asyncio.StreamReader, target: asyncio.StreamWriter | None, *, is_reply: bool = False
) -> None:
    """Pass a body on as its head says that it comes; None throws it away."""
    if head.fields.get("transfer-encoding", "").lower() == "chunked":
        while True:
            line = await source.readuntil(b"\r\n")
            size = int(line.partition(b";")[0], 16)
            await _give(target, line)
            if not size:
                break
            await _pass(source, target, size + 2)
        line = b""
        while line != b"\r\n":  # trailers, and the empty line behind them
            line = await source.readuntil(b"\r\n")
            await _give(target, line)
    elif "content-length" in head.fields:
        await _pass(source, target, int(head.fields["content-length"]))
    elif is_reply:
        while piece := await source.read(_PIECE_BYTES):
            await _give(target, piece)


async def _pass(source: asyncio.StreamReader, target: asyncio.StreamWriter | None, size: int) -> None:
    while size:
        piece = await source.read(min(size, _PIECE_BYTES))
        if not piece:
            raise EOFError("the connection ended in the middle of a body")
        size -= len(piece)
        await _give(target, piece)


async def _give(target: asyncio.StreamWriter | None, piece: bytes) -> None:
    if target is not None:
        target.write(piece)
        await target.drain()


def _error_reply(fault: Fault, method: str) -> bytes:
    """Return what S3 sends for an error."""
    status, code = fault.value.split(" ")
    body = f"<Error><Code>{code}</Code><Message>{MESSAGES[code]}</Message></Error>"
    head = f"HTTP/1.1 {status} {code}\r\nContent-Type: application/xml\r\nContent-Length: {len(body)}\r\n\r\n"
    return (head + ("" if method == "HEAD" else body)).encode()
