"""``with_export_options``: an expression evaluated so that all jobs in it inherit options."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from redun.expression import QuotedExpression
from redun.task import task

T = TypeVar("T")


@task(name="with_export_options", namespace="redun", version="1")
def _evaluate_quoted(expr: QuotedExpression[Any]) -> Any:
    """Evaluate an expression below a job of its own, whose exported options its calls inherit."""
    return expr.eval()


def with_export_options(expr: QuotedExpression[T], options: Mapping[str, Any]) -> T:
    """Evaluate a quoted expression; all jobs in it inherit the options.

    Args:
        expr: what ``quote`` made of an expression.  Unquoted, it would be evaluated first, without the options.
        options: as for ``Task.export_options``; values may be lazy.

    Raises:
        TypeError: the expression is not quoted.
        ValueError: an option has a value that it cannot take.
    """
    if not isinstance(expr, QuotedExpression):
        raise TypeError(f"with_export_options takes a quoted expression, as of quote(...), found {type(expr).__name__}")
    value: Any = _evaluate_quoted.export_options(**options)(expr)
    return value  # type: ignore[no-any-return]
