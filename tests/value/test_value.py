"""The hooks of Value and ProxyValue."""

from __future__ import annotations

from typing import Any

import pytest

from redun.value import ProxyValue, Value, ValueUndecodable, encode_value, find_pickled_types
from redun.value.value import find_proxy, overrides


class Simple(Value):
    def __init__(self, content: Any, secret: int = 0) -> None:
        self.content = content
        self.secret = secret


class Public(Simple):
    type_name = "test.Public"

    def __getstate__(self) -> Any:
        return {"content": self.content}

    def __setstate__(self, state: Any) -> None:
        self.content = state["content"]
        self.secret = -1


class Slotted(Value):
    __slots__ = ("x", "y")

    def __init__(self) -> None:
        self.x = 5


class Bytes(Value):
    type_name = "test.Bytes"

    def __init__(self, text: str) -> None:
        self.text = text

    def serialize(self) -> bytes:
        return self.text.encode()

    @classmethod
    def deserialize(cls, raw_type: Any, data: bytes) -> Any:
        assert raw_type is cls
        return cls(data.decode())


class Hashed(Value):
    def __init__(self, name: str, version: str) -> None:
        self.name = name
        self._version = version

    def __getstate__(self) -> Any:
        return {"name": self.name}

    def get_hash(self, data: bytes | None = None) -> str:
        return self._version


class Frame:
    """A foreign class, as of a library."""

    def __init__(self, rows: list[int], version: str = "1") -> None:
        self.rows = rows
        self.version = version


class SubFrame(Frame):
    pass


class FrameProxy(ProxyValue):
    type = Frame
    type_name = "test.FrameProxy"

    def get_hash(self, data: bytes | None = None) -> str:
        return self.instance.version

    def serialize(self) -> bytes:
        return bytes(self.instance.rows)

    @classmethod
    def deserialize(cls, raw_type: Any, data: bytes) -> Any:
        return raw_type(list(data))


def test_a_value_is_its_type_name_and_state(round_trip):
    """The default: attributes, without __init__."""
    again = round_trip(Simple([1, Simple("inner")], secret=3))
    assert type(again) is Simple
    assert (again.content[0], again.content[1].content, again.secret) == (1, "inner", 3)
    assert Simple.type_name == f"{__name__}.Simple"


def test_getstate_decides_what_the_value_is(round_trip):
    """What __getstate__ leaves out is no part of the identity, and __setstate__ puts something in its place."""
    assert encode_value(Public(1, secret=1)).oid == encode_value(Public(1, secret=2)).oid
    assert round_trip(Public(1)).secret == -1


def test_slots_are_state(round_trip):
    """Attributes in slots are kept, and those not set stay so."""
    again = round_trip(Slotted())
    assert again.x == 5
    assert not hasattr(again, "y")


def test_a_value_may_bring_its_own_bytes(round_trip):
    """Its serialize and deserialize take the place of the state."""
    assert round_trip(Bytes("abc")).text == "abc"
    assert round_trip([Bytes("x" * 70_000)])[0].text == "x" * 70_000
    assert find_pickled_types(encode_value(Bytes("abc"))) == ()


def test_an_own_hash_tells_values_apart(round_trip):
    """What get_hash says is part of the identity, even when the state is the same."""
    assert encode_value(Hashed("a", "1")).oid != encode_value(Hashed("a", "2")).oid
    oid = encode_value(Hashed("a", "1")).oid
    assert oid == encode_value(Hashed("a", "1")).oid


def test_a_value_of_an_unknown_class_is_undecodable(shelf):
    """A type name that nobody registered is a reason."""
    from redun.value.value import value_classes

    oid = shelf.put(Bytes("a"))
    kept = value_classes.pop("test.Bytes")
    try:
        with pytest.raises(ValueUndecodable, match=r"no class of Value is registered as test\.Bytes"):
            shelf.get_value(oid)
    finally:
        value_classes["test.Bytes"] = kept


def test_a_class_not_imported_yet_is_imported(shelf, tmp_path, monkeypatch):
    """A default type name begins with the module, which decoding imports."""
    import sys

    (tmp_path / "module_of_values.py").write_text(
        "from redun.value import Value\nclass Outer:\n    class Thing(Value):\n        pass\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    import module_of_values

    from redun.value.value import value_classes

    oid = shelf.put(module_of_values.Outer.Thing())
    del value_classes["module_of_values.Outer.Thing"], sys.modules["module_of_values"]
    assert type(shelf.get_value(oid)).__name__ == "Thing"


def test_a_class_that_its_package_loads_late_is_loaded(shelf, tmp_path, monkeypatch):
    """A type name may begin with a package that re-exports the class only when asked, as ``redun.PartialTask`` does."""
    import sys

    package = tmp_path / "lazy_package"
    package.mkdir()
    (package / "__init__.py").write_text(
        "def __getattr__(name):\n    from importlib import import_module\n"
        "    return getattr(import_module('lazy_package.inner'), name)\n"
    )
    (package / "inner.py").write_text(
        "from redun.value import Value\nclass Lazy(Value):\n    type_name = 'lazy_package.Lazy'\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    import lazy_package.inner

    from redun.value.value import value_classes

    oid = shelf.put(lazy_package.inner.Lazy())
    del value_classes["lazy_package.Lazy"], sys.modules["lazy_package.inner"]
    assert type(shelf.get_value(oid)).__name__ == "Lazy"


def test_a_proxy_speaks_for_a_foreign_type(round_trip):
    """Its bytes are stored and the raw object comes back, of the exact class, subclasses included."""
    for cls in (Frame, SubFrame):
        again = round_trip([cls([1, 2])])[0]
        assert type(again) is cls
        assert again.rows == [1, 2]
    assert encode_value(Frame([1], "1")).oid != encode_value(Frame([1], "2")).oid
    assert find_pickled_types(encode_value(Frame([1]))) == ()


def test_a_proxy_not_imported_yet_is_imported(shelf, tmp_path, monkeypatch):
    """A proxy's default type name begins with its module, which decoding imports; one that is gone is named."""
    import sys

    from redun.value.value import proxies

    (tmp_path / "module_of_raw.py").write_text("class Raw:\n    pass\n")
    (tmp_path / "module_of_proxies.py").write_text(
        "from module_of_raw import Raw\nfrom redun.value import ProxyValue\n\n\n"
        "class RawProxy(ProxyValue):\n    type = Raw\n"
        "    def serialize(self):\n        return b''\n    @classmethod\n    def deserialize(cls, raw_type, data):\n"
        "        return raw_type()\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    import module_of_proxies
    from module_of_raw import Raw

    oid = shelf.put(Raw())
    del proxies[Raw], sys.modules["module_of_proxies"]
    assert type(shelf.get_value(oid)) is Raw
    del proxies[Raw]
    with pytest.raises(ValueUndecodable, match=r"module_of_proxies\.RawProxy.* module_of_raw\.Raw"):
        shelf.get_value(oid)
    assert module_of_proxies.Raw is Raw


def test_a_proxy_defined_late_is_heeded():
    """A type may be encoded before its proxy is defined; afterwards the proxy speaks."""

    def define():
        class LateProxy(ProxyValue):
            type = Late
            type_name = "test.LateProxy"

            def serialize(self) -> bytes:
                return b"late"

        return LateProxy

    assert find_pickled_types(encode_value(Late()))
    assert find_proxy(Late) is None
    proxy = define()
    assert find_proxy(Late) is proxy
    assert find_pickled_types(encode_value(Late())) == ()


class Late:
    pass


def test_proxies_that_only_check_leave_the_bytes_alone(round_trip):
    """A proxy without serialize and get_hash changes nothing about how its type is stored."""
    before = encode_value(Checked(1)).oid

    class CheckedProxy(ProxyValue):
        type = Checked

        def is_valid(self) -> bool:
            return False

    assert encode_value(Checked(1)).oid == before
    assert find_proxy(Checked) is CheckedProxy


class Checked:
    def __init__(self, x: int) -> None:
        self.x = x


def test_default_hooks():
    """Untouched hooks do what their docstrings say."""
    value = Simple(1)
    assert value.is_valid()
    assert value.preprocess({}) is value
    assert value.postprocess({}) is value
    assert list(value.iter_subvalues()) == []
    assert value.get_hash() == encode_value(value).oid.hex()
    assert Simple.deserialize(Simple, value.serialize()).content == 1
    assert Simple.parse_arg(Simple, "text").content == "text"
    assert overrides(Bytes, "serialize")
    assert not overrides(Simple, "serialize")
