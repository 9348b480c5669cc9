"""A call is not reused along with the call above it when it would be made in another way now."""

from __future__ import annotations

import pytest

from redun import File, Scheduler, task
from redun.store.memory import MemoryStore
from redun.task import get_task_registry

RAN: list = []


class Lines:
    """Takes the lines of runs."""

    def __init__(self):
        self.lines = []
        self.info = self.warning = self.lines.append

    @property
    def n_jobs(self):
        return sum(line.startswith(("Run ", "Cached Job")) for line in self.lines)


def define(default, **options):
    """Define a task with a default, and one above it that calls it with the default and without."""
    with get_task_registry().isolated():

        @task(namespace="test_calling", version="1")
        def double(x):
            RAN.append("double")
            return 2 * x

        @task(namespace="test_calling", version="1", **options)
        def inner(x, y=double(4) if default == "lazy" else default, z=0):  # noqa: B008 - a default may be lazy
            RAN.append((x, z))
            return [x, y.read() if isinstance(y, File) else y]

        @task(namespace="test_calling", version="1")
        def outer(z=0):
            return [inner(1, z=z), inner(2, "given", z=z)]

        yield outer, double


def run(store, default, z=0, **options):
    """Return the value, what ran, and how many jobs there were."""
    RAN.clear()
    log = Lines()
    for outer, _ in define(default, **options):
        value = Scheduler(backend=store, logger=log).run(outer(z))
    return value, sorted(RAN, key=repr), log.n_jobs  # threads run side by side: the order is nobody's promise


@pytest.fixture
def store():
    return MemoryStore()


def test_a_new_default_is_used_below_a_call_on_record(store):
    """Only calls that rely on it run; an old one is found again."""
    assert run(store, 1) == ([[1, 1], [2, "given"]], [(1, 0), (2, 0)], 3)
    assert run(store, 1) == ([[1, 1], [2, "given"]], [], 1)
    assert run(store, 5) == ([[1, 5], [2, "given"]], [(1, 0)], 3)
    assert run(store, 5)[1:] == ([], 1)
    assert run(store, 1)[:2] == ([[1, 1], [2, "given"]], [])


def test_a_file_as_default_counts_by_its_content(store, tmp_path):
    """Though no call on record names it as an argument given."""
    (tmp_path / "a").write_text("one")
    assert run(store, File(str(tmp_path / "a")))[0] == [[1, "one"], [2, "given"]]
    (tmp_path / "a").write_text("two")
    assert run(store, File(str(tmp_path / "a")))[:2] == ([[1, "two"], [2, "given"]], [(1, 0)])


def test_a_lazy_default_counts_by_its_expression(store):
    """A call in the place of a value is another default."""
    assert run(store, 8)[1] == [(1, 0), (2, 0)]
    assert run(store, "lazy")[:2] == ([[1, 8], [2, "given"]], ["double"])
    assert run(store, "lazy")[1:] == ([], 1)


def test_arguments_that_enter_the_key_again_count_again(store):
    """A result that was found under another argument, left out of the key, does not serve once that one counts."""
    run(store, 1, config_args=["z"])
    assert run(store, 1, z=3, config_args=["z"])[1] == []
    assert run(store, 1, z=3)[1] == [(1, 3), (2, 3)]


@pytest.mark.parametrize("options", [{"cache": False}, {"cache_scope": "NONE"}, {"prov": False}])
def test_a_task_that_is_not_to_be_cached_any_more_runs(store, options):
    """Also below a call that was recorded while it was."""
    run(store, 1)
    for _ in range(2):
        assert run(store, 1, **options)[1] == [(1, 0), (2, 0)]
    assert run(store, 1)[1] == []


def test_a_default_that_cannot_be_stored_hinders_no_call_that_gives_another(store):
    """A call that relies on it fails, as it did."""

    @task(namespace="test_calling", version="1")
    def odd(x, y=(n for n in ())):
        return x

    @task(namespace="test_calling", version="1")
    def above():
        return odd(1, 2)

    assert Scheduler(backend=store).run(above()) == 1
    with pytest.raises(Exception, match="argument y"):
        Scheduler(backend=store).run(odd(1))


@pytest.mark.parametrize("options", [{"cache": False}, {"prov": False}, {"cache_scope": "NONE"}])
def test_only_a_shallow_check_passes_over_what_must_run_each_time(options):
    """A full one promises what asking every call below would give, and some of those want to be asked."""
    with get_task_registry().isolated():
        ran = []

        @task(namespace="test_calling", name="always", version="1", **options)
        def always(x):
            ran.append(x)
            return x

        @task(namespace="test_calling", name="outer", version="1")
        def outer(x):
            return [always(x)]

        for check, expected in (("full", [1, 1]), ("shallow", [1])):
            ran.clear()
            store = MemoryStore()
            for _ in range(2):
                assert Scheduler(backend=store).run(outer.options(check_valid=check)(1)) == [1]
            assert ran == expected


def test_a_function_that_becomes_a_script_is_another(store):
    """Its text is the same, and so is its hash; what becomes of the text is not."""
    for is_script, expected in ((False, "echo hi"), (True, b"hi\n"), (False, "echo hi"), (True, b"hi\n")):
        with get_task_registry().isolated():

            @task(namespace="test_calling", version="1", script=is_script)
            def say():
                return "echo hi"

            @task(namespace="test_calling", version="1")
            def ask():
                return say()

            assert Scheduler(backend=store).run(ask()) == expected
