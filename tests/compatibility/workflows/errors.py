"""catch with one handler, several, a tuple, one that raises, and none that fits."""

from redun import catch, task, throw

redun_namespace = "c"


class Mine(Exception):
    pass


@task()
def bad(x):
    raise ValueError("bad {}".format(x))


@task()
def recover(e):
    return "rec " + str(e)


@task()
def rec2(e):
    return ("two", repr(e))


@task()
def re(e):
    raise Mine("again")


@task()
def main():
    return [
        catch(bad(1), ValueError, recover),
        catch(bad(2), KeyError, recover, ValueError, rec2),
        catch(bad(3), (KeyError, ValueError), recover),
        catch(catch(bad(4), ValueError, re), Mine, rec2),
        catch(throw(KeyError("k")), KeyError, rec2),
        catch(bad(6), Exception, recover),
    ]


@task()
def unmatched():
    return catch(bad(1), KeyError, recover)
