"""Files and folders as arguments and results, of all families."""

from redun import Dir, File, task
from redun.file import ContentFile, FileSet, IFile
from redun.functools import seq

redun_namespace = "fi"


@task()
def write(p, t):
    f = File(p)
    f.write(t)
    return f


@task()
def read(f: File):
    return f.read()


@task()
def count(d: Dir):
    return len(list(d))


@task()
def mk():
    d = Dir("dd")
    d.mkdir()
    d.file("x.txt").write("1")
    d.file("y.txt").write("22")
    return Dir("dd")


@task()
def lines(f):
    return f.readlines()


@task()
def fs(f):
    return sorted(x.basename() for x in f)


@task()
def copy(f):
    return f.copy_to(File("copied.txt"))


@task()
def content(f):
    return f.read()


@task()
def main():
    f = write("o/a.txt", "hey\nyou\n")
    listed_first = seq([fs(FileSet("*.txt")), copy(File("src.txt"))])
    return [
        f,
        read(f),
        read(File("src.txt")),
        count(mk()),
        lines(f),
        listed_first[0],
        listed_first[1],
        content(ContentFile("src.txt")),
        content(IFile("src.txt")),
        f.path,
        File("nope").exists(),
    ]
