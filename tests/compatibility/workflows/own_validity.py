"""A Value that says itself when it no longer holds."""

import os

from redun import task
from redun.value import Value

redun_namespace = "iv"


class Ext(Value):
    type_name = "iv.Ext"

    def __init__(self, p):
        self.p = p

    def __getstate__(self):
        return {"p": self.p}

    def __setstate__(self, s):
        self.p = s["p"]

    def is_valid(self):
        return os.path.exists(self.p)


@task()
def mk():
    open("ext.txt", "w").write("x")
    return Ext("ext.txt")


@task()
def use(e):
    return open(e.p).read()


@task()
def main():
    return use(mk())
