"""A fake Kubernetes that runs what it is asked to, found by the client as a real one is."""

from __future__ import annotations

import pytest

from redun.executors.k8s.options import K8S_OPTIONS
from redun.executors.k8s.submitter import K8SSubmitter
from redun.testing.k8s_server import K8SServer


@pytest.fixture
def server(tmp_path, monkeypatch):
    """A server of its own for each test; the current context of the kubeconfig names it."""
    pytest.importorskip("kubernetes", reason="pip install 'redun[k8s]'")
    folder = tmp_path / "pods"
    folder.mkdir()
    with K8SServer(folder) as server:
        config = server.write_kubeconfig(tmp_path / "kubeconfig")
        # KUBECONFIG counts when the client is imported, which an earlier test may have done.
        monkeypatch.setattr("kubernetes.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION", str(config))
        yield server


@pytest.fixture
def make_submitter():
    """Return a maker of submitters, given what a section says."""

    def make(**section):
        return K8SSubmitter("cloud", K8S_OPTIONS.read_section("cloud", {"image": "lab:1", "scratch": "s", **section}))

    return make
