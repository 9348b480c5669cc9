"""Many processes around one remote, all at once: they push, pull and collect, and nothing is lost or left dangling."""

from __future__ import annotations

import os
import random
import shutil
import time
import traceback
from concurrent.futures import ThreadPoolExecutor

import pytest

from redun.remotes.connect import connect
from redun.remotes.pull import pull
from redun.remotes.push import push
from redun.remotes.remote import Remote
from redun.store.local_storage import LocalStorage
from redun.store.maintain.fsck import check_repository
from redun.store.maintain.gc import collect
from redun.store.maintain.gc_policy import GcPolicy
from redun.store.maintain.repack import consolidate
from redun.store.repository import Repository
from redun.testing.objects import execution_id, make_execution
from redun.upkeep import repack_remote

pytestmark = [pytest.mark.stress, pytest.mark.timeout(0)]

PROCESSES = 8
GRACE_SECONDS = 3600.0
BUCKET_GRACE_SECONDS = 15  # longer than a push takes on a busy machine


def at_once(works):
    """Do each piece of work in a child of its own, all at the same moment; each must end well."""
    begin_read, begin_write = os.pipe()
    children = []
    for work in works:
        child = os.fork()
        if not child:
            code = 70
            try:
                os.close(begin_write)
                os.read(begin_read, 1)  # returns when the parent lets go of the other end
                work()
                code = 0
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(code)
        children.append(child)
    os.close(begin_write)
    os.close(begin_read)
    codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
    assert codes == [0] * len(children)


def seeds_of(repository):
    """Return the ids of a repository's executions."""
    return {name[-36:] for name in repository.refs.iter_names()}


def check_sound(path):
    """Check that a repository is clean; a race may leave what fsck mends."""
    with Repository.open(path) as repository:
        check_repository(repository, repair=True)
        report = check_repository(repository)
        assert report.is_clean, report.problems


@pytest.mark.parametrize("merges", [False, True])
def test_eight_processes_push_and_pull_one_folder(tmp_path, rounds, chance, merges):
    """In the end the remote and everybody has the union, and all of it is whole, whoever merges packs meanwhile."""
    remote = LocalStorage(tmp_path / "remote")
    paths = [tmp_path / f"project {number}" for number in range(PROCESSES)]
    made = set()
    for path in paths:
        Repository.init(path).close()
        (path / "redun.ini").write_text(f"[remotes.origin]\nurl = {remote.path}\n")

    def exchange(path, seeds, order):
        with Repository.open(path) as repository:
            for seed in seeds:
                make_execution(repository.store, repository.refs, 5 + seed % 30, seed=seed)
            for verb in order:
                origin = connect(repository, "origin")
                verb(repository, origin)
                if merges and verb is push:
                    repack_remote(repository, origin, max_packs=2)

    with Repository.open(paths[0]) as repository:
        push(repository, Remote("origin", remote))
    for number in range(max(2, rounds // 10)):
        works = []
        for place, path in enumerate(paths):
            shared = 100 * number  # everybody makes this one
            seeds = [shared, 100 * number + 2 * place + 1, 100 * number + 2 * place + 2]
            made.update(seeds)
            order = chance.choice([(push, pull), (pull, push), (push, push), (push, pull, push, pull)])
            works.append(lambda path=path, seeds=seeds, order=order: exchange(path, seeds, order))
        at_once(works)
    for verb in (push, pull):
        for path in paths:
            exchange(path, [], [verb])
    wanted = {execution_id(seed) for seed in made}
    check_sound(remote.path)
    for path in paths:
        check_sound(path)
        with Repository.open(path) as repository:
            assert seeds_of(repository) == wanted


@pytest.mark.parametrize("waits", [True, False])
def test_two_collections_and_a_push_at_once(tmp_path, rounds, chance, waits):
    """What is pushed is whole at the remote, though it is built on what two collections are about to delete."""
    for number in range(rounds):
        folder = tmp_path / f"round {number}"
        here, there = folder / "here", folder / "there"
        with Repository.init(here) as repository, Repository.init(there) as other:
            for seed in range(4):
                make_execution(repository.store, repository.refs, 20, seed=seed, blobs=[bytes([seed % 2]) * (1 << 20)])
            push(repository, Remote("there", other.storage))
            make_execution(repository.store, repository.refs, 20, seed=3, blobs=[b"\1" * (1 << 20)])
        n_kept = chance.randint(0, 2)
        with Repository.open(there) as other:
            collect(other, GcPolicy(keep_executions=n_kept, grace_seconds=GRACE_SECONDS))
        if waits:
            age(there)
        pauses = [chance.uniform(0, 0.01) for _ in range(3)]

        def work_push(path=here, at=there, pause=pauses[0]):
            time.sleep(pause)
            with Repository.open(path) as repository:
                push(repository, Remote("there", LocalStorage(at)))

        def work_collect(pause, at=there):
            time.sleep(pause)
            with Repository.open(at) as other:
                collect(other, GcPolicy(grace_seconds=GRACE_SECONDS))

        at_once([work_push, lambda: work_collect(pauses[1]), lambda: work_collect(pauses[2])])  # noqa: B023
        check_sound(there)
        with Repository.open(there) as other:
            assert seeds_of(other) == {execution_id(seed) for seed in range(4)}
        shutil.rmtree(folder)


@pytest.mark.parametrize("client", ["obstore", "botocore"])
def test_two_collections_and_a_push_at_once_in_a_bucket(
    make_project, s3_bucket, s3_server, tmp_path, rounds, chance, client
):
    """The same with real clients and a real server, by whose clock the grace period has passed."""
    projects = [make_project(name) for name in ("pushing", "collecting", "collecting too")]
    for each in projects:
        environment = {**each.environment, **s3_server.environment}
        is_botocore = client == "botocore"
        each.environment = s3_server.through_botocore(environment, tmp_path / "keys") if is_botocore else environment
    pushing, *collecting = projects
    collect_words = ("gc", "--apply", "--grace", f"{BUCKET_GRACE_SECONDS}s", "--remote")
    remotes = [f"round{number}" for number in range(max(2, rounds // 20))]
    for name in remotes:
        for each in projects:
            each.redun("remote", "add", name, f"{s3_bucket}/{name}")
    for base in (0, 10):
        pushing.redun("-q", *pushing.run_words(3, base, 0.0))
    for name in remotes:
        pushing.redun("push", name)
        collecting[0].redun(*collect_words, name, "--keep-executions", str(chance.randint(0, 1)))
    time.sleep(BUCKET_GRACE_SECONDS)
    pushing.redun("-q", *pushing.run_words(4, 0, 0.0))  # on what may be condemned
    for name in remotes:
        processes = []
        for each, words in [(pushing, ("push", name)), *((each, (*collect_words, name)) for each in collecting)]:
            time.sleep(chance.uniform(0, 0.1))
            processes.append((each, each.start(*words)))
        for each, process in processes:
            each.finish(process)
        pushing.redun("push", name)
        assert "Clean." in pushing.redun("-r", name, "fsck").stdout
        assert pushing.redun("-r", name, "log", "--all").stdout.count("Exec ") == 3


def test_a_pull_beside_merges_and_collections(tmp_path, rounds, chance):
    """What is merged or deleted over there while a pull looks at it is no damage: what is left comes, whole."""
    for number in range(rounds):
        folder = tmp_path / f"round {number}"
        here, there = folder / "here", folder / "there"
        Repository.init(here).close()
        with Repository.init(there) as other:
            for seed in range(6):
                make_execution(other.store, other.refs, 20 + 5 * seed, seed=seed)
            collect(other, GcPolicy(keep_executions=5, grace_seconds=GRACE_SECONDS))
        age(there)

        pauses = [chance.uniform(0, 0.01) for _ in range(3)]

        def work_pull(path=here, at=there, pause=pauses[0]):
            time.sleep(pause)
            with Repository.open(path) as repository:
                pull(repository, Remote("there", LocalStorage(at)))

        def work_merge(at=there, pause=pauses[1]):
            time.sleep(pause)
            with Repository.open(at) as other:
                consolidate(other.store)

        def work_collect(at=there, pause=pauses[2]):
            time.sleep(pause)
            with Repository.open(at) as other:
                collect(other, GcPolicy(keep_executions=4, grace_seconds=GRACE_SECONDS))

        at_once([work_pull, work_merge, work_collect])
        check_sound(there)
        check_sound(here)
        with Repository.open(here) as repository:
            assert seeds_of(repository) >= {execution_id(seed) for seed in range(2, 6)}
        shutil.rmtree(folder)


def age(path):
    """Let the grace period pass: all that is there was written long ago."""
    for each in (path / "objects").rglob("*"):
        if each.is_file():
            moment = each.stat().st_mtime - 2 * GRACE_SECONDS
            os.utime(each, (moment, moment))


def test_eight_processes_push_and_pull_one_bucket(make_project, s3_bucket, s3_server):
    """The same with the real client, command line and server."""
    projects = [make_project(f"project {number}") for number in range(PROCESSES)]
    for number, each in enumerate(projects):
        each.environment = {**each.environment, **s3_server.environment}
        each.redun("-q", *each.run_words(3, 10 * number, 0.0))
        each.redun("remote", "add", "origin", f"{s3_bucket}/shared")
    with ThreadPoolExecutor(PROCESSES) as pool:
        list(pool.map(lambda each: each.redun("push"), projects))
        orders = [("pull", "push") if random.Random(number).random() < 0.5 else ("push", "pull") for number in range(8)]
        for step in range(2):
            list(pool.map(lambda pair, step=step: pair[0].redun(pair[1][step]), zip(projects, orders)))
        list(pool.map(lambda each: each.redun("pull"), projects))
    listed = {each.redun("log", "--all").stdout for each in projects}
    assert len(listed) == 1
    assert listed.pop().count("Exec ") == PROCESSES
    for each in projects:
        each.redun("fsck")
