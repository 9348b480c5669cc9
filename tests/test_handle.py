"""Handles as values: what they capture, how they are hashed, and how they come back."""

from __future__ import annotations

import copy
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

import redun
from redun.handle import Handle, HandleError, handle_classes
from redun.objects.value_records import HandleForm, HandleRecord
from redun.value.encoding import Encoded, ValueUndecodable, decode_value, encode_value, preview_value

redun_namespace = "test_handle"


class Connection(Handle):
    """Opens a list, and counts how often it does."""

    opened = 0

    def __init__(self, name, path, mode="r", namespace=None):
        type(self).opened += 1
        self.path = path
        self.instance = [path, mode]


class Plain(Handle):
    """Has no constructor."""


def store_of(encoded: Encoded) -> dict:
    return {**{oid: data for oid, data, _ in encoded.parts}, encoded.oid: encoded.data}


def came_back(value):
    encoded = encode_value(value)
    return decode_value(encoded.oid, store_of(encoded).__getitem__)


def test_a_handle_is_public():
    """``redun.Handle`` is the class, and each subclass is known."""
    assert redun.Handle is Handle
    assert Connection in handle_classes


def test_the_constructor_is_captured():
    """``__handle__`` holds the name, its namespace and what else the constructor was given."""
    info = Connection("db", "a.db", mode="w").__handle__
    assert (info.fullname, info.name, info.namespace) == ("test_handle.db", "db", "test_handle")
    assert (info.args, info.kwargs, info.key) == (("a.db",), {"mode": "w"}, "")
    assert len(info.hash) == 64


def test_a_namespace_can_be_given():
    """``namespace=`` goes before that of the module; an empty one is none."""
    assert Connection("db", "a.db", namespace="other").__handle__.fullname == "other.db"
    assert Connection("db", "a.db", namespace="").__handle__.fullname == "db"
    assert Connection(name="db", path="a.db").__handle__.fullname == "test_handle.db"


def test_the_current_namespace_is_that_of_the_definition():
    """Where the module says nothing, the namespace in force at the definition of the class counts."""
    redun.namespace("theirs")
    try:
        made = type("Made", (Handle,), {"__module__": "no.such.module"})
    finally:
        redun.namespace()
    assert made("x").__handle__.fullname == "theirs.x"


def test_the_hash_is_made_of_name_and_arguments():
    """Equal names and arguments are one handle; what the constructor did with them does not count."""
    first, same = Connection("db", "a.db"), Connection("db", "a.db")
    same.instance.append("changed")
    assert first == same
    assert hash(first) == hash(same)
    others = [Connection("db", "b.db"), Connection("other", "a.db"), Connection("db", "a.db", "w"), Plain("db", "a.db")]
    assert len({first, *others}) == 5
    assert first != "db"


def test_forks_and_calls_make_other_states():
    """Each fork and call has a hash of its own, that follows from where it came from."""
    handle = Connection("db", "a.db")
    states = [handle, handle.fork("a"), handle.fork("b"), handle.apply_call("aa"), handle.fork("a").apply_call("aa")]
    assert len(set(states)) == 5
    assert handle.fork("a") == Connection("db", "a.db").fork("a")
    assert [state.__handle__.key for state in states] == ["", "a", "b", "", ""]


def test_merged_branches_are_one_state():
    """A merged handle depends on all branches; one alone is itself; another name is refused."""
    handle = Connection("db", "a.db")
    one, two = handle.fork("1"), handle.fork("2")
    assert one.merge([]) is one
    assert one.merge([one]) is one
    assert one.merge([two, two]) == one.merge([two])
    assert one.merge([two]) not in {one, two, handle}
    with pytest.raises(HandleError, match=r"'test_handle.db'.*cannot be merged with handle 'test_handle.x'"):
        one.merge([Connection("x", "a.db")])


def test_unknown_attributes_are_those_of_the_instance():
    """What neither the handle nor its class has is asked of ``instance``."""
    handle = Connection("db", "a.db")
    handle.append("more")
    assert handle.instance == ["a.db", "r", "more"]
    assert handle.index("more") == 2
    with pytest.raises(AttributeError):
        _ = handle.nothing
    with pytest.raises(AttributeError, match="sets none"):
        _ = Plain("x").anything


def test_a_handle_comes_back_by_its_constructor_at_first_use():
    """Reading a handle back opens nothing until somebody needs it; then its constructor runs once."""
    handle = came_back({"db": [Connection("db", "a.db", mode="w").fork("x")]})["db"][0]
    before = Connection.opened
    assert handle == Connection("db", "a.db", mode="w").fork("x")
    assert "fullname=test_handle.db" in repr(handle)
    opened = Connection.opened - before
    assert opened == 1  # the one made for comparison
    assert handle.path == "a.db"
    assert handle.instance == ["a.db", "w"]
    assert Connection.opened - before == 2


def test_a_constructor_that_raises_can_be_tried_again():
    """The error comes through at the first use, and again at the next."""

    class Down(Handle):
        fails = True

        def __init__(self, name):
            if self.fails:
                raise ConnectionError("down")
            self.instance = []

    Down.fails = False
    handle = Down("db").fork("x")
    Down.fails = True
    with pytest.raises(ConnectionError):
        _ = handle.instance
    Down.fails = False
    assert handle.instance == []


@given(st.lists(st.one_of(st.tuples(st.just("fork"), st.text(max_size=4)), st.tuples(st.just("call"), st.text()))))
def test_any_state_comes_back(steps):
    """Whatever a handle went through, it comes back as the same state, and needs only what it was stored with."""
    handle = Plain("db", 1, key="v")
    for step, text in steps:
        handle = handle.fork(text) if step == "fork" else handle.apply_call(text)
    back = came_back([handle])[0]
    assert back == handle
    assert type(back) is Plain
    assert back.__handle__.args == (1,)
    assert back.__handle__.kwargs == {"key": "v"}
    assert back.__handle__.root == Plain("db", 1, key="v").__handle__.oid


def test_a_stored_state_carries_nothing_along():
    """What is made from a state that is in the store names it, and need not store it again."""
    handle = Plain("db").fork("1")
    assert len(encode_value(handle).parts) == 2
    handle.__handle__.note_stored()
    assert encode_value(handle.apply_call("aa")).parts == ()


def test_a_handle_is_an_external():
    """A value that holds handles names them, as it names files."""
    handle = Plain("db")
    assert encode_value([handle, handle, handle.fork("1")]).externals == (
        handle.__handle__.oid,
        handle.fork("1").__handle__.oid,
    )


def test_a_handle_can_be_shown_without_its_class():
    """A preview gives the class's name, the full name and the hash."""
    for handle in (Plain("db"), Plain("db").fork("1").apply_call("aa")):
        encoded = encode_value(handle)
        preview = preview_value(encoded.oid, store_of(encoded).__getitem__)
        assert preview.text == f"Plain(fullname=test_handle.db, hash={encoded.oid.hex()[:8]})" == repr(handle)
        assert preview.type_name == "redun.Handle"


def test_copies_are_the_same_state():
    """Copies and pickles are made anew, of the same state."""
    handle = Connection("db", "a.db").fork("x")
    for other in (copy.copy(handle), pickle.loads(pickle.dumps(handle))):
        assert other == handle
        assert other.instance == ["a.db", "r"]


@pytest.mark.parametrize("arguments", [(), (1,), ("not a name",), ("a.b",)])
def test_a_handle_needs_a_name(arguments):
    """The first argument is a name like that of a task."""
    with pytest.raises(HandleError, match="needs a name"):
        Plain(*arguments)


class Opaque:
    """Can only be pickled."""


def test_arguments_must_be_plain_data():
    """What cannot be stored, or only as a pickle, cannot identify a handle."""
    for argument in (lambda: None, Opaque(), [Opaque()]):
        with pytest.raises(HandleError, match="plain data"):
            Plain("db", argument)
    error = pickle.loads(pickle.dumps(HandleError("a.b", "no good", hint="try")))
    assert (error.fullname, error.message, error.hint) == ("a.b", "no good", "try")


def test_a_renamed_class_cannot_be_read():
    """A state whose class is gone, or is no class of handles, has no value."""
    for type_name in ("test_handle_gone.Database", "redun.file.file.File"):
        arguments = encode_value(((), {}))
        oid, data = HandleRecord(HandleForm.ROOT, [arguments.oid], [type_name, "db"]).encode()
        with pytest.raises(ValueUndecodable):
            decode_value(oid, {oid: data, arguments.oid: arguments.data}.__getitem__)
