"""numpy's arrays, scalars and dtypes as values: by what they hold, without pickle, and exactly as they were."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as nps

from redun.value import ProxyValue, ValueUndecodable, encode_value, find_pickled_types, preview_value
from redun.value.classify import plans
from redun.value.encoder import Encoder
from redun.value.objects import find_codec
from redun.value.tags import FOREIGN, LARGE_SIZE
from redun.value.value import proxies

RECORD = np.dtype([("a", "i1"), ("b", "f8", (2,)), ("c", [("d", "U3")]), ("e", "O")])
ALIGNED = np.dtype([("a", "i1"), ("b", "f8")], align=True)
TITLED = np.dtype({"names": ["x"], "formats": ["i4"], "titles": ["the x"], "offsets": [4], "itemsize": 12})

ARRAYS: dict[str, Any] = {
    "two dimensions": np.arange(6).reshape(2, 3),
    "none": np.array(5),
    "empty": np.zeros((0, 3), "U4"),
    "text": np.array(["a", "bcd\u00e9"]),
    "bytes": np.array([b"x", b"yz"]),
    "void": np.array([b"ab", b"cd"], "V2"),
    "dates": np.array(["2020-01-01", "NaT"], "M8[s]"),
    "spans": np.array([1, 2], "m8[25s]"),
    "bool": np.array([True, False]),
    "half": np.array([1.5, np.nan], "f2"),
    "other byte order": np.array([1, 2], ">i4"),
    "complex": np.array([1 + 2j], "c8"),
    "long": np.array([1.1, np.nan, -np.inf, -0.0], "longdouble"),
    "long complex": np.array([1.1 + 2j], "clongdouble"),
    "objects": np.array([1, "a", None, [1, 2], (3,)], object),
    "lists of equal length": np.array([None, None], object),
    "texts": np.array(["a", None, np.nan, "\u00e9\udc80"], object),
    "fields": np.array([(1, [2.0, 3.0], ("x",), [4])], RECORD),
    "aligned": np.array([(1, 2.0)], ALIGNED),
    "titles": np.array([(1,)], TITLED),
    "masked": np.ma.array([1.5, 2.5], mask=[False, True], fill_value=-1),
    "masked without a mask": np.ma.array([1, 2], hard_mask=True),
}
ARRAYS["lists of equal length"][:] = [[1, 2], [3, 4]], [[5, 6], [7, 8]]

SCALARS = [
    *(np.float64(1.5), np.float32(0.1), np.float16(2), np.longdouble("0.1"), np.complex64(1j), np.bool_(True)),
    *(np.int8(-1), np.int64(3), np.uint64(2**63), np.str_("a\0"), np.bytes_(b"a\0"), np.void(b"abc")),
    *(np.datetime64("2020", "Y"), np.datetime64("NaT", "ns"), np.timedelta64(5, "D")),
    *(np.array([(1, [2.0, 3.0], ("x",), 4)], RECORD)[0], np.rec.array([(1, "a")], dtype=[("x", "i4"), ("y", "U1")])[0]),
]
DTYPES = [np.dtype("f8"), np.dtype(">U3"), RECORD, ALIGNED, TITLED, np.dtype((np.record, RECORD)), np.dtype("O")]


def is_data(value):
    return find_pickled_types(encode_value(value)) == ()


def same(one, other):
    """Tell whether two arrays are equal, dtype and NaNs included."""
    assert one.dtype == other.dtype
    assert one.shape == other.shape
    assert repr(one.tolist()) == repr(other.tolist())


@pytest.mark.parametrize("name", ARRAYS)
def test_arrays_come_back_as_data(name, round_trip):
    """An array of each sort of dtype is read back with dtype, shape and elements, and without pickle."""
    array = ARRAYS[name]
    again = round_trip(array)
    assert type(again) is type(array)
    same(np.asarray(again), np.asarray(array))
    assert is_data(array)
    assert again.flags.writeable


def test_masks_come_back(round_trip):
    """Mask, fill value and hardness of a masked array are part of it, and so is what lies under the mask."""
    again = round_trip(ARRAYS["masked"])
    assert again.mask.tolist() == [False, True]
    assert (again.fill_value, again.data[1]) == (-1, 2.5)
    hard = round_trip(ARRAYS["masked without a mask"])
    assert hard.mask is np.ma.nomask
    assert hard.hardmask


@pytest.mark.parametrize("options", [{}, {"na_object": None}, {"na_object": np.nan, "coerce": False}])
def test_arrays_of_numpy_strings_come_back(options, round_trip):
    """The dtype of variable strings keeps its missing value and whether it coerces."""
    dtype = np.dtypes.StringDType(**options)
    array = np.array(["a", "b\u00e9", *list(options.values())[:1]], dtype)
    again = round_trip(array)
    same(again, array)
    assert round_trip(dtype) == dtype
    assert is_data(array)


@pytest.mark.parametrize("scalar", SCALARS, ids=lambda scalar: type(scalar).__name__)
def test_scalars_come_back_as_data(scalar, round_trip):
    """A scalar is read back with its exact type and dtype."""
    again = round_trip(scalar)
    assert type(again) is type(scalar)
    assert again.dtype == scalar.dtype
    assert repr(again) == repr(scalar)
    assert is_data(scalar)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_dtypes_come_back_as_data(dtype, round_trip):
    """A dtype is a value, with offsets, titles, alignment and its record type."""
    again = round_trip(dtype)
    assert again == dtype
    assert (again.fields, again.isalignedstruct, again.type) == (dtype.fields, dtype.isalignedstruct, dtype.type)
    assert is_data(dtype)


def test_strides_make_no_difference():
    """Equal arrays are one value in C order, Fortran order, reversed twice, sliced, or as a view of a larger one."""
    plain = np.arange(12.0).reshape(3, 4)
    wide = np.zeros((3, 8))
    wide[:, ::2] = plain
    oids = {encode_value(a).oid for a in (plain, np.asfortranarray(plain), plain[::-1][::-1].copy()[:], wide[:, ::2])}
    assert len(oids) == 1


def test_padding_makes_no_difference():
    """What lies between the fields of a record, and in a long double beyond its bits, is no part of it."""
    for dtype in (ALIGNED, np.dtype("longdouble")):
        clean = np.zeros(2, dtype)
        dirty = np.frombuffer(bytearray(b"\xff" * clean.nbytes), dtype)
        for name in dtype.names or ():
            dirty[name] = 0
        dirty[...] = clean if dtype.names is None else dirty
        assert encode_value(clean).oid == encode_value(dirty).oid


def test_what_a_task_can_see_tells_arrays_apart():
    """Dtype, byte order, shape, each element and its sign tell arrays apart; and so do array, scalar and number."""
    variants = [
        *(np.array([0, 1]), np.array([0, 1], "i4"), np.array([0, 1], ">i8"), np.array([0, 1], "u8")),
        *(np.array([[0, 1]]), np.array([[0], [1]]), np.array([0, 2]), np.array([0, 1], object), np.array([0.0, 1])),
        *(np.array([-0.0, 1]), np.array([False, True]), np.array(["0", "1"]), np.array(["0", "1"], object)),
        *(np.array([0, 1], "M8[s]"), np.array([0, 1], "M8[ms]"), np.array([0, 1], "m8[s]"), [0, 1], (0, 1)),
        *(np.array(1), np.int64(1), np.int32(1), np.uint8(1), 1, np.float64(1), 1.0, np.bool_(True), True),
        *(np.array("1"), np.str_("1"), "1", np.bytes_(b"1"), b"1"),
    ]
    assert len({encode_value(variant).oid for variant in variants}) == len(variants)


def test_large_arrays_are_blobs():
    """The bytes of a large array and of a large column of texts are blobs beside the node."""
    texts = np.array(["some text"] * LARGE_SIZE, object)
    for array in (np.zeros(LARGE_SIZE, "u1"), texts):
        encoded = encode_value(array)
        assert len(encoded.data) < 300
        assert encoded.parts
    assert len(encode_value(np.zeros(1000)).parts) == 0


def test_objects_in_arrays_are_values(round_trip):
    """An element that has no form but pickle is pickled alone; the rest stays data."""
    array = np.array([Odd(1), {"a": np.float32(2)}], object)
    again = round_trip(array)
    assert again[0].x == 1
    assert again[1] == {"a": np.float32(2)}
    assert type(again[1]["a"]) is np.float32
    assert find_pickled_types(encode_value(array)) == (f"{__name__}.Odd",)


class Odd:
    def __init__(self, x: Any) -> None:
        self.x = x


def test_subclasses_are_pickled(round_trip):
    """A matrix and a record array keep their classes, at the price of pickle."""
    for array in (np.ones((1, 2)).view(np.matrix), np.rec.array([(1, "a")], dtype=[("x", "i4"), ("y", "U1")])):
        assert type(round_trip(array)) is type(array)
        assert not is_data(array)


@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    array=nps.arrays(nps.scalar_dtypes() | nps.array_dtypes(), nps.array_shapes(min_dims=0, max_side=3)), data=st.data()
)
def test_any_array_comes_back(array, data, shelf):
    """An array of any dtype and shape, in any order of axes, is read back without pickle and has one oid."""
    oid = shelf.put(array)
    again = shelf.get_value(oid, allow_pickle=False)
    same(again, array)
    axes = data.draw(st.permutations(range(array.ndim)))
    turned = array.transpose(axes).copy().transpose(np.argsort(axes))
    assert encode_value(again).oid == encode_value(turned).oid == oid


def damaged(shelf, array, change):
    """Keep an array whose state has been changed, and return its oid."""
    encoder = Encoder(plans)
    state = encoder.payload(change(*find_codec(np.ndarray).encode(array)), 0)
    encoded = encoder.finish("numpy.ndarray", [FOREIGN, "numpy.ndarray", state])
    shelf[encoded.oid] = encoded.data
    return encoded.oid


@pytest.mark.parametrize(
    "change",
    [
        lambda dtype, shape, content: (dtype, shape, content[1:]),
        lambda dtype, shape, content: (dtype, (4,), content),
        lambda dtype, shape, content: (dtype, (-1,), content),
        lambda dtype, shape, content: ("<q9", shape, content),
        lambda dtype, shape, content: (("longdouble", "<f16", 5), shape, content),
        lambda dtype, shape, content: (("odd",), shape, content),
        lambda dtype, shape, content: ("|O", shape, content),
        lambda dtype, shape, content: (dtype, shape),
    ],
)
def test_a_state_that_does_not_fit_is_undecodable(change, shelf):
    """A content that is too short, a shape or dtype that is none, all are reasons and no crash."""
    oid = damaged(shelf, np.arange(3), change)
    with pytest.raises(ValueUndecodable):
        shelf.get_value(oid)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (np.zeros((3, 4)), "numpy.ndarray(dtype='<f8', shape=(3, 4))"),
        (np.array(["a", None], object), "numpy.ndarray(dtype='|O', shape=(2,))"),
        (np.zeros(2, ALIGNED), "numpy.ndarray(dtype=struct, shape=(2,))"),
        (np.float64(1.5), "numpy.float64(1.5)"),
        (np.int8(-3), "numpy.int8(-3)"),
        (np.bool_(True), "numpy.bool(True)"),
        (np.str_("a"), "numpy.str_('a')"),
        (np.datetime64("2020-01-01"), "numpy.generic(dtype='<M8[D]')"),
    ],
)
def test_arrays_are_shown_by_their_shape(value, text, shelf):
    """A preview tells dtype and shape of an array, and the number that a scalar is."""
    assert preview_value(shelf.put(value), shelf.__getitem__).text == text


STORED = encode_value(np.arange(3))
DECODE = f"decode_value({STORED.oid!r}, lambda _oid: {STORED.data!r})"


def test_numpy_is_loaded_only_where_it_is_used(tmp_path):
    """Values without arrays load no numpy, a class that calls itself numpy's does not, and decoding an array does."""
    code = f"""
import sys
from redun.value import encode_value, decode_value
from redun.value.objects import find_codec
Fake = type("Fake", (), {{"__module__": "numpy.fakes"}})
encode_value([1])
assert find_codec(Fake) is None
assert not [name for name in ("numpy", "pandas", "pyarrow") if name in sys.modules]
value = {DECODE}
assert value.tolist() == [0, 1, 2] and "pandas" not in sys.modules
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_without_numpy_an_array_is_undecodable(shelf):
    """Where numpy cannot be imported, an array is a miss that says so."""
    code = f"""
import sys
sys.modules["numpy"] = None
from redun.value import decode_value
{DECODE}
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "ValueUndecodable" in done.stderr
    assert "module numpy cannot be imported" in done.stderr


def test_a_users_proxy_comes_before_the_codec(round_trip):
    """A ProxyValue that serializes arrays decides how they are stored."""
    before = encode_value(np.arange(3)).oid

    class ArrayProxy(ProxyValue):
        type = np.ndarray

        def serialize(self) -> bytes:
            return self.instance.astype("i8").tobytes()

        @classmethod
        def deserialize(cls, raw_type: Any, data: bytes) -> Any:
            return np.frombuffer(data, "i8")

    try:
        assert encode_value(np.arange(3)).oid != before
        assert round_trip(np.arange(3)).tolist() == [0, 1, 2]
    finally:
        del proxies[np.ndarray]
        plans.forget()
    assert encode_value(np.arange(3)).oid == before
