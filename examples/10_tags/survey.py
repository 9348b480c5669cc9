"""Weighs fish from some lakes, and leaves notes on jobs, values and the run as it goes."""

from redun import apply_tags, task

redun_namespace = "redun.examples.tags"


@task(tags=[("step", "measure")])
def weigh(lake: str) -> list[float]:
    """Return the weights of the fish caught in a lake, in kilograms."""
    return {"Constance": [1.2, 0.8, 2.5], "Chiemsee": [0.4, 0.9]}[lake]


@task(tags=[("step", "sum")])
def check(weights: list[float]) -> float:
    """Return the heaviest, with a note when there is little to go by."""
    heaviest = max(weights)
    if len(weights) < 3:
        return apply_tags(heaviest, tags=[("quality", "poor")], job_tags=[("fish", len(weights))])
    return heaviest


@task()
def main(lakes: list[str] = ["Constance", "Chiemsee"]) -> dict[str, float]:
    """Return the heaviest fish of each lake."""
    heaviest = {lake: check.options(tags=[("lake", lake)])(weigh(lake)) for lake in lakes}
    return apply_tags(heaviest, execution_tags=[("lakes", len(lakes))])
