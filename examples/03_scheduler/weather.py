"""Averages of some weather stations: what runs side by side, what runs once, and what runs again."""

from statistics import mean

from redun import task

redun_namespace = "redun.examples.weather"

READINGS = {
    "harbour": [11.5, 12.0, 13.5],
    "hill": [8.0, 8.5, 9.0],
    "airport": [10.0, 11.5, 13.0],
}


def to_fahrenheit(celsius: float) -> float:
    """Convert a temperature."""
    return celsius * 9 / 5 + 32


@task()
def read_station(name: str) -> list[float]:
    """Return the temperatures that a station measured, in degrees Celsius."""
    return READINGS[name]


@task()
def average(temperatures: list[float]) -> float:
    """Return the mean of some temperatures."""
    return round(mean(temperatures), 1)


@task()
def describe(name: str, temperature: float) -> str:
    """Say how warm it was at a station."""
    return f"{name}: {to_fahrenheit(temperature):.1f} F"


@task()
def warmest(temperatures: dict[str, float]) -> str:
    """Return the station with the highest temperature."""
    return max(temperatures, key=temperatures.__getitem__)


@task()
def main(stations: list[str] = ["harbour", "hill", "airport"]) -> dict[str, object]:
    """Describe some stations, and find the warmest."""
    lines = [describe(name, average(read_station(name))) for name in stations]
    means = {name: average(read_station(name)) for name in stations}
    return {"stations": lines, "warmest": warmest(means)}
