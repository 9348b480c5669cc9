"""catch by base class, nested, and around what cannot fail."""

from redun import catch, task

redun_namespace = "sc"


class A(Exception):
    pass


class B(A):
    pass


@task()
def bad():
    raise B("b")


@task()
def rec(e):
    return type(e).__name__


@task()
def lookup(d):
    return d["zz"]


@task()
def main():
    return [
        catch(bad(), A, rec),
        catch(lookup({}), LookupError, rec),
        catch(catch(bad(), ValueError, rec), A, rec),
        catch(5, A, rec),
        catch([bad(), 1], B, rec),
    ]
