"""Jobs at a Kubernetes cluster."""

from __future__ import annotations

from redun.executors.k8s.executor import K8SExecutor as K8SExecutor
