"""Tags put during a run: once each, linked from the execution, its own first."""

from __future__ import annotations

import subprocess
import sys

import pytest

from redun import File, get_current_scheduler, task
from redun.executors.thread import ThreadExecutor
from redun.objects.execution_records import ExecutionRecord, ExecutionStatus, RunSubject, TagRecord
from redun.objects.kinds import Kind
from redun.objects.links import walk
from redun.objects.value_records import ValueRecord
from redun.provenance.executions import head_of, load_execution
from redun.provenance.jobs import outline_job
from redun.provenance.tag_edits import plan_remove
from redun.provenance.tags import TagBook, TagView
from redun.scheduler.errors import NoCurrentScheduler
from redun.scheduler.execution import Execution
from redun.scheduler.homes import home_of
from redun.scheduler.scheduler import Scheduler
from redun.scheduler.tags import TagRecorder
from redun.store.maintain.fsck import check_repository
from redun.store.memory import MemoryStore
from redun.store.ref_texts import RefStatus
from redun.store.repository import Repository
from redun.store.tagging import write_tag_edit
from redun.tags import BadTag
from redun.task import scheduler_task

ID = bytes(range(16))


@pytest.fixture
def store():
    """A store in memory."""
    return MemoryStore()


def test_an_executions_own_tags_come_first(store):
    """Whatever the order they were put in."""
    tags = TagRecorder(store, ID)
    oid, data = ValueRecord("builtins.int", "data", 1, []).encode()
    store.put(oid, data, Kind.VALUE)
    tags.tag_job(3, [("a", 1)])
    tags.tag_value(oid, [("b", None)])
    tags.tag_task(oid, [("c", [1])])
    tags.tag_execution([("d", "x")])
    found = [TagRecord.decode(store.get_node(tag)) for tag in tags.oids]
    assert [(record.subject, record.key, record.value) for record in found] == [
        (RunSubject(ID, 0), "d", '"x"'),
        (RunSubject(ID, 3), "a", "1"),
        (oid, "b", "null"),
        (oid, "c", "[1]"),
    ]


def test_the_same_tag_twice_is_one(store):
    """A task's tags are put again with each of its jobs."""
    tags = TagRecorder(store, ID)
    for _ in range(2):
        tags.tag_job(1, [("a", 1), ("a", 1), ("a", 2)])
    assert len(tags.oids) == 2


def test_a_value_is_put_with_its_tags(store):
    """And with all it links to: whoever has the tag has the value."""
    tags = TagRecorder(store, ID)
    oid = tags.tag_python_value([File("a.txt")], [("good", True)])
    (tag,) = tags.oids
    assert TagRecord.decode(store.get_node(tag)).subject == oid
    assert len(list(walk([tag], store.find_kind_and_data))) == 3


def test_a_bad_tag_puts_nothing(store):
    """All tags of a call are checked first."""
    tags = TagRecorder(store, ID)
    with pytest.raises(BadTag):
        tags.tag_execution([("good", 1), ("bad", object())])
    assert list(store.iter_oids()) == []


def test_a_run_has_its_tags_from_its_start_to_its_end(tmp_path):
    """While it runs they are found in its journal, then through its node."""
    with Repository.init(tmp_path / ".redun") as repository:
        execution = Execution(home_of(repository), ["redun"], lambda: 1_700_000_000_000_000, None, [("env", "prod")])
        execution.begin()
        repository.store.flush()
        for ended in (False, True):
            if ended:
                execution.tags.tag_job(1, [("n", 1)])
                execution.end(ExecutionStatus.DONE, None)
            (ref,) = repository.refs.iter_refs()
            assert TagBook(repository.store, repository.refs).of_execution(head_of(ref)) == (TagView("env", "prod"),)
        view = load_execution(repository.store, repository.refs, ref.name)
        assert TagBook(repository.store, repository.refs).of_job(view, 1) == (TagView("n", 1),)
        assert len(ExecutionRecord.decode(repository.store.get_node(ref.object)).tags) == 2
        assert check_repository(repository).is_clean


def test_bad_tags_of_an_execution_are_refused_before_it_begins():
    """No ref is written for a run that cannot be."""
    with pytest.raises(BadTag):
        Execution(home_of(None), ["redun"], lambda: 5, None, [("a=b", 1)])


def test_a_scheduler_tags_a_run_with_what_it_is_given_and_its_settings(tmp_path):
    """Tags of the call stand beside those of ``[tags]``; a run without any has none."""
    with Repository.init(tmp_path / ".redun") as repository:
        Scheduler({"tags": {"team": "bio", "n": "10"}}, repository).run(1, tags=[("env", "prod"), ("env", None)])
        Scheduler({}, repository).run(1)
        second, first = (
            TagBook(repository.store, repository.refs).of_execution(head_of(ref)) for ref in repository.refs.iter_refs()
        )
        assert first == (TagView("env", "prod"), TagView("env", None), TagView("n", 10), TagView("team", "bio"))
        assert second == ()


def test_a_run_with_a_bad_tag_does_not_start(tmp_path):
    """The scheduler can run again after it."""
    with Repository.init(tmp_path / ".redun") as repository:
        scheduler = Scheduler({}, repository)
        with pytest.raises(BadTag):
            scheduler.run(1, tags=[("env", object())])
        assert list(repository.refs.iter_names()) == []
        assert scheduler.run(2) == 2


def test_a_dry_run_records_no_tags(tmp_path):
    """It leaves no trace at all."""
    with Repository.init(tmp_path / ".redun") as repository:
        Scheduler({}, repository).run(1, dryrun=True, tags=[("env", "prod")])
        assert list(repository.store.iter_oids(Kind.TAG)) == []


@task(namespace="tags_of_runs", tags=[("team", "bio"), ("n", 1)])
def tagged(x):
    """Do little."""
    return x


@task(namespace="tags_of_runs")
def plain(x):
    """Do as little."""
    return x


@task(namespace="tags_of_runs", tags=[("bad", object())])
def badly_tagged():
    """Never run."""


@task(namespace="tags_of_runs")
def top():
    """Call the others."""
    lazy = plain.options(tags=[("step", plain("lazy"))])(3)
    return [tagged(1), tagged.options(tags=[("own", None)])(2), lazy, plain(4)]


def _tags_by_argument(repository):
    """Return the tags of each job of the newest run but the first, by its argument."""
    (name, *_) = repository.refs.iter_names()
    view = load_execution(repository.store, repository.refs, name)
    book = TagBook(repository.store, repository.refs)
    return {
        outline_job(repository.store, view, row).arguments[0].value.text: dict(book.of_job(view, row.number))
        for row in view.rows
        if row.task in {"tags_of_runs.tagged", "tags_of_runs.plain"}
    }


def test_each_job_has_the_tags_of_its_call(tmp_path):
    """Those of the definition, or of the call where it says other ones; a part of them may be an expression."""
    with Repository.init(tmp_path / ".redun") as repository:
        for _ in range(2):  # the second time the jobs are answered from the store
            assert Scheduler({"scheduler": {"ignore_warnings": "namespace"}}, repository).run([top(), tagged(9)])
            found = _tags_by_argument(repository)
            assert found["9"] == {"team": "bio", "n": 1}
        Scheduler({}, repository).run(top(), cache=False)
        assert _tags_by_argument(repository) == {
            "1": {"team": "bio", "n": 1},
            "2": {"own": None},
            "3": {"step": "lazy"},
            "'lazy'": {},
            "4": {},
        }
        assert check_repository(repository).is_clean


def test_a_task_has_the_tags_of_its_definition(tmp_path):
    """Once, however many jobs it has; what was removed from it stays removed."""
    with Repository.init(tmp_path / ".redun") as repository:
        scheduler = Scheduler({}, repository)
        scheduler.run(tagged(1))
        book = TagBook(repository.store, repository.refs)
        oid = tagged.record().encode()[0]
        assert book.of_object(oid) == (TagView("n", 1), TagView("team", "bio"))
        write_tag_edit(repository, plan_remove(oid, book.records_of(oid), [("n", 1)]))
        scheduler.run(tagged(2))
        assert TagBook(repository.store, repository.refs).of_object(oid) == (TagView("team", "bio"),)


def test_a_job_with_a_bad_tag_fails(tmp_path):
    """With an error that names the tag's value."""
    with Repository.init(tmp_path / ".redun") as repository, pytest.raises(BadTag, match="object"):
        Scheduler({}, repository).run(badly_tagged())


def test_tags_of_an_interrupted_run_are_kept(tmp_path):
    """Its process died: whoever seals its journal gives its tags a ref, so that they are found and pushed."""
    path = tmp_path / ".redun"
    Repository.init(path).close()
    code = (
        "import os, sys; from pathlib import Path\n"
        "from redun import Scheduler, task\n"
        "from redun.store.repository import Repository\n"
        "@task(namespace='wf', tags=[('n', 1)])\n"
        "def first(): return 1\n"
        "@task(namespace='wf')\n"
        "def last(x):\n"
        "    repository.store.flush()\n"
        "    os._exit(3)\n"
        "repository = Repository.open(Path(sys.argv[1]))\n"
        "Scheduler({}, repository).run(last(first()), tags=[('env', 'prod')])\n"
    )
    assert subprocess.run([sys.executable, "-c", code, str(path)], check=False).returncode == 3
    with Repository.open(path) as repository:
        (ref,) = repository.refs.iter_refs()
        assert ref.status is RefStatus.INTERRUPTED
        view = load_execution(repository.store, repository.refs, ref.name)
        book = TagBook(repository.store, repository.refs)
        assert book.of_execution(view.head) == (TagView("env", "prod"),)
        assert sorted(book.type_of(subject) for subject, tags in book.iter_tagged() if tags == (TagView("n", 1),)) == [
            "Job",
            "Task",
        ]
        assert len(list(repository.refs.iter_tag_names())) == 1
        assert check_repository(repository).is_clean


@scheduler_task(namespace="tags_of_runs")
def note(scheduler, parent_job, _expression, part):
    """Tag a value, its job and the execution, as a form does."""

    def record(value):
        scheduler.record_tags(value, parent_job, tags=[("v", 1)], job_tags=[("j", 2)], execution_tags=[("e", 3)])
        return value

    return scheduler.evaluate(part, parent_job).then(record)


@task(namespace="tags_of_runs")
def noted():
    """Have a part noted."""
    return [note(plain("noted"))]


@task(namespace="tags_of_runs")
def tag_itself():
    """Do as an executor does: tag a job from a thread of its own."""
    scheduler = get_current_scheduler()
    (job,) = (job for job in jobs_seen if job.task.name == "tag_itself")
    scheduler.add_job_tags(job, [("from", "thread")])
    return 1


jobs_seen = []


class WatchingExecutor(ThreadExecutor):
    """Remembers the jobs it was given."""

    def submit(self, work):
        """Note the job, and go on."""
        jobs_seen.append(work)
        super().submit(work)


def test_a_form_tags_value_job_and_execution(tmp_path):
    """All three are found; a job without provenance leaves no tags."""
    with Repository.init(tmp_path / ".redun") as repository:
        Scheduler({}, repository).run(noted.options(prov=False)())
        assert list(repository.store.iter_oids(Kind.TAG)) == []
        Scheduler({}, repository).run(noted())
        book = TagBook(repository.store, repository.refs)
        assert [(book.type_of(subject), tags) for subject, tags in book.iter_tagged()] == [
            ("Execution", (TagView("e", 3),)),
            ("Job", (TagView("j", 2),)),
            ("Value", (TagView("v", 1),)),
        ]
        assert check_repository(repository).is_clean


def test_an_executor_tags_a_job_from_its_thread(tmp_path):
    """The tag is put by the scheduler's thread; without a run there is nothing to tag."""
    with Repository.init(tmp_path / ".redun") as repository:
        scheduler = Scheduler({}, repository, executor=WatchingExecutor("default", max_workers=2))
        assert scheduler.run(tag_itself()) == 1
        assert TagBook(repository.store, repository.refs).count_keys() == {"from": {"Job": 1}}
        with pytest.raises(NoCurrentScheduler):
            scheduler.add_job_tags(jobs_seen[0], [("late", 1)])
