"""Writes the arrays that tests/npz.rs reads, and the corpus of files, whole and broken, that tests/hostile and `make fuzz` start
from. Needs NumPy. Run it from the repository root; the files it wrote are kept beside it, made with NumPy 2.4.
"""

import io
import struct
import zipfile

import numpy as np

HERE, CORPUS = "tests/npz", "fuzz/corpus/npz"
ROWS = 6
LABELS = [2, 10, 2, 10, 9, 9]


def counted(*shape, dtype="f4"):
    return np.arange(ROWS * int(np.prod(shape))).reshape(ROWS, *shape).astype(dtype)


def save(path, compressed=False, **arrays):
    # zipfile's own date, so that the same arrays give the same bytes.
    method = zipfile.ZIP_DEFLATED if compressed else zipfile.ZIP_STORED
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, array in arrays.items():
            member = io.BytesIO()
            np.lib.format.write_array(member, np.asanyarray(array))
            about = zipfile.ZipInfo(name + ".npy")
            about.compress_type = method
            archive.writestr(about, member.getvalue())


def raw(path, descr, shape, data, compressed=False):
    header = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}".encode()
    member = b"\x93NUMPY\x01\0" + struct.pack("<H", len(header)) + header + data
    with zipfile.ZipFile(path, "w") as archive:
        about = zipfile.ZipInfo("x.npy")
        about.compress_type = zipfile.ZIP_DEFLATED if compressed else zipfile.ZIP_STORED
        archive.writestr(about, member)


def good():
    table = dict(x=counted(3), y=np.array(LABELS), w=np.array([1, 2, 0, 1, 0.5, 1.0]))
    for folder in (HERE, CORPUS):
        save(f"{folder}/plain.npz", **table)
        save(f"{folder}/packed.npz", compressed=True, **table)
    types = ["?", "u1", "i1", "<u2", ">u2", "<i2", ">i2", "<u4", ">u4", "<i4", ">i4", "<u8", ">u8", "<i8", ">i8"]
    types += ["<f4", ">f4", "<f8", ">f8"]
    numbers = {f"{at}_{name.strip('<>')}": np.array([0, 1, 1, 0, 1, 1]).astype(name) for at, name in enumerate(types)}
    save(f"{HERE}/types.npz", **numbers, y=LABELS)
    images = counted(2, 2, 3, dtype="u1")
    save(f"{HERE}/images.npz", hwc=images, chw=images.transpose(0, 3, 1, 2).copy(), grey=counted(2, 2, dtype="u1"), y=LABELS)
    save(f"{CORPUS}/images.npz", x=images.transpose(0, 3, 1, 2).copy(), y=LABELS)
    fortran = dict(x=np.asfortranarray(counted(2, 2, 3, dtype=">i2")), y=LABELS)
    for folder in (HERE, CORPUS):
        save(f"{folder}/fortran.npz", **fortran)
        save(f"{folder}/fortran_packed.npz", compressed=True, **fortran)
    texts = [b"no", b"yes", b"no", b"maybe", b"no", b"yes"]
    flags = [False, True, False, True, True, True]
    save(f"{HERE}/labels.npz", x=counted(1), s=texts, u=[text.decode() for text in texts], b=flags, f=np.array(LABELS, "f8"))
    save(f"{CORPUS}/labels.npz", x=counted(1), y=texts)
    np.save(f"{HERE}/folder/x.npy", counted(3))
    np.save(f"{HERE}/folder/y.npy", np.array(LABELS, "u1"))


def broken():
    raw(f"{CORPUS}/claims.npz", "'<f8'", "(1152921504606846976, 16)", b"")
    raw(f"{CORPUS}/bomb.npz", "'|u1'", "(65536, 16)", bytes(1 << 20), compressed=True)
    raw(f"{CORPUS}/axes.npz", "'|u1'", "(" + "1, " * 100 + ")", b"\1")
    raw(f"{CORPUS}/structure.npz", "[('a', '<f4'), ('b', '|S3')]", "(2,)", bytes(14))
    raw(f"{CORPUS}/objects.npz", "'|O'", "(2,)", b"\x80\x04N.")
    save(f"{CORPUS}/rows.npz", x=counted(3), y=LABELS[1:])
    save(f"{CORPUS}/nan.npz", x=np.array([[1, 2], [np.nan, 4]]), y=[0, 1])
    with open(f"{CORPUS}/packed.npz", "rb") as file:
        whole = file.read()
    with open(f"{CORPUS}/short.npz", "wb") as file:
        file.write(whole[: len(whole) * 2 // 3])


good()
broken()
