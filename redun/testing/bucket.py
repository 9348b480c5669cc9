"""What a Storage in a bucket must do besides what every Storage does, as tests to inherit.

class TestMyBucket(BucketSuite):
    @pytest.fixture
    def storage(self, proxied_bucket): return MyBucket(proxied_bucket)

    @pytest.fixture
    def asked(self, ...): return proxy.requests
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from redun.hashing import Buffer
from redun.store.read_ahead import PIECE_BYTES
from redun.store.storage import NameMissing, Storage
from redun.testing.storage import StorageSuite

LARGE_BYTES = (16 << 20) + (1 << 20) + 1
"""More than goes in one request."""


class BucketSuite(StorageSuite):
    """The contract of a storage whose verbs are requests.  Override the fixtures ``storage`` and ``asked``."""

    names_a_page = 1000
    """So many names the server tells at a time."""
    forgets_parts = False
    """Whether the server drops by itself, after days, the parts of an upload that was never completed."""

    @pytest.fixture
    def asked(self) -> list[tuple[str, str]]:
        """Return the requests that have reached the server, (method, path and query) each, as they come."""
        raise RuntimeError("override this fixture")

    def test_each_verb_is_one_request(self, storage: Storage, asked: list[tuple[str, str]], tmp_path: Path) -> None:
        """Small things cost what they must, and asking whether a name is a folder is not part of it."""
        (tmp_path / "file").write_bytes(b"content")
        steps: dict[str, Callable[[], object]] = {
            "write": lambda: storage.write("a/b", b"content"),
            "write pieces": lambda: storage.write("a/c", iter([b"con", b"tent"])),
            "write a file": lambda: storage.write_file("a/d", tmp_path / "file"),
            "read": lambda: storage.read("a/b"),
            "read a part": lambda: storage.read("a/b", 2, 3),
            "view": lambda: storage.view("a/b"),
            "open": lambda: storage.open("a/b").read(),
            "list": lambda: list(storage.iter_entries("a")),
            "find any": storage.find_any,
            "size": lambda: storage.size("a/b"),
            "delete": lambda: storage.delete("a/b"),
        }
        counts = {}
        for what, step in steps.items():
            asked.clear()
            step()
            counts[what] = len(asked)
        assert counts == dict.fromkeys(steps, 1)

    def test_what_is_absent_costs_one_request(self, storage: Storage, asked: list[tuple[str, str]]) -> None:
        """That a name is not there is an answer as good as any."""
        storage.write("a/b", b"")
        for ask in (storage.read, storage.view, storage.open):
            asked.clear()
            with pytest.raises(NameMissing):
                ask("a/absent")
            assert [method for method, _ in asked] == ["GET"]

    @pytest.mark.parametrize("way", ["bytes", "pieces", "file"])
    def test_what_is_larger_than_one_request_goes_in_parts(self, storage: Storage, tmp_path: Path, way: str) -> None:
        """A content above the limit is there whole, by each way of writing and of reading."""
        content = bytes(range(256)) * (LARGE_BYTES // 256 + 1)
        if way == "bytes":
            storage.write("large", content)
        elif way == "pieces":
            storage.write("large", (content[at : at + 1_000_000] for at in range(0, len(content), 1_000_000)))
        else:
            (tmp_path / "large").write_bytes(content)
            storage.write_file("large", tmp_path / "large")
        assert storage.size("large") == len(content)
        assert storage.view("large") == content
        with storage.open("large") as stream:
            assert stream.read(100) + stream.read() == content
        assert storage.read("large", len(content) - 10, 100) == content[-10:]

    def test_a_large_stream_that_breaks_off_leaves_nothing(
        self, storage: Storage, asked: list[tuple[str, str]]
    ) -> None:
        """Not even when parts of it are there already: the upload is given up."""

        def break_off() -> Iterator[Buffer]:
            for _ in range(LARGE_BYTES // (1 << 20) * 3):
                yield bytes(1 << 20)
            raise EOFError

        with pytest.raises(EOFError):
            storage.write("large", break_off())
        assert storage.size("large") is None
        is_given_up = any(method == "DELETE" and "uploadId" in target for method, target in asked)
        assert is_given_up is not self.forgets_parts

    def test_a_stream_may_be_left_in_the_middle(self, storage: Storage) -> None:
        """What was on its way then disturbs nobody."""
        storage.write("large", bytes(5 * PIECE_BYTES))
        with storage.open("large") as stream:
            assert stream.read(10) == bytes(10)
        with ThreadPoolExecutor(8) as pool:  # more streams than may read ahead at once
            sizes = list(pool.map(lambda _: _count(storage, "large"), range(8)))
        assert sizes == [5 * PIECE_BYTES] * 8

    def test_an_empty_content_opens(self, storage: Storage) -> None:
        """A stream of nothing ends at once."""
        storage.write("empty", b"")
        with storage.open("empty") as stream:
            assert stream.read() == b""

    def test_a_listing_of_many_pages_is_whole(self, storage: Storage, asked: list[tuple[str, str]]) -> None:
        """A server tells so many names at a time; all of them come, in order."""
        names = sorted(f"{number:04d}" for number in range(1_050))
        with ThreadPoolExecutor(16) as pool:
            list(pool.map(lambda name: storage.write(name, b""), names))
        asked.clear()
        entries = list(storage.iter_entries(""))
        assert [entry.name for entry in entries] == names
        assert all(entry.version for entry in entries)
        assert len(asked) == -(-len(names) // self.names_a_page)


def _count(storage: Storage, name: str) -> int:
    with storage.open(name) as stream:
        return sum(map(len, iter(lambda: stream.read(1 << 20), b"")))
