"""Reading and writing with a mode, as open takes it."""

from redun import File, task

redun_namespace = "fk"


@task()
def main():
    f = File("b.bin")
    f.write(b"\x00\x01", mode="wb")
    g = File("t.txt")
    g.write("x\n", "w", "utf-8")
    g2 = File("t.txt")
    g2.write("y\n", mode="a")
    return [
        f.read("rb"),
        f.read(mode="rb"),
        g.read("r"),
        g.read("r", "utf-8"),
        g.read(encoding="utf-8"),
        g.readlines("rb"),
        g.readlines(mode="r"),
        g.readlines(),
    ]
