"""The context from settings, command line and update_context."""

from redun import get_context, task

redun_namespace = "cx"


@task()
def need(x=get_context("a.b", 7)):
    return x


@task()
def ctx():
    return get_context("a")


@task()
def inner():
    return [need(), ctx()]


@task()
def main():
    return [
        need(),
        need.update_context(a={"b": 9})(),
        need.update_context({"a": {"b": 10}})(),
        inner(),
        inner.update_context({"a": {"b": 11}})(),
    ]


@task()
def missing():
    return get_context("zz.y")


@task(executor=get_context("ex", "default"))
def opt():
    return 1
