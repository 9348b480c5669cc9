"""Tasks: names, hashes, options, calls, and tasks as values."""

from __future__ import annotations

import pickle
import sys

import pytest

import redun
from redun.expression import TaskExpression
from redun.hashing import Oid
from redun.objects.kinds import Kind
from redun.objects.task_records import TaskRecord
from redun.task import Task, UnknownTask, get_task_registry, task
from redun.value.encoding import ValueUndecodable, decode_value, encode_value


def add(a, b=2):
    return a + b


def make(**options):
    return task(**options)(add)


def read_back(value):
    encoded = encode_value(value)
    stored = {oid: data for oid, data, _ in (*encoded.parts, (encoded.oid, encoded.data, encoded.kind))}
    return decode_value(encoded.oid, stored.__getitem__)


# -- names


def test_a_task_has_the_name_of_its_function_unless_told():
    """The namespace stands before the name, if there is one."""
    assert make().fullname == "add"
    named = make(name="plus", namespace="lab.math")
    assert (named.name, named.namespace, named.fullname) == ("plus", "lab.math", "lab.math.plus")


@pytest.mark.parametrize("bad", [{"name": "1st"}, {"name": "a.b"}, {"namespace": ".x"}, {"namespace": "a b"}])
def test_a_name_that_cannot_be_is_refused(bad):
    """Names and namespaces follow the rules at definition."""
    with pytest.raises(ValueError, match="expected a"):
        make(**bad)


def test_a_lambda_needs_a_name():
    """``<lambda>`` is no name."""
    with pytest.raises(ValueError, match="<lambda>"):
        task(lambda: 1)
    assert task(name="one")(lambda: 1).name == "one"


def test_where_a_namespace_comes_from(project):
    """An argument goes before the module's variable, that before the current one, and that before none."""
    text = "\nredun_namespace = 'module'\n@task\ndef main(): pass\n@task(namespace='')\ndef bare(): pass"
    redun.namespace("current")
    try:
        assert project.task(text).fullname == "module.main"
        bare = sys.modules["wf"].bare
        plain = project.task("@task\ndef main(): pass")
    finally:
        redun.namespace()
    assert (bare.fullname, bare.is_namespace_given) == ("bare", True)
    assert (plain.fullname, plain.is_namespace_given) == ("current.main", True)
    assert not make().is_namespace_given


# -- hash and record


def test_the_hash_names_the_record():
    """The record's oid is the task hash; it shows as 8 digits."""
    plus = make()
    assert plus.hash == plus.oid.hex() == plus.record().encode()[0].hex()
    assert repr(plus) == f"Task(fullname=add, hash={plus.hash[:8]})"
    assert plus.record().fullname == "add"
    assert plus.source == "def add(a, b=2):\n    return a + b\n"
    own, *units = plus.sources()
    assert own[:3] == (plus.record(), plus.source, __name__)
    assert units == []


def test_a_version_stands_for_the_source():
    """Two functions of one name and version have one hash."""

    @task(version="1")
    def plus(a):
        return a

    @task(name="plus", version="1")
    def other(a):
        return -a

    assert plus.hash == other.hash
    assert plus.record() == TaskRecord("plus", "1", None, [], [])
    assert plus.hash != task(version="2")(plus.func).hash


def test_a_version_is_text():
    """A number would be taken for another version than its text."""
    with pytest.raises(ValueError, match="expected version to be text, found 1"):
        make(version=1)


def test_a_source_given_is_hashed_instead():
    """``source=`` takes the place of the function's own text."""
    assert make(source="x").hash == task(source="x", name="add")(lambda: 1).hash
    assert len({make(source="x").hash, make(source="y").hash, make().hash}) == 3
    assert make(source="x").source == "x"


def test_hash_includes_count_in_any_order():
    """Further values enter the hash, with a version too."""
    for version in (None, "1"):
        both = make(hash_includes=[1, "a"], version=version)
        assert both.hash == make(hash_includes=["a", 1], version=version).hash
        assert both.hash != make(hash_includes=["a"], version=version).hash != make(version=version).hash


def test_options_of_the_definition_do_not_count():
    """Where and how a task runs does not change what it returns."""
    assert make(memory=4, executor="batch", cache=False, limits=["db"]).hash == make().hash


def test_options_given_later_are_part_of_the_hash():
    """The hash of a task with options of its own is that of the value; what its calls are looked up by stays."""
    plus = make()
    assert plus.options(memory=4).hash == plus.options(memory=4).hash
    assert len({plus.hash, plus.options(memory=4).hash, plus.export_options(memory=4).hash}) == 3
    assert plus.options(memory=4).oid == plus.oid


def test_compat_gives_the_hash():
    """The first of ``compat`` is the task's hash; it must look like one."""
    digits = "ab" * 32
    assert make(compat=[digits]).hash == digits
    with pytest.raises(ValueError, match="64 hex digits, found 'abc'"):
        make(compat=["abc"])


# -- attributes


def test_attributes_that_users_know():
    """Each can be asked of a task."""
    plus = make(version="3", script=True, load_module="elsewhere")
    assert plus.func is add
    assert plus.version == "3"
    assert plus.script
    assert plus.load_module == "elsewhere"
    assert make().load_module == __name__
    assert str(plus.signature) == "(a, b=2)"
    assert not plus.is_async()


def test_nout_is_given_or_inferred():
    """A call knows how many values it gives."""

    @task
    def pair() -> tuple[int, str]:
        return 1, "a"

    assert pair.nout == 2
    assert len(list(pair())) == 2
    assert pair.options(nout=3).nout == 3
    assert make(nout=0).nout == 0
    assert make().nout is None


def test_config_args_must_be_parameters():
    """A name that the signature does not have is refused at definition, and in ``.options``."""
    assert make(config_args=["b"]).bind((1,), {}).hashed() == [("a", 1)]
    with pytest.raises(ValueError, match="names c, expected parameters of add"):
        make(config_args=["c"])
    with pytest.raises(ValueError, match="names c"):
        make().options(config_args=["c"])
    assert make().options(config_args=["a"]).bind((1,), {}).hashed() == [("b", 2)]


# -- calls and options


def test_calling_a_task_runs_nothing():
    """A call is an expression with the task's name and the arguments as given."""
    call = make()(1, b=3)
    assert isinstance(call, TaskExpression)
    assert (call.task_name, call.args, dict(call.kwargs)) == ("add", (1,), {"b": 3})
    assert not call.task_options
    assert not call.export_options


def test_options_given_later_go_with_the_call():
    """``.options`` makes a copy; what is given last wins; options of the definition do not travel."""
    plus = make(memory=1, vcpus=2)
    changed = plus.options(memory=4).options(cache=False, gpus=1)
    assert changed(1).task_options == {"memory": 4, "gpus": 1, "cache_scope": changed.get_task_option("cache_scope")}
    assert changed.get_task_options()["vcpus"] == 2
    assert changed.has_task_option("gpus")
    assert plus.get_task_options() == {"memory": 1, "vcpus": 2}
    assert plus.get_task_option("gpus", 0) == 0
    assert changed.record() == plus.record()


def test_exported_options_go_with_the_call():
    """What descendants inherit is kept apart from the call's own options; ``prov`` always is inherited."""
    plus = make(export_options={"cache": False}, prov=False)
    call = plus.export_options(memory=4).options(prov=True)(1)
    assert call.export_options == {"memory": 4, "prov": True}
    assert set(plus.get_export_options()) == {"cache_scope", "prov"}


def test_context_is_merged_dict_by_dict():
    """Later updates change only what they name."""
    plus = make().update_context({"db": {"host": "a", "port": 1}}).update_context(db={"port": 2}, x=1)
    assert plus(1).task_options == {"_context_override": {"db": {"host": "a", "port": 2}, "x": 1}}


# -- tasks as values


def test_a_task_as_a_value_is_its_record():
    """It is stored as a node of kind task, with its units."""
    plus = make()
    encoded = encode_value(plus)
    assert (encoded.kind, encoded.oid) == (Kind.TASK, plus.oid)
    assert read_back([plus]) == [plus]


def test_options_given_later_are_part_of_the_value():
    """They come back with it, and make it another value."""
    plus = make()
    big = plus.options(memory=4).export_options(vcpus=2)
    found = read_back(big)
    assert (found.fullname, found(1).task_options, found(1).export_options) == (
        "add",
        {"memory": 4, "vcpus": 2},
        {"vcpus": 2},
    )
    assert len({encode_value(value).oid for value in (plus, big, plus.options(memory=5))}) == 3


def test_a_task_that_changed_cannot_be_read_back():
    """What names a task whose code is another now is no longer valid."""
    old = make(version="1")
    encoded = encode_value(old)
    assert old.is_valid()
    make(version="2")
    assert not old.is_valid()
    with pytest.raises(ValueUndecodable, match="has changed"):
        decode_value(encoded.oid, {encoded.oid: encoded.data}.__getitem__)
    get_task_registry().clear()
    assert not old.is_valid()
    with pytest.raises(ValueUndecodable, match="is not defined"):
        decode_value(encoded.oid, {encoded.oid: encoded.data}.__getitem__)


def test_a_pickled_task_is_found_again_by_name(project):
    """Another process has code of its own: it imports the task's module, and refuses a task that differs."""
    main = project.task("@task(version='1')\ndef main(): return 1")
    pickled = pickle.dumps(main.options(memory=4))
    get_task_registry().clear()
    del sys.modules["wf"]
    found = pickle.loads(pickled)
    assert isinstance(found, Task)
    assert (found.oid, found.get_task_options()) == (main.oid, {"memory": 4})
    get_task_registry().add(task(version="2", name="main")(main.func))
    with pytest.raises(UnknownTask, match="'main' has changed") as caught:
        pickle.loads(pickled)
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


def test_a_hash_is_known_only_of_what_is_registered():
    """An oid that nobody registered is not current."""
    assert not get_task_registry().is_current(Oid(bytes(32)))
