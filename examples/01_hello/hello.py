"""Greets somebody in the language of a country: the smallest workflow that has something to pass on."""

from redun import task

redun_namespace = "redun.examples.hello"

GREETINGS = {"French": "Bonjour", "German": "Guten Tag", "Italian": "Buongiorno"}


@task()
def find_language(country: str) -> str:
    """Return the language that most people of a country speak."""
    return {"France": "French", "Monaco": "French", "Austria": "German"}.get(country, "Italian")


@task()
def greet(name: str, language: str) -> str:
    """Return a greeting."""
    return f"{GREETINGS[language]}, {name}!"


@task()
def main(name: str = "Ada", country: str = "France") -> str:
    """Greet somebody.

    Args:
        name: who is greeted.
        country: where they live.
    """
    return greet(name, find_language(country))
