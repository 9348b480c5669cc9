"""Count birds in two regions, each by a scheduler of its own that has its own settings."""

from redun import task
from redun.scheduler import fork_thread, join_thread, subrun

redun_namespace = "redun.examples.subrun"

SIGHTINGS = {"coast": ["gull", "tern", "gull"], "hills": ["kite", "wren", "kite", "kite"]}
SETTINGS = {"executors.field": {"type": "local", "max_workers": "2"}, "limits": {"telescope": "1"}}


@task(limits=["telescope"], executor="field")
def count(region: str, bird: str) -> int:
    """Count one bird."""
    return SIGHTINGS[region].count(bird)


@task()
def survey(region: str) -> dict[str, int]:
    """Count every bird of a region."""
    return {bird: count(region, bird) for bird in sorted(set(SIGHTINGS[region]))}


@task()
def main(new_execution: bool = False) -> dict[str, dict[str, int]]:
    """Have each region surveyed inside one job."""
    return {
        region: subrun(survey(region), executor="default", config=SETTINGS, new_execution=new_execution)
        for region in SIGHTINGS
    }


@task()
def weather() -> str:
    """Look outside."""
    return "fair"


@task()
def write_up(birds: dict, sky: str) -> str:
    """Write one line."""
    return f"{sky}, {sum(birds.values())} birds"


@task()
def report(thread, region: str) -> str:
    """Join what another job began."""
    return write_up(subrun(survey(region), executor="default", config=SETTINGS), join_thread(thread))


@task()
def trip(region: str = "coast") -> str:
    """Ask for the weather in the background, and count meanwhile."""
    return report(fork_thread(weather()), region)
