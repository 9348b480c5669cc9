"""Jobs at Google Batch."""

from __future__ import annotations

from redun.executors.gcp_batch.executor import GCPBatchExecutor as GCPBatchExecutor
