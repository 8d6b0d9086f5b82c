"""Writes Parquet files into its folder and into fuzz/corpus/parquet, with pyarrow: python tests/parquet/make.py"""

import datetime
import decimal
import pathlib

import pyarrow as pa
import pyarrow.parquet as pq

FOLDERS = [pathlib.Path(__file__).parent, pathlib.Path(__file__).parents[2] / "fuzz/corpus/parquet"]
DAY = datetime.date(2024, 2, 29)
MOMENT = datetime.datetime(2024, 2, 29, 12, 30, 0, 250000)


def write(name, columns, **settings):
    for folder in FOLDERS:
        pq.write_table(pa.table(columns), folder / name, **settings)


write("kinds.parquet", {
    "int8": pa.array([-1, None, 3], pa.int8()),
    "uint32": pa.array([2**32 - 1, 0, None], pa.uint32()),
    "uint64": pa.array([2**64 - 1, 0, None], pa.uint64()),
    "int64": pa.array([-(2**53), 1, None]),
    "float": pa.array([0.5, None, float("nan")], pa.float32()),
    "double": pa.array([1e300, -0.0, None]),
    "text": pa.array([" a ", "", None]),
    "bytes": pa.array([b"ok", b"\xff", None]),
    "bool": pa.array([True, False, None]),
    "date": pa.array([DAY, None, datetime.date(1969, 12, 31)]),
    "time": pa.array([MOMENT.time(), None, datetime.time(1)]),
    "ms": pa.array([MOMENT, None, MOMENT], pa.timestamp("ms")),
    "us": pa.array([MOMENT, None, MOMENT], pa.timestamp("us", "UTC")),
    "ns": pa.array([MOMENT, None, MOMENT], pa.timestamp("ns")),
    "decimal": pa.array([decimal.Decimal("-12.34"), None, decimal.Decimal("5.00")]),
    "level": pa.array(["x", "y", "x"]).dictionary_encode(),
})
write("groups.parquet", {"n": list(range(7)), "t": list("abcdefg")}, row_group_size=3)
write("gzip.parquet", {"a": [1.5, 2.5], "b": ["x", "y"]}, compression="gzip")
write("old.parquet", {"ns": pa.array([MOMENT], pa.timestamp("ns"))}, use_deprecated_int96_timestamps=True, compression="none", version="1.0")
write("zstd.parquet", {"a": [1.5, 2.5]}, compression="zstd")
write("nested.parquet", {"a": [1, 2], "list": [[1], [2, 3]], "group": [{"x": 1, "y": 2}, None]}, data_page_version="2.0")
write("lists.parquet", {"list": [[1], [2, 3]]})
write("none.parquet", {"a": pa.array([], pa.float64())})
