"""Operators on expressions, and what cannot be done with them."""

from redun import task

redun_namespace = "ops"


@task()
def f(x):
    return x


class P:
    def __init__(self):
        self.v = 3

    def add(self, k):
        return self.v + k

    def __call__(self, z):
        return z * 2


@task()
def p():
    return P()


@task()
def main():
    a = f(6)
    return [
        a + 1,
        1 + a,
        a - 1,
        10 - a,
        a * 2,
        2 * a,
        a / 2,
        12 / a,
        a == 6,
        a != 6,
        a < 7,
        a <= 6,
        a > 7,
        a >= 6,
        f(True) & f(False),
        f(False) | f(3),
        p().v,
        p().add(2),
        p()(4),
        f([1, 2, 3])[1],
        f({"k": 5})["k"],
        f([1, 2, 3, 4])[1:3],
        f("abc").upper(),
        f([1, 2])[f(0)],
        True & f(1),
        False | f(2),
    ]


@task()
def badbool():
    if f(1):
        return 1


@task()
def baditer():
    return [x for x in f([1])]


@task()
def badmod():
    return f(3) % 2


@task()
def badlen():
    return len(f([1]))


@task()
def badattr():
    return f(1).nope


@task()
def slices():
    x = f([1, 2, 3, 4])
    return [x[0:2], x[:2]]
