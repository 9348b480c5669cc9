"""What servers and networks do to requests, injected between a real S3 client and a real S3 server.

The fact behind all of them: a transfer succeeds, or fails with an error that names the remote; both sides are whole
in either case, and the next transfer brings the rest.
"""

from __future__ import annotations

import dataclasses
import itertools
import os
import re
import shutil
import subprocess
import sys
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest

from redun.errors import RemoteError
from redun.remotes.pull import pull
from redun.remotes.push import push
from redun.remotes.reach import RemoteUnreachable
from redun.remotes.remote import Remote
from redun.store import obstore_storage
from redun.store.boto_storage import BotoStorage
from redun.store.local_storage import LocalStorage
from redun.store.maintain.fsck import check_repository
from redun.store.obstore_storage import ObstoreStorage
from redun.store.ref_names import ref_name
from redun.store.refs import Refs
from redun.store.repository import Repository
from redun.testing.faulty_proxy import EVER_AFTER, Fault, FaultyProxy
from redun.testing.objects import execution_id, make_execution

pytestmark = pytest.mark.timeout(600)  # clients wait longer and longer before they try again

VERBS = {"push": push, "pull": pull}
CAUSES = {
    Fault.SLOW_DOWN: "reduce your request rate|SlowDown",
    Fault.FORBIDDEN: "Access Denied|AccessDenied|Forbidden",
    Fault.RESET: "onnection|reset|sending request",
}
"""What an error says besides the remote's name."""


class World:
    """A repository here, a bucket there behind a proxy, and a repository elsewhere that pulls from it."""

    def __init__(self, folder, bucket, server_url, proxy, patch, client):
        self.folder = folder
        self.client = client
        self.url = f"{bucket}/shared"
        self.urls = {"server": server_url, "proxy": proxy.url}
        self.proxy = proxy
        self.patch = patch
        self.n_looks = 0
        self.here = Repository.init(folder / "here" / ".redun")
        self.there = Repository.init(folder / "there" / ".redun")
        self.seeds: set[int] = set()

    def run(self, n_jobs=20):
        """Make one more execution here, with a large content that is a file of its own."""
        seed = len(self.seeds)
        blobs = [bytes([seed]) * (1 << 20)]
        make_execution(self.here.store, self.here.refs, n_jobs, seed=seed, blobs=blobs)
        self.seeds.add(seed)

    def transfer(self, verb, through="proxy"):
        """Push from here, or pull over there, as a process that has just begun."""
        repository = self.here if verb == "push" else self.there
        cache = LocalStorage(repository.cache_path / "remotes" / "origin")
        return VERBS[verb](repository, Remote("origin", self.connect(through), cache))

    def connect(self, through):
        """Return the bucket, reached in one of two ways and by a client that knows of no earlier one."""
        self.patch.setenv("AWS_ENDPOINT_URL", self.urls[through])
        return ObstoreStorage(self.url) if self.client == "obstore" else BotoStorage(self.url)

    def expect_failure(self, verb, cause):
        """Check that a transfer fails with an error that names the remote and the cause."""
        with pytest.raises(RemoteError) as caught:
            self.transfer(verb)
        assert "origin" in str(caught.value)
        assert self.url in str(caught.value)
        assert re.search(cause, str(caught.value))

    def check(self):
        """Check that both sides are whole: what the bucket shows can be had, and is all that a ref stands for."""
        for repository in (self.here, self.there):
            report = check_repository(repository)
            assert report.is_clean, report.problems
        self.n_looks += 1
        with Repository.init(self.folder / f"look {self.n_looks}" / ".redun") as looked:
            remote = Remote("origin", self.connect("server"))
            try:
                listed = remote.look().executions
            except RemoteError:
                return set()  # nobody has made the repository yet
            pull(looked, remote)
            report = check_repository(looked)
            assert report.is_clean, report.problems
            assert set(looked.refs.iter_names()) == set(listed)
            return {seed for seed in self.seeds if any(name.endswith(execution_id(seed)) for name in listed)}

    def settle(self):
        """Check that undisturbed transfers bring everything everywhere."""
        self.proxy.calm()
        self.transfer("push")
        self.transfer("pull")
        assert self.check() == self.seeds
        found = {name[-36:] for name in self.there.refs.iter_names()}
        assert found == {execution_id(seed) for seed in self.seeds}


@pytest.fixture(params=["botocore", "obstore"])
def world(request, tmp_path, s3_bucket, s3_server, monkeypatch):
    """Clients try twice before they give up, so that what lasts does not last for minutes."""
    if request.param == "obstore":
        pytest.importorskip("obstore", reason="there is no obstore: pip install obstore")
        monkeypatch.setitem(obstore_storage._RETRIES, "max_retries", 1)
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "2")
    with FaultyProxy(s3_server.url) as proxy:
        world = World(tmp_path, s3_bucket, s3_server.url, proxy, monkeypatch, request.param)
        yield world
        world.here.close()
        world.there.close()
        world.connect("server")


def test_undisturbed_transfers_pass_through(world):
    """The proxy by itself changes nothing."""
    world.run()
    world.settle()
    assert {method for method, _ in world.proxy.requests} >= {"GET", "PUT"}


@pytest.mark.parametrize(
    ("verb", "fault"), [("push", Fault.SLOW_DOWN), ("push", Fault.INTERNAL_ERROR), ("pull", Fault.LOST_REPLY)]
)
def test_what_passes_is_tried_again(world, verb, fault):
    """One failing request of a transfer, the first, does not keep it from its end."""
    world.run()
    if verb == "pull":
        world.transfer("push")
    rule = world.proxy.inject(fault, times=1)
    assert world.transfer(verb).executions == 1
    assert rule.hits == 1
    world.settle()


@pytest.mark.parametrize(
    ("verb", "method", "fault"),
    [("push", "PUT", Fault.SLOW_DOWN), ("pull", "GET", Fault.FORBIDDEN), ("pull", "GET", Fault.RESET)],
)
def test_what_lasts_is_told_with_the_remote_and_the_cause(world, verb, method, fault):
    """A server that always refuses is no reason to wait for ever, and what was there before is still there."""
    world.run()
    world.settle()
    world.run()
    if verb == "pull":
        world.transfer("push")
    world.proxy.inject(fault, method)
    world.expect_failure(verb, CAUSES[fault])
    assert world.check() >= {0}
    world.settle()


def test_a_reply_that_is_cut_short_is_not_taken_for_the_content(world):
    """Half a pack is not a pack: nothing of it is taken, and the next pull takes all of it."""
    world.run(n_jobs=200)
    world.transfer("push")
    world.proxy.inject(Fault.TRUNCATED, "GET", "objects/pack/")
    with pytest.raises(RemoteUnreachable):
        world.transfer("pull")
    world.check()
    assert not list(world.there.refs.iter_names())
    world.settle()


def test_a_ref_whose_reply_is_lost_is_written_once(world):
    """The server has the ref and could not say so: writing it again is harmless, and it reads as it was written."""
    world.run()
    rule = world.proxy.inject(Fault.LOST_REPLY, "PUT", "/refs/", times=1)
    assert world.transfer("push").executions == 1
    assert rule.hits == 1
    asked = [request for request in world.proxy.requests if "/refs/" in request[1]]
    assert sum(method == "PUT" for method, _ in asked) >= 2
    assert not any("uploads" in target for _, target in asked), "a ref is never sent in parts"
    assert world.transfer("push").is_up_to_date
    world.settle()


def test_slow_requests_are_waited_for(world):
    """A line that takes a while for each request costs time and nothing else."""
    world.run()
    world.proxy.latency_seconds = 0.05
    assert world.transfer("push").executions == 1
    assert world.transfer("pull").executions == 1
    world.settle()


def test_more_refs_than_one_listing_gives_are_all_seen(world):
    """A bucket lists a thousand names at a time; nothing beyond them is overlooked, here or by a push."""
    world.run()
    world.transfer("push", "server")
    (ref,) = world.here.refs.iter_refs()
    others = Refs(ObstoreStorage(world.url))
    ids = [str(uuid.UUID(int=number)) for number in range(1, 1101)]
    made = [dataclasses.replace(ref, name=ref_name(ref.start_us, each), execution_id=each) for each in ids]
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(others.write, made))
    listed = Remote("origin", world.connect("proxy")).look().executions
    assert set(listed) == {ref.name, *(each.name for each in made)}
    assert sum("list-type=2" in target for _, target in world.proxy.requests) == 2
    assert world.transfer("push").is_up_to_date


SKEWED = """
import sys
from pathlib import Path
from redun.errors import RemoteError
from redun.remotes.push import push
from redun.remotes.remote import Remote
from redun.store.boto_storage import BotoStorage
from redun.store.obstore_storage import ObstoreStorage
from redun.store.repository import Repository
client, path, url = sys.argv[1:]
with Repository.open(Path(path)) as repository:
    storage = ObstoreStorage(url) if client == "obstore" else BotoStorage(url)
    try:
        push(repository, Remote("origin", storage))
    except RemoteError as error:
        print(error)
"""


@pytest.mark.parametrize("offset", ["+1d", "-1d"])
def test_a_clock_that_is_wrong_by_a_day_is_told(world, offset):
    """A server refuses such requests; that is no lack of rights, and the next push sends everything."""
    faketime = shutil.which("faketime")
    if faketime is None:
        pytest.skip("there is no faketime: apt-get install faketime")
    world.run()
    path = world.folder / "here" / ".redun"
    words = [faketime, "-f", offset, sys.executable, "-c", SKEWED, world.client, str(path), world.url]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    assert done.stdout.startswith(f"cannot reach remote 'origin' at {world.url}: RequestTimeTooSkewed: The difference")
    assert world.check() == set()
    world.settle()


@pytest.mark.stress
@pytest.mark.timeout(0)
@pytest.mark.parametrize("fault", Fault)
@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("is_passing", [True, False])
def test_a_fault_at_any_request_leaves_both_sides_whole(world, verb, fault, is_passing):
    """Whichever request of a transfer is hit, once or from then on: success, or an error that names the remote."""
    rounds = int(os.environ.get("REDUN_STRESS_ROUNDS", "200"))
    for place in itertools.count(step=max(1, 100 // rounds)):  # with few rounds some of them
        world.run()
        if verb == "pull":
            world.transfer("push", "server")
        world.proxy.calm()
        rule = world.proxy.inject(fault, skip=place, times=1 if is_passing else EVER_AFTER)
        try:
            world.transfer(verb)
        except RemoteError as error:
            assert "origin" in str(error)
            assert world.url in str(error)
        assert world.check() >= world.seeds - {max(world.seeds)}
        is_hit = rule.hits > 0
        world.settle()
        if not is_hit:
            return
