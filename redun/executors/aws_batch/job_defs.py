"""Job definitions: what AWS Batch must know of a job besides its command and size.

The invariant: a job runs with a definition that says what its options say.  One that does is looked for among those
that are registered, and a new one is registered when there is none: so equal options lead to one definition, and
changed ones to another, whoever changed them.  Sizes (``vcpus``, ``memory``, ``gpus``) are said for each job instead,
so that a task that needs more memory needs no definition of its own.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from redun.context import merge_dicts
from redun.executors.aws import AwsRefused, AwsService
from redun.hashing import hash_blob

MAIN_NODE = "0:0"
OTHER_NODES = "1:"
_NAME_PREFIX = "redun-jd-"
_MIB_PER_GIB = 1024
# AWS takes no definition without sizes; each job says its own.
_ANY_SIZE = [{"type": "VCPU", "value": "1"}, {"type": "MEMORY", "value": "4096"}]
_NOT_COMPARED = {"jobDefinitionName", "tags"}
_FILLED_IN = {"fargatePlatformConfiguration"}
"""What AWS adds of its own, besides empty lists and false."""


class JobDefinitions:
    """The job definitions of one account and region."""

    def __init__(self, batch: AwsService) -> None:
        self._batch = batch
        self._known: dict[str, str] = {}  # by digest of what was wanted

    def find(self, options: Mapping[str, Any]) -> str:
        """Return what names the job definition for these options of a job: an ARN, or what the user named.

        Raises:
            AwsRefused: it is not there and may not be made, or AWS does not take it.
            AwsUnavailable: AWS does not answer.
        """
        if not options["autocreate_job_def"]:
            return self._find_named(options["job_def_name"])
        wanted = make_definition(options)
        digest = _digest(wanted)
        if digest not in self._known:
            self._known[digest] = self._find_equal(wanted) or self._register(wanted)
        return self._known[digest]

    def forget(self) -> None:
        """Look again: one that was found is not there any more."""
        self._known = {}

    def _find_named(self, name: str) -> str:
        if name not in self._known:
            # A name stands for its newest revision; as "name:revision", or as an ARN, for one.
            is_arn = name.startswith("arn:")
            plain, _, revision = ("", "", "") if is_arn else name.partition(":")
            by: dict[str, Any] = {"jobDefinitions": [name]} if is_arn else {"jobDefinitionName": plain}
            found = self._batch.iter_items("describe_job_definitions", "jobDefinitions", status="ACTIVE", **by)
            if not any(revision in {"", str(each["revision"])} for each in found):
                message = f"expected an active job definition {name!r} at AWS Batch, found none"
                hint = "register it, correct job_def_name, or set autocreate_job_def"
                raise AwsRefused(message, verb="batch:DescribeJobDefinitions", hint=hint)
            self._known[name] = name
        return self._known[name]

    def _find_equal(self, wanted: Mapping[str, Any]) -> str | None:
        name = wanted["jobDefinitionName"]
        found = self._batch.iter_items(
            "describe_job_definitions", "jobDefinitions", jobDefinitionName=name, status="ACTIVE"
        )
        for definition in sorted(found, key=lambda definition: definition["revision"], reverse=True):
            if all(is_same(wanted.get(part), definition.get(part)) for part in wanted.keys() - _NOT_COMPARED):
                return str(definition["jobDefinitionArn"])
        return None

    def _register(self, wanted: Mapping[str, Any]) -> str:
        return str(self._batch.call("register_job_definition", **wanted)["jobDefinitionArn"])


def make_definition(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the request that registers the definition of a job with these options."""
    extra = dict(options["job_def_extra"] or {})
    container = merge_dicts(_make_container(options), extra.pop("containerProperties", {}))
    if options["num_nodes"]:
        body = {"type": "multinode", "nodeProperties": _make_nodes(container, options["num_nodes"])}
    else:
        body = {"type": "container", "containerProperties": container}
    body = merge_dicts(body, extra)
    return {"jobDefinitionName": options["job_def_name"] or f"{_NAME_PREFIX}{_digest(body)[:16]}", **body}


def _make_container(options: Mapping[str, Any]) -> dict[str, Any]:
    container: dict[str, Any] = {"image": options["image"], "resourceRequirements": list(_ANY_SIZE)}
    if options["role"]:
        container["jobRoleArn"] = options["role"]
    if options["privileged"]:
        container["privileged"] = True
    if options["shared_memory"]:
        container["linuxParameters"] = {"sharedMemorySize": round(options["shared_memory"] * _MIB_PER_GIB)}
    return container


def _make_nodes(container: Mapping[str, Any], num_nodes: int) -> dict[str, Any]:
    groups = [MAIN_NODE, OTHER_NODES] if num_nodes > 1 else [MAIN_NODE]
    return {
        "numNodes": num_nodes,
        "mainNode": 0,
        "nodeRangeProperties": [{"targetNodes": nodes, "container": dict(container)} for nodes in groups],
    }


def is_same(wanted: Any, found: Any) -> bool:
    """Tell whether what AWS has says what was wanted: it fills in empty lists and false where nothing was said."""
    if isinstance(wanted, Mapping) and isinstance(found, Mapping):
        return all(is_same(wanted.get(name), found.get(name)) for name in {*wanted, *(found.keys() - _FILLED_IN)})
    if isinstance(wanted, (list, tuple)) and isinstance(found, (list, tuple)):
        return len(wanted) == len(found) and all(any(is_same(one, other) for other in found) for one in wanted)
    if not found and isinstance(wanted, Mapping):
        return all(is_same(value, None) for value in wanted.values())
    if not wanted and isinstance(found, Mapping):
        return all(is_same(None, value) for value in found.values())
    return bool(wanted == found or not (wanted or found))


def _digest(wanted: Mapping[str, Any]) -> str:
    return hash_blob(json.dumps(wanted, sort_keys=True).encode()).hex()
