"""After a failure, what had returned does not run again."""

from redun import task

redun_namespace = "rm"


@task()
def leaf(x):
    if x > 1:
        raise ValueError("too much")
    return x


@task()
def middle(x):
    return [leaf(x), 2]


@task()
def main():
    return middle(2)
