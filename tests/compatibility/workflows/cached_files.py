"""Values that lie in files of their own."""

import json

from redun import task
from redun.value import FileCache

redun_namespace = "fc"


class Big:
    def __init__(self, d):
        self.d = d


class BigCache(FileCache):
    type = Big
    base_path = "cachedir"

    def _serialize(self):
        return json.dumps(self.instance.d).encode()

    @classmethod
    def _deserialize(cls, b):
        return Big(json.loads(b.decode()))


@task()
def mk():
    return Big([1, 2])


@task()
def use(b):
    return sum(b.d)


@task()
def main():
    return use(mk())
