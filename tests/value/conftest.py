"""A place to put encoded values, and the golden values as a module of one name everywhere."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest

from redun.hashing import hash_blob, hash_node
from redun.objects.codec import decode_node
from redun.objects.kinds import SOFT_LINK_KINDS, Kind
from redun.value import decode_value, encode_value
from redun.value.classes import set_code_digest

HERE = Path(__file__).parent


class Shelf(dict):
    """Objects by oid.  Refuses an object whose links it does not hold yet, as a store may."""

    def put(self, value):
        """Encode a value, keep all of it, and return its oid."""
        encoded = encode_value(value)
        for oid, data, kind in (*encoded.parts, (encoded.oid, encoded.data, encoded.kind)):
            if kind == Kind.BLOB:
                assert hash_blob(data) == oid
            else:
                node = decode_node(data)
                assert hash_node(data) == oid
                assert node.kind == kind
                assert kind in SOFT_LINK_KINDS or all(link in self for link in node.links)
            self[oid] = data
        return encoded.oid

    def get_value(self, oid, **options):
        """Decode a value from what is kept."""
        return decode_value(oid, self.__getitem__, **options)


@pytest.fixture(autouse=True)
def no_task_layer():
    """Values as the value layer alone makes them: the task layer, if a test before has loaded it, says nothing."""
    before = set_code_digest(lambda _thing: None)
    yield
    set_code_digest(before)


@pytest.fixture
def shelf():
    """An empty place for objects."""
    return Shelf()


@pytest.fixture
def round_trip(shelf):
    """Encode, keep and decode a value; check that encoding what came back gives the same oid."""

    def run(value):
        oid = shelf.put(value)
        again = shelf.get_value(oid)
        assert encode_value(again).oid == oid
        return again

    return run


@pytest.fixture(scope="session")
def golden():
    """The module of golden values, under the name that its classes are stored with."""
    sys.path.insert(0, str(HERE))
    try:
        yield importlib.import_module("golden_values")
    finally:
        sys.path.remove(str(HERE))
