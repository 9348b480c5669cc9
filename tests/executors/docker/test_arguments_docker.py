"""From options to the words of the engine's command line."""

from __future__ import annotations

import pytest

from redun.executors.docker.arguments import Volume, environment_arguments, read_volumes, run_arguments
from redun.executors.docker.options import DOCKER_OPTIONS
from redun.executors.options import BadOption

BARE = {"image": "lab:1", "scratch": "s"}


def options(**said):
    """Return the value of every option."""
    return DOCKER_OPTIONS.read_section("box", {**BARE, **said})


def test_volumes_are_pairs_or_texts():
    """A folder or a volume of the engine, for writing or not."""
    rows = [["/data", "/d"], ("/data", "/d", "ro"), "/a:/b", "/a:/b:ro", "cache:/c"]
    assert read_volumes("box", rows) == [
        Volume("/data", "/d"),
        Volume("/data", "/d", is_read_only=True),
        Volume("/a", "/b"),
        Volume("/a", "/b", is_read_only=True),
        Volume("cache", "/c"),
    ]


def test_relative_folders_start_where_redun_runs(tmp_path, monkeypatch):
    """So does the user's home; engines want absolute paths."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "ann"))
    sources = [volume.source for volume in read_volumes("box", ["./data:/d", "~/ref:/r"])]
    assert sources == [f"{tmp_path}/data", f"{tmp_path}/ann/ref"]


@pytest.mark.parametrize("row", ["/data", "/a:b", "/a:/b:rx", ["/a"], [1, "/b"], 7, "a:/b:ro:z", ":/b"])
def test_a_volume_that_is_none_is_refused(row):
    """The message shows it and what one looks like."""
    with pytest.raises(BadOption, match="executor 'box': expected each of option 'volumes' to be source:target") as got:
        read_volumes("box", [row])
    assert got.value.option == "volumes"


def test_volumes_become_mounts():
    """A comma in a path does not end it."""
    assert Volume("/a,b", "/c", is_read_only=True).render() == 'type=bind,"source=/a,b",target=/c,readonly'
    assert Volume("cache", "/c").render() == "type=volume,source=cache,target=/c"


def test_limits_are_given_in_bytes_and_cores():
    """Memory is counted in GiB, and parts of one are fine."""
    said = options(vcpus="1.5", memory="0.5", shared_memory=2)
    assert run_arguments(said, [], is_podman=False) == [
        *("--cpus", "1.5"),
        *("--memory", "536870912"),
        *("--shm-size", "2147483648"),
    ]


def test_without_options_a_job_has_one_core_and_some_memory():
    """As at a cluster; shared memory and GPUs are as the engine has them."""
    assert run_arguments(options(), [], is_podman=False) == ["--cpus", "1", "--memory", "4294967296"]


def test_gpus_are_asked_for_as_each_engine_does():
    """Docker counts them, podman names each."""
    assert run_arguments(options(gpus="2"), [], is_podman=False)[4:] == ["--gpus", "2"]
    podman = run_arguments(options(gpus="2"), [], is_podman=True)
    assert podman[4:] == ["--device", "nvidia.com/gpu=0", "--device", "nvidia.com/gpu=1"]


def test_variables_keep_their_spaces():
    """Each is one word of the command line."""
    assert environment_arguments({"A": "x y", "B": ""}) == ["--env", "A=x y", "--env", "B="]


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"vcpu": "2"}, "docker has no option 'vcpu'"),
        ({"memory": "much"}, "expected option 'memory' to be a number, found 'much'"),
        ({"gpus": "1.5"}, "expected option 'gpus' to be a whole number"),
        ({"volumes": "/a:/b"}, "expected option 'volumes' to be a JSON list"),
        ({"interactive": "perhaps"}, "expected option 'interactive' to be true or false"),
    ],
)
def test_a_section_that_does_not_fit_is_refused(said, why):
    """The message names the option, what was expected and what was found."""
    with pytest.raises(BadOption, match=why):
        options(**said)


@pytest.mark.parametrize("name", ["image", "scratch"])
def test_a_section_without_image_or_scratch_is_refused(name):
    """Nothing can stand in for them."""
    section = {key: value for key, value in BARE.items() if key != name}
    with pytest.raises(BadOption, match=f"executor 'box': needs option '{name}', found none"):
        DOCKER_OPTIONS.read_section("box", section)
