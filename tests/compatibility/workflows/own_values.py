"""Value and ProxyValue with hooks, and parsed from the command line."""

import hashlib

from redun import task
from redun.value import ProxyValue, Value

redun_namespace = "va"


class V(Value):
    type_name = "va.V"

    def __init__(self, n):
        self.n = n

    def __getstate__(self):
        return {"n": self.n}

    def __setstate__(self, s):
        self.n = s["n"]

    @classmethod
    def parse_arg(cls, raw_type, arg):
        return cls(int(arg))

    def __repr__(self):
        return "V({})".format(self.n)


class Raw:
    def __init__(self, z):
        self.z = z

    def __repr__(self):
        return "Raw({})".format(self.z)


class RawProxy(ProxyValue):
    type = Raw
    type_name = "va.Raw"

    def get_hash(self, data=None):
        return hashlib.sha1(str(self.instance.z % 10).encode()).hexdigest()

    @classmethod
    def parse_arg(cls, raw_type, arg):
        return Raw(int(arg))

    def serialize(self):
        return str(self.instance.z).encode()

    @classmethod
    def deserialize(cls, raw_type, data):
        return Raw(int(data.decode()))


@task()
def inc(v: V):
    return V(v.n + 1)


@task()
def use(r):
    return r.z


@task()
def main(v: V = V(1), r: Raw = Raw(3)):
    return [inc(v), use(r), r, use(Raw(4)), use(Raw(14))]
