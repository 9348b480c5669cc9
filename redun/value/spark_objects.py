"""What stands for data and lies in a cluster: Spark's DataFrames, RDDs and columns are refused, with the way out.

The invariant: none of them is ever pickled.  Most would fail, in words about Java objects; over Spark Connect some
would not, and come back as plans whose data is gone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NoReturn

from redun.value.errors import ValueNotEncodable
from redun.value.objects import Codec

_FRAME = (
    "it is a plan for its cluster, not data: write it with ShardedS3Dataset.from_data(frame, path), return that "
    "dataset, and read it with its load_spark()"
)
_PART = "it is a part of plans for a cluster, and means nothing elsewhere"
_WHY = {
    "pyspark.sql.dataframe:DataFrame": _FRAME,
    "pyspark.sql.classic.dataframe:DataFrame": _FRAME,
    "pyspark.sql.connect.dataframe:DataFrame": _FRAME,
    "pyspark.core.rdd:RDD": _FRAME,
    "pyspark.core.rdd:PipelinedRDD": _FRAME,
    "pyspark.sql.column:Column": _PART,
    "pyspark.sql.classic.column:Column": _PART,
    "pyspark.sql.connect.column:Column": _PART,
    "pyspark.sql.session:SparkSession": _PART,
    "pyspark.sql.connect.session:SparkSession": _PART,
    "pyspark.core.context:SparkContext": _PART,
}


def list_codecs() -> Iterator[tuple[str, Codec]]:
    """Yield each type, by name, with a codec that refuses its instances."""
    for name, why in _WHY.items():
        dotted = name.replace(":", ".")
        yield name, Codec(dotted, _refusal(dotted, why), _decode)


def _refusal(type_name: str, why: str) -> Callable[[Any], Any]:
    def refuse(_value: Any) -> NoReturn:
        raise ValueNotEncodable("", type_name, why)

    return refuse


def _decode(_state: Any) -> NoReturn:
    raise ValueError("nothing is stored under this name")
