"""Tags put by a form."""

from __future__ import annotations

import pytest

from redun import Scheduler, apply_tags, task
from redun.functools import no_prov
from redun.objects.execution_records import ExecutionRecord
from redun.objects.kinds import Kind
from redun.provenance.executions import head_of, load_execution
from redun.provenance.tags import TagBook
from redun.scheduler.forms.tagging import apply_tags as the_form
from redun.store.repository import Repository
from redun.tags import BadTag
from redun.value.encoding import encode_value

redun_namespace = "test_tagging"

RAN: list = []


@task(version="1")
def double(x):
    """Return twice the argument."""
    RAN.append(x)
    return 2 * x


@task(version="1")
def tagging(x):
    """Tag what it returns, itself, and the run."""
    return apply_tags(double(x), [("kind", "double"), ("of", double(x))], [("step", x)], execution_tags=[("n", [x])])


@task(version="1")
def above(x):
    """Stand above it."""
    return [tagging(x), double(100)]


@pytest.fixture(autouse=True)
def _forget():
    RAN.clear()


@pytest.fixture
def repository(tmp_path):
    """A repository on disk."""
    with Repository.init(tmp_path / ".redun") as opened:
        yield opened


def tags_of_newest(repository):
    """Return the tags of the newest execution, and those of its jobs that have some, by task."""
    (ref, *_) = repository.refs.iter_refs()
    view = load_execution(repository.store, repository.refs, ref.name)
    book = TagBook(repository.store, repository.refs)
    jobs = {row.task: dict(book.of_job(view, row.number)) for row in view.rows if book.of_job(view, row.number)}
    return dict(book.of_execution(head_of(ref))), jobs


def tags_of_value(repository, value):
    """Return the tags of a value."""
    return dict(TagBook(repository.store, repository.refs).of_object(encode_value(value).oid))


def test_the_form_is_a_name_of_redun():
    """Where its users import it from."""
    assert apply_tags is the_form


def test_value_job_and_execution_are_tagged(repository):
    """And the value is what comes back; tags may be lazy."""
    assert Scheduler({}, repository).run(tagging(3)) == 6
    assert tags_of_value(repository, 6) == {"kind": "double", "of": 6}
    assert tags_of_newest(repository) == ({"n": [3]}, {"test_tagging.tagging": {"step": 3}})


def test_each_run_has_its_tags_though_nothing_runs(repository):
    """A cached job above is asked again; what stands beside is reused."""
    for _ in range(3):
        assert Scheduler({}, repository).run(above(4)) == [8, 200]
        assert tags_of_newest(repository) == ({"n": [4]}, {"test_tagging.tagging": {"step": 4}})
    assert sorted(RAN) == [4, 100]
    (ref, *_) = repository.refs.iter_refs()
    record = ExecutionRecord.decode(repository.store.get_node(ref.object))
    assert len(record.tags) == 4  # also those of the value: who pushes this run pushes its tags


def test_tags_on_the_root_are_those_of_the_root_job(repository):
    """A form that no task returned stands below the root task."""
    assert Scheduler({}, repository).run(apply_tags([double(1)], [("a", 1)], [("b", 2)])) == [2]
    assert tags_of_value(repository, [2]) == {"a": 1}
    assert tags_of_newest(repository)[1] == {"redun.root_task": {"b": 2}}


def test_without_tags_it_is_the_value(repository):
    """Nothing is recorded."""
    assert Scheduler({}, repository).run(apply_tags(double(1))) == 2
    assert list(repository.store.iter_oids(Kind.TAG)) == []


@pytest.mark.parametrize("tags", [{"a": 1}, [("a",)], [("a=b", 1)], [("a", double(1) == 2), ("b", {1})], 5])
def test_a_bad_tag_fails_the_job(repository, tags):
    """With an error that shows it; nothing is tagged."""
    with pytest.raises((BadTag, TypeError)):
        Scheduler({}, repository).run(apply_tags(1, tags, [("fine", 1)]))
    assert list(repository.store.iter_oids(Kind.TAG)) == []


def test_a_value_that_fails_has_no_tags(repository):
    """Nothing is said of what did not come about."""
    with pytest.raises(TypeError):
        Scheduler({}, repository).run(apply_tags(double(None), [("a", 1)], [("b", 1)], [("c", 1)]))
    assert list(repository.store.iter_oids(Kind.TAG)) == []


def test_what_leaves_no_trace_leaves_no_tags(repository):
    """Below a job without provenance the form gives the value and nothing else."""
    assert Scheduler({}, repository).run(no_prov(tagging(2))) == 4
    assert list(repository.store.iter_oids(Kind.TAG)) == []


def test_an_argument_comes_from_the_tagged_value(repository):
    """Not from what its tags were made of."""
    form = apply_tags(double(1), [("a", double(2))])
    Scheduler({}, repository).run(double(form))
    assert [part.args for part in form.upstreams] == [(1,)]
