"""A fake Google Batch that runs what it is asked to, found by the official clients."""

from __future__ import annotations

import pytest

from redun.executors.gcp_batch.options import GCP_OPTIONS
from redun.executors.gcp_batch.submitter import GCPBatchSubmitter
from redun.testing.gcp_server import GCPServer

SECTION = {"project": "lab", "region": "us-central1", "image": "lab:1", "gcs_scratch": "gs://lab/scratch"}


@pytest.fixture
def server(tmp_path, monkeypatch):
    """A server of its own for each test, which clients speak to instead of Google."""
    pytest.importorskip("google.cloud.batch_v1", reason="pip install 'redun[gcp]'")
    folder = tmp_path / "tasks"
    folder.mkdir()
    with GCPServer(folder, "lab", "us-central1") as server:
        monkeypatch.setattr("redun.executors.gcp_batch.service.connect_batch", server.connect_batch)
        monkeypatch.setattr("redun.executors.gcp_batch.service.connect_logging", server.connect_logging)
        yield server


@pytest.fixture
def values():
    """Return what a section of the config says, over the defaults."""

    def read(**section):
        return GCP_OPTIONS.read_section("cloud", {**SECTION, "retries": "0", **section})

    return read


@pytest.fixture
def make_submitter(values):
    """Return a maker of submitters, given what a section says."""

    def make(**section):
        return GCPBatchSubmitter("cloud", values(**section))

    return make
