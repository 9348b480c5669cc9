"""Namespaces by call, argument and dot; names of their own."""

from redun import get_current_namespace, namespace, task

namespace("one")


@task()
def a():
    return 1


namespace("two.three")


@task()
def b():
    return get_current_namespace()


@task(namespace="")
def c():
    return 3


@task(name="dee", namespace="x.y")
def d():
    return 4


@task(name="main", namespace="zz")
def main():
    return [a(), b(), c(), d(), a.fullname, b.fullname, c.fullname, d.fullname, repr(d())]
