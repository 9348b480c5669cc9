"""`redun forget HASH...`: results that must not serve again, and executions that nothing shall be kept for."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from redun.cli import ui
from redun.cli.options import Globals, at_remote, open_repository
from redun.cli.render.sync import plural
from redun.cli.render.text import one_line
from redun.objects.oid import short
from redun.provenance.resolve import Resolved, Subject, resolve
from redun.store.maintain.forget import ForgetPlan, forget, plan_forget
from redun.store.ref_names import execution_id_of

if TYPE_CHECKING:
    from redun.hashing import Oid
    from redun.store.repository import Repository

MAX_LISTED = 20


@click.command("forget")
@click.argument("hashes", metavar="HASH...", nargs=-1, required=True)
@click.option("--remote", metavar="REMOTE", help="Forget in the repository at REMOTE, not in this one.")
@click.option("--apply", "--yes", "-y", "is_applied", is_flag=True, help="Do it; without this it is only told.")
@click.option("--json", "is_json", is_flag=True, help="Print a JSON record.")
@click.pass_obj
def command(
    options: Globals, /, hashes: tuple[str, ...], *, remote: str | None, is_applied: bool, is_json: bool
) -> int:
    """Forget recorded results, so that their jobs run again, or whole executions.

    HASH is an execution (or `-`, the newest), a job, a call, an eval, or a task's hash or full name; `redun log` and
    `redun show` tell them.

    Of a job, a call or an eval, what is on record so far is not reused any more; of a task, all that is on record for
    it.  Calls above are asked again.  Log and show tell what was, as before.  Of an execution, the entry in the log
    goes, and the next `redun gc` may delete what nothing else needs; until then its results serve.

    Example: redun forget 3f2a91c0 --apply
    """
    with open_repository(at_remote(options, remote), writable=is_applied) as repository:
        names, oids = _find(repository, hashes)
        plan = plan_forget(repository, names, oids)
        if is_applied:
            forget(repository, plan)
    if is_json:
        ui.echo(json.dumps(_record(plan, is_applied=is_applied), indent=2))
    else:
        ui.page(_lines(plan, is_applied=is_applied), use_pager=False)
    return 0


def _find(repository: Repository, hashes: Iterable[str]) -> tuple[list[str], list[Oid]]:
    """Return the refs and the objects that some texts name."""
    names: dict[str, None] = {}
    oids: dict[Oid, None] = {}
    for text in hashes:
        found = resolve(text, repository.store, repository.refs, Path.cwd())
        if found.subject is Subject.EXECUTION:
            names[found.ref_name] = None
        elif found.subject is Subject.JOB:
            oids[_eval_of(repository, found)] = None
        else:
            oids.update(dict.fromkeys(found.oids if found.oid is None else [found.oid]))
    return list(names), list(oids)


def _eval_of(repository: Repository, job: Resolved) -> Oid:
    from redun.provenance.executions import head_of, load_from_head

    execution = load_from_head(repository.store, head_of(repository.refs.read(job.ref_name)))
    row = next(row for row in execution.rows if row.number == job.job_number)
    if row.eval is None:
        raise click.UsageError(f"job {job.text} failed before its arguments were known: nothing is on record for it")
    return row.eval


def _lines(plan: ForgetPlan, *, is_applied: bool) -> list[str]:
    would = "" if is_applied else "would be "
    lines = []
    for ref in plan.executions:
        argv = one_line(" ".join(ref.argv))
        lines.append(f"{would}forgotten: execution {execution_id_of(ref.name)[:8]} {argv}")
    if plan.tag_refs:
        lines.append(f"{would}forgotten: {plural(len(plan.tag_refs), 'edit')} of its tags")
    for one in plan.evals[:MAX_LISTED]:
        outcomes = plural(one.n_outcomes, "recorded outcome")
        lines.append(f"{would}forgotten: {outcomes} of a call of {one.task} (eval {short(one.oid)})")
    if len(plan.evals) > MAX_LISTED:
        lines.append(f"  and {plural(len(plan.evals) - MAX_LISTED, 'other call')}")
    if not lines:
        return ["Nothing is on record that could be forgotten."]
    if plan.executions and is_applied:
        lines.append("`redun gc` deletes what only that needed; until then its results serve.")
    if not is_applied:
        lines.append("Nothing was changed; --apply does it.")
    return lines


def _record(plan: ForgetPlan, *, is_applied: bool) -> dict[str, Any]:
    return {
        "location": plan.location,
        "applied": is_applied,
        "executions": [execution_id_of(ref.name) for ref in plan.executions],
        "tag_edits": len(plan.tag_refs),
        "evals": [{"eval": one.oid.hex(), "task": one.task, "outcomes": one.n_outcomes} for one in plan.evals],
    }
