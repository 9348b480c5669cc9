"""A handle whose calls follow each other; an edit and its undoing."""

from redun import Handle, merge_handles, task

redun_namespace = "ha"


class Conn(Handle):
    def __init__(self, name, path, namespace=None):
        self.instance = open(path, "a")

    def put(self, t):
        self.instance.write(t)
        self.instance.flush()


@task()
def ins(c, t):
    c.put(t)
    return c


@task()
def read(c, path):
    with open(path) as f:
        return f.read()


@task()
def main():
    c = Conn("c", "db.txt")
    c1 = ins(c, "a\n")
    c2 = ins(c1, "b\n")
    return read(c2, "db.txt")


@task()
def par():
    c = Conn("d", "db2.txt")
    c0 = ins(c, "0")
    c1 = ins(c0.fork("x") if hasattr(c0, "zz") else c0, "1")
    return read(merge_handles([c1, c0]), "db2.txt")
