"""Two tasks feed a third; an edit of one reaches what uses it."""

from redun import task

redun_namespace = "hello"


@task()
def get_planet():
    return "World"


@task()
def greeter(greet: str, thing: str):
    return "{}, {}!".format(greet, thing)


@task()
def main(greet: str = "Hello"):
    return greeter(greet, get_planet())
