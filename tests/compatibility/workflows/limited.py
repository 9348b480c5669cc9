"""Limits of a declared resource, two units of it, and one not declared."""

import threading
import time

from redun import task

redun_namespace = "li"
N = {"now": 0, "max": 0}
L = threading.Lock()


@task(limits=["db"], version="1")
def f(x):
    with L:
        N["now"] += 1
        N["max"] = max(N["max"], N["now"])
    time.sleep(0.02)
    with L:
        N["now"] -= 1
    return x


@task(version="1", limits={"db": 2})
def h(x):
    return x


@task(version="1", cache=False)
def mx(xs):
    return N["max"] <= 2


@task(limits=["other"])
def g(x):
    return x


@task()
def main():
    return [mx([f(i) for i in range(6)]), g(1), h(2)]
