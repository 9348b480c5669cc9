"""What a call depends on beside the hash of its task and what it is given: default arguments, and a few options.

Defaults are no part of a task's hash: binding fills them into the arguments of each call.  Below a call that is reused
in one step nothing is bound; so what binding would fill in now must be what it filled in then.  In the summary of the
calls above it, a task with defaults is therefore named by a *calling*: an eval node of the task, its defaults the
arguments, under a salt that no call has.  docs/internals/scheduler.md says more.

The invariant: while a task's calling is the same, a call of it that was recorded is the call that would be made now.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from redun.expression_codec import encode_expression, is_concrete
from redun.hashing import Oid, hash_blob
from redun.objects.call_records import encode_eval
from redun.objects.kinds import Kind
from redun.task.options import CacheScope
from redun.value.encoding import Encoded, encode_value

if TYPE_CHECKING:
    from redun.task.task import Task

_SALT, _SCRIPT_SALT = b"calling", b"calling a script"


class Calling(NamedTuple):
    """The calling of a task, and the defaults that must be stored with it."""

    oid: Oid
    data: bytes
    defaults: list[Encoded]


def encode_calling(task: Task[..., Any]) -> Calling | None:
    """Return a task's calling; None for a task whose hash says it all, as that of a task without defaults does."""
    names: list[str | int] = []
    defaults: list[Encoded] = []
    for name, value in task.binder.hashed_defaults():
        try:
            encoded = _encode_default(value)
        except Exception:  # noqa: S112 - a call that relies on such a default fails; others do not depend on it
            continue
        names.append(name)
        defaults.append(encoded)
    unhashed = sorted(task.binder.config_args)
    if not defaults and not unhashed and not task.script:
        return None
    salt = hash_blob("\n".join(unhashed).encode() + (_SCRIPT_SALT if task.script else _SALT))
    return Calling(*encode_eval(task.oid, [default.oid for default in defaults], names, salt), defaults)


def may_be_passed_over(task: Task[..., Any]) -> bool:
    """Tell whether calls of a task, as it is defined now, may be reused along with a call above them."""
    has_trace = task.get_task_option("prov") is not False
    return has_trace and task.get_task_option("cache_scope", CacheScope.BACKEND) is CacheScope.BACKEND


def _encode_default(value: Any) -> Encoded:
    if is_concrete(value):
        return encode_value(value)
    made = encode_expression(value)
    parts = [part for one in made.values for part in (*one.parts, (one.oid, one.data, one.kind))]
    return Encoded(made.oid, Kind.EXPRESSION, made.data, tuple(parts), ())
