"""Jobs at a Kubernetes cluster."""

from __future__ import annotations

from redun.executors.k8s.executor import K8SExecutor as K8SExecutor
from redun.executors.k8s.executor import make_executor as make_executor
