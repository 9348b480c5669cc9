"""Values of a FileCache lie in files; what is recorded is their name."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest

from redun import Scheduler, task
from redun.file.file_cache import CachedFileInvalid, FileCache
from redun.value import FileCache as FileCacheOfUsers
from redun.value import InvalidValueError, encode_value, find_pickled_types, get_type_registry

redun_namespace = "test_file_cache"


class Model:
    """A foreign class, as of a library."""

    def __init__(self, weights: list[int]) -> None:
        self.weights = weights

    def __eq__(self, other: object) -> bool:
        return type(other) is Model and other.weights == self.weights

    __hash__ = None  # type: ignore[assignment]


class ModelCache(FileCache):
    type = Model

    def _serialize(self) -> bytes:
        return bytes(self.instance.weights)

    @classmethod
    def _deserialize(cls, data: bytes) -> Any:
        return Model(list(data))


class Plain:
    def __init__(self, x: Any) -> None:
        self.x = x


class PlainCache(FileCache):
    type = Plain


calls: list[int] = []


@task(version="1")
def train(n: int) -> Model:
    calls.append(n)
    return Model([1, 2, n])


@task()
def weigh(model: Model) -> int:
    return sum(model.weights)


@task()
def train_and_weigh(n: int) -> int:
    return weigh(train(n))


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """A folder for the files, and nothing called yet."""
    for cls in (ModelCache, PlainCache):
        monkeypatch.setattr(cls, "base_path", str(tmp_path / "cache"))
    calls.clear()
    return tmp_path / "cache"


def only_file(folder) -> Path:
    (path,) = folder.iterdir()
    return path


def test_users_find_it_among_the_values():
    """It is imported from redun.value, as users know it."""
    assert FileCacheOfUsers is FileCache


def test_the_content_lies_in_a_file_and_the_name_in_the_store(folder):
    """The node names the file, by the hash of its content, and holds neither its content nor its folder."""
    encoded = encode_value(Model([7] * 1000))
    path = only_file(folder)
    assert path.read_bytes() == bytes([7] * 1000)
    assert path.name.encode() in encoded.data
    assert str(folder).encode() not in encoded.data
    assert len(encoded.data) < 300
    assert encoded.parts == ()


def test_a_cached_result_is_read_from_its_file(folder):
    """A second run is answered from the file, and what comes after it is given the value."""
    scheduler = Scheduler()
    assert scheduler.run(weigh(train(3))) == 6
    assert scheduler.run(train(3)) == Model([1, 2, 3])
    assert calls == [3]
    assert only_file(folder)


def test_a_missing_file_is_a_cache_miss(folder):
    """Without its file the job runs again, and the file is there again."""
    scheduler = Scheduler()
    scheduler.run(train(3))
    only_file(folder).unlink()
    assert scheduler.run(train(3)) == Model([1, 2, 3])
    assert calls == [3, 3]
    assert only_file(folder).read_bytes() == b"\1\2\3"


def test_a_missing_file_is_a_miss_below_a_call_too(folder):
    """A call above, whose own result lies in no file, asks the calls below it again, and so notices."""
    scheduler = Scheduler()
    assert scheduler.run(train_and_weigh(3)) == 6
    only_file(folder).unlink()
    assert scheduler.run(train_and_weigh(3)) == 6
    assert calls == [3, 3]
    assert only_file(folder).exists()


@pytest.mark.parametrize("content", [b"", b"\1\2\4", b"\1\2\3\4"])
def test_a_damaged_file_is_a_cache_miss(content, folder):
    """A file with another content is not taken for the value, and is written again."""
    scheduler = Scheduler()
    scheduler.run(train(3))
    only_file(folder).write_bytes(content)
    assert scheduler.run(train(3)) == Model([1, 2, 3])
    assert calls == [3, 3]
    assert only_file(folder).read_bytes() == b"\1\2\3"


def test_another_folder_makes_no_other_value(tmp_path, monkeypatch):
    """The folder is no part of the identity: on another machine it may be another one."""
    before = encode_value(Model([1])).oid
    monkeypatch.setattr(ModelCache, "base_path", f"{tmp_path}/elsewhere/")
    assert encode_value(Model([1])).oid == before
    assert encode_value(Model([2])).oid != before


def test_a_url_will_do(monkeypatch):
    """The folder may be on any file system."""
    monkeypatch.setattr(ModelCache, "base_path", "memory://models")
    registry = get_type_registry()
    name = registry.serialize(Model([5]))
    assert registry.deserialize(registry.get_type_name(Model), name) == Model([5])


def test_by_default_a_value_is_pickled_into_its_file(folder):
    """Without hooks of its own a class lies in a file as a pickle, and the node holds none."""
    encoded = encode_value(Plain([1]))
    assert pickle.loads(only_file(folder).read_bytes()).x == [1]
    assert find_pickled_types(encoded) == ()
    registry = get_type_registry()
    assert registry.deserialize(registry.get_type_name(Plain), registry.serialize(Plain(2))).x == 2


def test_a_missing_file_is_named(folder):
    """The error is an InvalidValueError and says which file it is."""
    name = get_type_registry().serialize(Model([1]))
    only_file(folder).unlink()
    with pytest.raises(CachedFileInvalid, match="is missing") as caught:
        ModelCache.deserialize(Model, name)
    assert isinstance(caught.value, InvalidValueError)
    assert caught.value.path == f"{folder}/{name.decode()}"
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)
