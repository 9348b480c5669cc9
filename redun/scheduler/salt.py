"""What an eval hash covers beside the task and the values of its arguments.

An object among the arguments is stored by the name of its class and by its state.  What its methods do is neither in
that nor, when the task names the class nowhere, in the task's hash; so the code of the project's classes is salt.
The invariant: a task without ``version=`` never gets a result that other code of its arguments' classes has made.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from redun.hashing import hash_blob
from redun.task.closure import digest_classes

if TYPE_CHECKING:
    from redun.scheduler.context import Context
    from redun.scheduler.facts import TaskFacts
    from redun.value.encoding import Encoded


def salt_of(facts: TaskFacts, context: Context | None, args: Iterable[Encoded]) -> bytes | None:
    """Return the salt of a call; None for most.

    A version stands for all code that a task uses, that of its arguments included.  A result of a shallow check is
    taken without asking the calls below, so it must be of this very context.
    """
    classes = [cls for arg in args if arg.classes for cls in arg.classes]
    digest = digest_classes(classes) if classes and facts.task.version is None else None
    if facts.task.script:
        digest = hash_blob(b"script" + (digest or b""))  # the same text, run by a shell
    if context is None or not facts.is_shallow:
        return digest
    return context.key if digest is None else hash_blob(context.key + digest)


def hides_classes(facts: TaskFacts, values: Iterable[Encoded]) -> bool:
    """Tell whether values hold objects of classes whose code the hash of the task that made them does not cover.

    When that code changes no task does, yet calls that are given the objects get other hashes: so they must be asked.
    """
    return facts.task.version is not None and any(digest_classes(value.classes) for value in values if value.classes)
