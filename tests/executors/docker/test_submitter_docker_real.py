"""The same with real engines: podman by itself, and docker's command line in front of it where there is one."""

from __future__ import annotations

import shutil
from contextlib import suppress
from dataclasses import replace

import pytest

from redun.executors.docker.command_line import ContainerCommand
from redun.executors.docker.options import DOCKER_OPTIONS
from redun.executors.docker.submitter import DockerSubmitter
from redun.executors.remote.submitter import RemoteStatus, SubmitterError
from redun.testing.podman import IMAGE
from redun.testing.submitter import SubmitterSuite

pytestmark = pytest.mark.cluster
READ_CORES = "cd /sys/fs/cgroup; cat cpu.max 2>/dev/null || echo $(cat cpu/cpu.cfs_quota_us cpu/cpu.cfs_period_us)"
"""Of both versions of control groups."""
ENGINES = ["podman", *(["docker"] if shutil.which("docker") else [])]


@pytest.mark.parametrize("engine_name", ENGINES)
class TestRealEngine(SubmitterSuite):
    """What every submitter does, and what only a real engine can show."""

    absent_id = "f" * 64

    @pytest.fixture
    def submitter(self, podman, engine_name):
        """Talks to the engine."""
        self.podman = podman
        words = podman.words if engine_name == "podman" else podman.serve()
        made = DockerSubmitter("box", ContainerCommand(words), IMAGE, max_running=3)
        yield made
        made.close()

    @pytest.fixture(autouse=True)
    def name_engine(self, engine_name):
        """Let each test of the suite run for each engine."""

    def options(self, **said):
        """Return the value of every option."""
        section = {"image": IMAGE, "scratch": "s", "volumes": self.podman.volumes, **said}
        return DOCKER_OPTIONS.read_section("box", section)

    def make_again(self, submitter):
        """Return another over the same engine."""
        return DockerSubmitter("box", submitter._command, IMAGE)

    def test_memory_is_bounded(self, submitter, tmp_path, monkeypatch):
        """A job that takes more is ended, and told of it; nothing is left behind in the project."""
        monkeypatch.chdir(tmp_path)
        asked = replace(self._one(""), command=("/usr/bin/python3", "-c", "print(len(b'x' * 500_000_000))"))
        ids = submitter.submit(replace(asked, options=self.options(memory=0.03)))
        state = self._wait(submitter, ids)[ids[0]]
        assert state.status is RemoteStatus.FAILED
        assert "out of memory" in state.reason
        assert "0.03 GiB" in state.reason
        assert not list(tmp_path.iterdir())

    def test_cores_and_shared_memory_are_as_asked_for(self, submitter):
        """The kernel says so."""
        script = f"df -m /dev/shm | tail -1; {READ_CORES}"
        ids = submitter.submit(replace(self._one(script), options=self.options(vcpus=0.5, shared_memory=0.125)))
        assert self._wait(submitter, ids)[ids[0]].status is RemoteStatus.SUCCEEDED
        shared, cores = submitter.fetch_log(ids[0], 2)
        assert shared.split()[1] == "128"
        assert cores == "50000 100000"

    def test_a_volume_may_be_read_only(self, submitter, tmp_path):
        """Or not; the engine's own volumes must be there."""
        (tmp_path / "out").mkdir()
        volumes = [*self.podman.volumes, f"{tmp_path}:/in:ro", f"{tmp_path}/out:/out"]
        asked = self._one("touch /out/made; touch /in/refused")
        ids = submitter.submit(replace(asked, options=self.options(volumes=volumes)))
        assert self._wait(submitter, ids)[ids[0]].status is RemoteStatus.FAILED
        assert [path.name for path in tmp_path.iterdir()] == ["out"]
        assert (tmp_path / "out" / "made").exists()
        with pytest.raises(SubmitterError, match="there is no volume 'cachee'"):
            submitter.submit(replace(asked, options=self.options(volumes=["cachee:/c"])))

    def test_a_program_that_is_missing_is_told(self, submitter):
        """An image without redun is the first mistake of many."""
        ids = submitter.submit(replace(self._one(""), command=("no-such-program",)))
        assert self._wait(submitter, ids)[ids[0]].status is RemoteStatus.FAILED
        # What the init process wrote may come to the log a moment later.
        assert self._wait_for(lambda: submitter.fetch_log(ids[0], 5), lambda log: "No such file" in " ".join(log))

    def test_a_job_can_have_the_terminal(self, submitter):
        """It reads what is typed there: here, nothing."""
        for _ in range(3):
            asked = replace(self._one("read -r line || echo end of input"), options=self.options(interactive=True))
            ids = submitter.submit(asked)
            # The log first: on a busy machine Podman's service may take an attached container that has ended for one
            # that runs, for good; then it is tried once more.
            self._expect_log(submitter, ids[0], ["end of input"])
            with suppress(TimeoutError):
                assert self._wait(submitter, ids)[ids[0]].status is RemoteStatus.SUCCEEDED
                return
            submitter.cancel(ids, "it has ended")
        pytest.fail("no attached container was seen to end")

    def test_an_image_that_is_missing_is_told(self, submitter):
        """It is nowhere to be pulled from."""
        with pytest.raises(SubmitterError, match="'localhost/nothing:1' is not on this machine and cannot be pulled"):
            submitter.submit(replace(self._one(""), options=self.options(image="localhost/nothing:1")))

    def test_a_repetition_finds_the_container_of_the_first(self, submitter):
        """As when the answer to the first was lost."""
        asked = self._one("sleep 60")
        ids = submitter.submit(asked)
        assert submitter.submit(asked) == ids
        submitter.cancel(ids, "the test is over")
