"""`redun gc`: delete what no kept execution needs."""

from __future__ import annotations

import json
import re
from typing import Any

import click

from redun.cli import ui
from redun.cli.options import Globals, at_remote, open_repository
from redun.cli.render.sync import format_size, plural
from redun.cli.render.text import one_line
from redun.store.maintain.gc import collect, plan_gc
from redun.store.maintain.gc_policy import GRACE_SECONDS, GcPlan, GcPolicy
from redun.store.maintain.namespaces import NamespaceDrop, drop_namespace
from redun.store.ref_names import execution_id_of

MAX_LISTED = 20
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 24 * 3600}
_SIZES = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}


class _Span(click.ParamType[float]):
    """A length of time: ``24h``, ``30m``, ``7d``, ``0``."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        match = re.fullmatch(r"(\d+(?:\.\d+)?)([smhd]?)", str(value))
        if match is None:
            self.fail(f"expected a time such as 24h, 30m or 7d, found {value!r}", param, ctx)
        return float(match[1]) * _UNITS[match[2] or "s"]


class _Size(click.ParamType[int]):
    """A size: ``500M``, ``10G``, or a plain number of bytes."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        match = re.fullmatch(r"(\d+(?:\.\d+)?)([KMGT]?)(?:iB|B)?", str(value))
        if match is None:
            self.fail(f"expected a size such as 500M or 10G, found {value!r}", param, ctx)
        return int(float(match[1]) * _SIZES[match[2]])


@click.command("gc")
@click.option("--keep-executions", type=click.IntRange(min=0), metavar="N", help="Keep the newest N executions.")
@click.option("--keep-days", type=click.FloatRange(min=0), metavar="DAYS", help="Keep those of the last DAYS days.")
@click.option("--max-size", "max_bytes", type=_Size(), help="Keep as many of the newest as need no more, as 10G.")
@click.option(
    "--grace",
    "grace_seconds",
    type=_Span(),
    default=GRACE_SECONDS,
    show_default="24h",
    help="Delete what was condemned so long ago; 0 at once, when nothing else uses the repository.",
)
@click.option("--remote", metavar="REMOTE", help="Collect in the repository at REMOTE, not in this one.")
@click.option("--drop-namespace", "namespace", metavar="NAME", help="Delete this namespace, and collect nothing else.")
@click.option("--apply", "is_applied", is_flag=True, help="Do it; without this, only what would be done is told.")
@click.option("--json", "is_json", is_flag=True, help="Print a JSON record.")
@click.pass_obj
def command(
    options: Globals,
    /,
    *,
    keep_executions: int | None,
    keep_days: float | None,
    max_bytes: int | None,
    grace_seconds: float,
    remote: str | None,
    namespace: str | None,
    is_applied: bool,
    is_json: bool,
) -> int:
    """Delete what no kept execution needs: old executions, and what failed or interrupted runs left.

    Without --apply nothing is changed.  Without --keep-executions, --keep-days and --max-size all executions are kept;
    with both of the first two, an execution is kept that either of them keeps.

    It works in two steps.  What is not needed is condemned first: it can still be read, and nothing new is built on it.
    A collection after the grace period deletes it, unless something needs it again by then.  So others may run, push
    and pull meanwhile.

    Example: redun gc --remote origin --keep-days 30 --apply
    """
    policy = GcPolicy(keep_executions, keep_days, max_bytes, grace_seconds)
    with open_repository(at_remote(options, remote), writable=is_applied) as repository:
        if namespace is not None:
            dropped = drop_namespace(repository.storage, namespace, is_dry_run=not is_applied)
            return _tell_drop(dropped, is_applied=is_applied, is_json=is_json)
        plan = collect(repository, policy) if is_applied else plan_gc(repository, policy)
    if is_json:
        ui.echo(json.dumps(_record(plan, is_applied=is_applied), indent=2))
    else:
        ui.page(_lines(plan, is_applied=is_applied), use_pager=False)
    return 0


def _tell_drop(dropped: NamespaceDrop, *, is_applied: bool, is_json: bool) -> int:
    if is_json:
        ui.echo(json.dumps({**dropped._asdict(), "applied": is_applied}, indent=2))
        return 0
    would = "" if is_applied else "would be "
    ui.echo(
        f"{would}deleted: {plural(dropped.n_files, 'file')} of namespace {dropped.name}, {format_size(dropped.size)}"
    )
    if not is_applied:
        ui.echo("Nothing was changed; --apply does it.")
    return 0


def _lines(plan: GcPlan, *, is_applied: bool) -> list[str]:
    would = "" if is_applied else "would be "
    lines = [f"kept: {plural(plan.n_kept, 'execution')}, {format_size(plan.kept_bytes)}"]
    if plan.dropped:
        lines.append(f"{would}dropped: {plural(len(plan.dropped), 'execution')}")
        for dropped in plan.dropped[:MAX_LISTED]:
            argv = one_line(" ".join(dropped.ref.argv))
            lines.append(f"  {execution_id_of(dropped.ref.name)[:8]} {argv}: {dropped.why}")
        if len(plan.dropped) > MAX_LISTED:
            lines.append(f"  and {len(plan.dropped) - MAX_LISTED} more")
    n_condemned = plan.n_objects + len(plan.blobs)
    if n_condemned:
        lines.append(f"{would}condemned: {plural(n_condemned, 'object')}")
    if plan.n_rescued:
        lines.append(f"{would}taken off the list, being needed again: {plan.n_rescued}")
    if plan.waiting_bytes:
        lines.append(f"waiting for the end of the grace period: {format_size(plan.waiting_bytes)}")
    lines.append(f"{would}deleted: {format_size(plan.deleted_bytes)}")
    if not is_applied:
        lines.append("Nothing was changed; --apply does it.")
    return lines


def _record(plan: GcPlan, *, is_applied: bool) -> dict[str, Any]:
    return {
        "location": plan.location,
        "applied": is_applied,
        "kept_executions": plan.n_kept,
        "kept_bytes": plan.kept_bytes,
        "dropped": [{"id": execution_id_of(one.ref.name), "why": one.why} for one in plan.dropped],
        "dropped_tag_edits": len(plan.dropped_tags),
        "condemned_objects": plan.n_objects + len(plan.blobs),
        "condemned_bytes": plan.condemned_bytes,
        "waiting_bytes": plan.waiting_bytes,
        "deleted_bytes": plan.deleted_bytes,
        "needed_again": plan.n_rescued,
    }
