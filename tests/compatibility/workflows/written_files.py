"""Files that a task writes, appends to, copies and removes."""

from redun import File, task

redun_namespace = "fw"


@task()
def main():
    f = File("sub/dir/x.txt")
    with f.open("w") as out:
        print("hi", file=out)
    g = File("y.bin")
    g.write(b"\x00\x01", mode="wb")
    t = File("touch.me")
    t.touch()
    with File("sub/dir/x.txt").open("a") as out:
        out.write("more\n")
    f2 = File("sub/dir/x.txt")
    f2.copy_to(File("z.txt"))
    r = [f2.readlines(), g.read("rb"), t.size(), File("z.txt").read()]
    t.remove()
    return r + [t.exists(), f2.hash == File("sub/dir/x.txt").hash]
