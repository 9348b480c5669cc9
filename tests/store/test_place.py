"""Where a repository lies: in its folder, in another, in a project's, or at a URL."""

from __future__ import annotations

import uuid

import pytest

from redun.config import Config
from redun.settings import RepositorySettings, StorageSettings
from redun.store.fsspec_storage import FsspecStorage
from redun.store.local_storage import LocalStorage
from redun.store.place import PlaceTaken, find_place, spool_name
from redun.store.repository import Repository
from redun.store.storage import RepositoryUnreachable
from redun.testing.objects import make_execution


@pytest.fixture
def url():
    return f"memory://{uuid.uuid4().hex}/team"


def test_without_a_url_it_is_the_folder(tmp_path):
    """And a path means the folder there, from the project directory."""
    path = tmp_path / "project/.redun"
    assert find_place(path, RepositorySettings()).storage.path == path
    assert find_place(path, RepositorySettings("../shared")).storage.path == tmp_path / "shared"


def test_a_path_may_name_the_project_around_a_repository(tmp_path):
    """As a remote's may."""
    Repository.init(tmp_path / "other/.redun").close()
    found = find_place(tmp_path / "project/.redun", RepositorySettings("../other"))
    assert found.storage.path == tmp_path / "other/.redun"


def test_a_url_may_name_the_project_around_a_repository(tmp_path, url):
    """The repository in it is taken when the place itself is none."""
    Repository.init(tmp_path / ".redun", settings=RepositorySettings(f"{url}/.redun")).close()
    with Repository.open(tmp_path / ".redun", settings=RepositorySettings(url)) as found:
        assert found.location == f"{url}/.redun"


def test_a_place_has_one_spool(tmp_path, url):
    """Whoever opens the same URL from the same folder finds what an earlier process left there."""
    path = tmp_path / ".redun"
    paths = {find_place(path, RepositorySettings(each)).storage.path for each in (url, f"{url}/", f"{url}-2")}
    assert len(paths) == 2
    assert all(one.parent == path / "spool" for one in paths)


@pytest.mark.parametrize("url", ["s3://bucket", "s3://b/../x", "s3://a b/ü", "s3://b/" + "long/" * 50, "s3://"])
def test_a_spool_has_a_plain_name(url):
    """One part of a path, whatever stands in the URL."""
    name = spool_name(url)
    assert "/" not in name
    assert not name.startswith(".")
    assert len(name) < 70


def test_another_thing_is_not_made_a_repository(tmp_path, url):
    """A mistyped prefix does not spill a repository among other data."""
    FsspecStorage(url).write("holidays/1.jpg", b"x")
    with pytest.raises(PlaceTaken, match="holidays"):
        Repository.init(tmp_path / ".redun", settings=RepositorySettings(url))
    assert FsspecStorage(url).size("objects/format") is None


def test_objects_of_a_first_run_that_was_cut_off_are_taken_over(tmp_path, url):
    """A pack says its own version, so a format that is missing is made."""
    FsspecStorage(url).write("objects/blob/aa/x", b"x")
    Repository.init(tmp_path / ".redun", settings=RepositorySettings(url)).close()
    assert FsspecStorage(url).size("objects/format") is not None


@pytest.mark.parametrize("settings", [{"read_only": True}, {"storage": StorageSettings(anonymous=True)}])
def test_what_is_set_to_be_read_is_not_written(tmp_path, settings):
    """Neither of a folder nor of anything else."""
    Repository.init(tmp_path).close()
    with Repository.open(tmp_path, settings=RepositorySettings(**settings)) as repository:
        assert not repository.is_writable


def test_a_repository_at_a_url_keeps_its_journal_here(tmp_path, url):
    """What it records is there when it is sealed, and a machine that has nothing yet finds it."""
    with Repository.init(tmp_path / "a", settings=RepositorySettings(url)) as here:
        assert here.is_shared
        made = make_execution(here.store, here.refs, 5)
        assert list(here.journals.glob("*")) == []
    with Repository.open(tmp_path / "b", settings=RepositorySettings(url)) as there:
        assert there.refs.read(made.ref.name).object == made.ref.object
        assert there.store.has(made.ref.object)
    assert isinstance(Repository.init(tmp_path / "c").storage, LocalStorage)


def test_what_could_not_be_sent_waits_in_the_spool(tmp_path, url):
    """A held journal stays when its process ends, and the next process tells the run in its own words."""
    settings = RepositorySettings(url)
    with Repository.init(tmp_path / "a", settings=settings) as here:
        here.store.put_file(_file(tmp_path, b"small"))
        here.postpone(RepositoryUnreachable(url, "no route"))
        assert any("no route" in warning and "spool" in warning for warning in here.store.warnings)
        here.store.seal()
    assert len(list(here.journals.glob("*"))) == 1


def test_settings_of_a_command_replace_those_of_the_file(tmp_path):
    """All that says where and how, and nothing else."""
    config = Config({"repository": {"url": "s3://a/b", "region": "x", "durability": "job"}})
    config.set_repository("s3://c/${d}", StorageSettings(endpoint="http://e", anonymous=True))
    expected = RepositorySettings("s3://c/${d}", "job", storage=StorageSettings("http://e", anonymous=True))
    assert config.repository == expected
    assert Config(config.get_config_dict()).repository == expected


def _file(folder, content):
    (folder / "file").write_bytes(content)
    return folder / "file"
