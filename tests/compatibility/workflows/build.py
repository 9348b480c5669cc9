"""Sources to objects to a program: what an edit of one source makes again."""

import os

from redun import File, task

redun_namespace = "comp"


@task()
def compile_one(src: File) -> File:
    out = src.path.replace(".c", ".o")
    os.system("cp {} {}".format(src.path, out))
    return File(out)


@task()
def link(out: str, objs: list) -> File:
    with File(out).open("w") as f:
        for o in objs:
            f.write(o.read())
    return File(out)


@task()
def main(names: list = ["a.c", "b.c"]):
    objs = [compile_one(File(n)) for n in names]
    return link("prog", objs)
