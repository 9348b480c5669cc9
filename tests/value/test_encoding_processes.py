"""One value has one oid in every process, whatever its hash seed, and any process can read it back."""

from __future__ import annotations

import pickle
import subprocess
import sys
from importlib import import_module, util
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, Phase, given, settings

from redun.value import encode_value

HERE = Path(__file__).parent
N_EXAMPLES = 300
SEEDS = ("1", "2")

FOREIGN = [
    {
        "array": np.arange(6.0).reshape(2, 3),
        "texts": np.array(["a", None, "\u00e9"], object),
        "scalar": np.float32(0.1),
    },
    [np.array([{"b", "a", "c"}, frozenset("xyz")], object), np.array([("a", 1)], [("t", "U3"), ("n", "i2")])],
    pd.DataFrame({"n": [1, 2], "t": ["x", None], "c": pd.Categorical(["u", "v"]), "s": [{"b", "a"}, {"d", "c"}]}),
    pd.Series(pd.date_range("2020", periods=3, tz=ZoneInfo("Europe/Berlin"), name="day")),
    pd.MultiIndex.from_product([["b", "a"], [1, 2]], names=["letter", None]),
    pa.table({"n": [1, None], "l": [["a"], None], "d": pa.array(["x", "y"]).dictionary_encode()}),
]

CHILD = """
import importlib.util, pickle, sys

def load(name, path):
    spec = importlib.util.spec_from_file_location(name, path)
    sys.modules[name] = module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

load(sys.argv[1], sys.argv[2])
from redun.value import decode_value, encode_value
with open(sys.argv[3], "rb") as stream:
    values = pickle.load(stream)
for value in values:
    encoded = encode_value(value)
    objects = {oid: data for oid, data, _ in encoded.parts}
    objects[encoded.oid] = encoded.data
    again = encode_value(decode_value(encoded.oid, objects.__getitem__, allow_pickle=False))
    assert again.oid == encoded.oid, value
    print(encoded.oid.hex())
"""


@pytest.fixture(scope="module")
def roundtrip():
    """The module whose strategies make any value, under a name that other processes can give it too."""
    name = "value_roundtrip_strategies"
    spec = util.spec_from_file_location(name, HERE / "test_encoding_roundtrip.py")
    sys.modules[name] = module = util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield import_module(name)
    del sys.modules[name]


def make_values(strategy):
    """Return many values of a strategy."""
    made = []

    @settings(
        max_examples=N_EXAMPLES,
        phases=[Phase.generate],
        database=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.nested_given],
    )
    @given(strategy)
    def collect(value):
        made.append(value)

    collect()
    return made


def test_processes_agree_on_any_value(roundtrip, tmp_path):
    """Two processes with other hash seeds give hundreds of values the oids that they have here, and read them back."""
    values = [*make_values(roundtrip.VALUES), *FOREIGN]
    assert len(values) > N_EXAMPLES // 2
    (tmp_path / "values").write_bytes(pickle.dumps(values))
    here = [encode_value(value).oid.hex() for value in values]
    for seed in SEEDS:
        done = subprocess.run(
            [sys.executable, "-c", CHILD, roundtrip.__name__, roundtrip.__file__, str(tmp_path / "values")],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": str(HERE.parent.parent)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        there = done.stdout.split()
        differing = [value for value, one, other in zip(values, here, there) if one != other]
        assert not differing
        assert len(there) == len(here)
