"""Sends parcels: choices, errors that are caught, and steps in a fixed order, all of them lazy."""

from redun import catch, cond, task, throw
from redun.functools import seq

redun_namespace = "redun.examples.parcels"


class NoSuchTown(Exception):
    """The carrier does not know a town."""


@task()
def weigh(content: str) -> int:
    """Return the weight of a parcel, in grams."""
    return 90 * len(content)


@task()
def send_letter(content: str, town: str) -> str:
    """Send something light."""
    return f"letter to {town}: {content}"


@task()
def send_parcel(content: str, town: str) -> str:
    """Send something heavy, where the carrier goes."""
    if town == "Atlantis":
        raise NoSuchTown(f"no road leads to {town}")
    return f"parcel to {town}: {content}"


@task()
def bring_back(error: NoSuchTown) -> str:
    """Say what became of a parcel that could not be sent."""
    return f"returned to sender: {error}"


@task()
def send(content: str, town: str = "Ulm") -> str:
    """Send something the way that fits its weight."""
    weight = weigh(content)
    return cond(
        weight < 500,
        send_letter(content, town),
        weight < 2000,
        catch(send_parcel(content, town), NoSuchTown, bring_back),
        throw(ValueError(f"too heavy: {content}")),
    )


@task()
def sign(name: str, day: int) -> str:
    """Sign for a parcel."""
    return f"{name}, day {day}"


@task()
def collect(names: list[str]) -> list[str]:
    """Let people sign one after the other."""
    return seq([sign(name, day) for day, name in enumerate(names, start=1)])
