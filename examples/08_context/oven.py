"""Bakes: settings that everything below a call may ask for, without being handed down by hand."""

from redun import get_context, task

redun_namespace = "redun.examples.context"


@task()
def heat(degrees: int) -> str:
    """Heat the oven."""
    return f"{degrees} degrees"


@task()
def bake(
    dish: str, heated: str = heat(get_context("oven.degrees", 180)), mode: str = get_context("oven.mode", "top")
) -> str:
    """Bake a dish.  How the oven is set comes from the context, unless a call says otherwise."""
    return f"{dish} at {heated}, {mode}"


@task()
def dinner() -> list[str]:
    """Bake two dishes, knowing nothing of ovens."""
    return [bake("bread"), bake("potatoes")]


@task()
def main() -> dict[str, list[str]]:
    """Cook for two days, on the second one with another oven."""
    return {
        "today": dinner(),
        "tomorrow": dinner.update_context({"oven": {"mode": "fan"}})(),
    }
