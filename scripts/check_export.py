"""Checks `accrue export`: the same predictions from ONNX Runtime, from PyTorch and from `accrue predict`, on raw cells.

    python scripts/check_export.py ACCRUE [FOLDER]

ACCRUE is the command; FOLDER, where files are written, is a temporary one without it. Needs onnxruntime, numpy, torch and
safetensors; without one of them, what needs it is skipped, and that is said. Exit code 1 if something differs: classes must be
equal, probabilities within 1e-5, numbers within 1e-5 of their spread.
"""

import csv
import datetime
import importlib.util
import json
import random
import subprocess
import sys
import tempfile
from pathlib import Path

TOLERANCE = 1e-5


def have(*modules):
    lacking = [name for name in modules if importlib.util.find_spec(name) is None]
    if lacking:
        print(f"skipped: {', '.join(lacking)} is not installed", file=sys.stderr)
    return not lacking


def accrue(*words):
    done = subprocess.run([COMMAND, *map(str, words)], capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"accrue {' '.join(map(str, words))}: {done.stderr}")
    return done.stdout


class Table:
    """Texts as a file has them, and the numbers that ONNX takes in the place of some: those of columns and of days."""

    def __init__(self, names):
        self.names, self.rows, self.numbers = names, [], {}

    def add(self, row, **numbers):
        self.rows.append(row)
        for name, number in numbers.items():
            self.numbers.setdefault(name, []).append(number)

    def write(self, path, separator=","):
        with open(path, "w", newline="", encoding="utf-8") as file:
            csv.writer(file, delimiter=separator).writerows([self.names, *self.rows])

    def column(self, name):
        return [row[self.names.index(name)] for row in self.rows]


def mixed(rows, seed, new=False):
    """Numbers, money, dates, booleans, categories, all with missing cells; with `new`, texts that training did not have."""
    draw = random.Random(seed)
    names = ["size", "price", "seen", "member", "colour", "sex", "town", "label", "number", "far"]
    table, nan = Table(names), float("nan")
    for _ in range(rows):
        size, price = draw.gauss(170, 12), draw.lognormvariate(8, 1)
        moment = datetime.datetime(1995, 1, 1) + datetime.timedelta(minutes=draw.randrange(20 * 366 * 24 * 60))
        member, colour, sex = draw.choice(["yes", "no"]), draw.choice("red green blue".split()), draw.choice("mf")
        town = f"Town {draw.randrange(9)}, \"{'äöü'[draw.randrange(3)]}\""
        score = size / 40 + (member == "yes") + len(colour) / 3 + moment.month / 6 + draw.gauss(0, 0.3)
        far = 1.7e9 + 50 * score + draw.gauss(0, 1)
        label = "no" if score < 8 else "maybe" if score < 9 else "yes, surely"
        cells = [f"{size:.2f}", f"${price:,.2f}", moment.isoformat(), member, colour, sex, town]
        if new and draw.random() < 0.3:
            cells[3:7] = draw.choice(["YES", "No", "t"]), "violet", "x", "Town 77"
        for at in range(7):
            if at != 5 and draw.random() < 0.1:
                cells[at] = draw.choice(["", "NA", "?", "None", "-", "unknown"])
        days = (moment - datetime.datetime(1970, 1, 1)).total_seconds() / 86400
        has = [nan if cell in ("", "NA", "?", "None", "-", "unknown") else 1 for cell in cells]
        numbers = dict(size=float(f"{size:.2f}") * has[0], price=float(f"{price:.2f}") * has[1], seen=days * has[2])
        table.add(cells + [label, f"{score:.3f}", f"{far:.3f}"], **numbers)
    return table


def plain(rows, seed, new=False):
    """Numbers and nothing else."""
    draw, names = random.Random(seed), ["a", "b", "c", "class", "y", "z"]
    table = Table(names)
    for _ in range(rows):
        a, b, c = (round(draw.gauss(0, 3), 4) for _ in range(3))
        table.add([a, b, c, int(a * b > c), a - b, a * c], a=a, b=b, c=c)
    return table


def coded(rows, seed):
    """A number, and two that are numbers of levels."""
    draw = random.Random(seed)
    table = Table(["a", "five", "three", "y"])
    for _ in range(rows):
        a, five, three = round(draw.gauss(0, 1), 3), draw.randrange(5), draw.randrange(3)
        table.add([a, five, three, a * (2, -1, 3, 0, 1)[five] + three], a=a, five=five, three=three)
    return table


def config(path, data, target, loss, layers, more=""):
    text = f"""
        [data]
        path = "{data}"
        target = {json.dumps(target)}
        {more}
        [model]
        layers = {layers if isinstance(layers, str) else json.dumps(layers)}
        loss = "{loss}"
        [train]
        batch = 32
        epochs = 4
        [optimizer]
        type = "adam"
        lr = 0.01
    """
    path.write_text(text, encoding="utf-8")


def layers_known(folder, data):
    """The layers whose bare name is enough, from the error for another name."""
    config(folder / "names.toml", data, "class", "cross_entropy", ["no such layer"])
    done = subprocess.run([COMMAND, "plan", folder / "names.toml"], capture_output=True, text=True)
    return done.stderr.split("write one of ")[1].split(" (")[0].strip().split(", ")


def predicted(path):
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.reader(file))


def compare(what, ours, theirs):
    """Rows of predictions with their names, ours those of `accrue predict`."""
    assert ours[0] == theirs[0], f"{what}: {ours[0]} is not {theirs[0]}"
    assert len(ours) == len(theirs) > 100, f"{what}: {len(ours)} and {len(theirs)} rows"
    has_class = len(ours[0]) > 1 and all(name.startswith("p_") for name in ours[0][1:])
    if has_class:
        wrong = [at for at, (a, b) in enumerate(zip(ours[1:], theirs[1:])) if a[0] != b[0]]
        assert not wrong, f"{what}: {len(wrong)} classes differ, the first in row {wrong[0] + 1}"
    worst = 0.0
    for at in range(int(has_class), len(ours[0])):
        a, b = ([float(row[at]) for row in rows[1:]] for rows in (ours, theirs))
        spread = 1.0 if has_class else max(a) - min(a)
        assert spread > 0 and len(set(a)) > 10, f"{what}: the predictions of {ours[0][at]} are all alike"
        # Not below the tolerance, instead of above it: not a number is neither.
        far = [row for row, (x, y) in enumerate(zip(a, b), 1) if not abs(x - y) <= TOLERANCE * spread]
        assert not far, f"{what}: {len(far)} of {ours[0][at]} differ, in row {far[0]} {a[far[0] - 1]} and {b[far[0] - 1]}"
        worst = max([worst] + [abs(x - y) / spread for x, y in zip(a, b)])
    print(f"{what}: {len(ours) - 1} rows within {worst:.0e}")


def by_onnx(path, table, names):
    """The predictions of ONNX Runtime, with the names of `accrue predict`."""
    import numpy
    import onnxruntime

    session = onnxruntime.InferenceSession(path)
    feed = {}
    for given in session.get_inputs():
        cells = table.column(given.name)
        if given.type == "tensor(double)":
            numbers = table.numbers.get(given.name) or [float(cell) for cell in cells]
            feed[given.name] = numpy.array(numbers, dtype=numpy.float64)[:, None]
        else:
            feed[given.name] = numpy.array(cells, dtype=object)[:, None]
    outputs = session.run(None, feed)
    if len(outputs) == 2:
        return [names] + [[label, *row] for label, row in zip(outputs[0], outputs[1].tolist())]
    return [names] + outputs[0].tolist()


def check(folder, name, table, data, separator, target, loss, layers, more=""):
    """Trains, exports, and compares on the rows of `table`."""
    run, rows = folder / name, folder / f"{name}.rows.csv"
    if not isinstance(table, Table):
        rows, table = data, read_table(data)
    else:
        table.write(rows, separator)
    config(folder / f"{name}.toml", data, target, loss, layers, more)
    accrue("train", folder / f"{name}.toml", "--out", run, "--fresh", "-q")
    accrue("predict", run, "--data", rows, "--out", folder / f"{name}.predicted.csv", "-q")
    accrue("export", run, "--onnx", folder / f"{name}.onnx", "--pytorch", folder / f"{name}_model.py")
    ours = predicted(folder / f"{name}.predicted.csv")
    if HAVE_ONNX:
        compare(f"{name}, ONNX Runtime", ours, by_onnx(folder / f"{name}.onnx", table, ours[0]))
    if HAVE_TORCH:
        done = subprocess.run([sys.executable, folder / f"{name}_model.py", rows], capture_output=True, text=True)
        assert done.returncode == 0, f"{name}_model.py: {done.stderr}"
        compare(f"{name}, PyTorch", ours, list(csv.reader(done.stdout.splitlines())))


def read_table(path):
    rows = predicted(path)
    table = Table([name.strip() for name in rows[0]])
    table.rows = rows[1:]
    return table


def main(folder):
    digits = Path(__file__).parent.parent / "examples/data/digits.csv"
    numbers, things = folder / "plain.csv", folder / "mixed.csv"
    plain(300, 1).write(numbers)
    mixed(600, 2).write(things, ";")
    check(folder, "digits", None, digits, ",", "digit", "cross_entropy", [32, "relu"])
    each = [part for name in layers_known(folder, numbers) for part in (6, name)]
    check(folder, "layers", plain(200, 3), numbers, ",", "class", "cross_entropy", each)
    check(folder, "yes_or_no", plain(200, 4), numbers, ",", "class", "bce", [8, "tanh"], 'ignore = ["y", "z"]')
    check(folder, "numbers", plain(200, 5), numbers, ",", ["y", "z"], "mse", [16, "gelu"], 'ignore = ["class"]')
    codes = folder / "coded.csv"
    coded(300, 7).write(codes)
    layers = '[{ embedding = [[5, 4], [3, 2]] }, 16, "mish"]'
    columns = 'columns = { five = "number", three = "number" }\nstandardize = false'
    check(folder, "embedding", coded(200, 8), codes, ",", "y", "mse", layers, columns)
    more = 'ignore = [{}]\nmissing_values = ["unknown"]\none_hot = 32'
    new = mixed(300, 6, new=True)
    ignored = more.format('"number", "far"')
    check(folder, "mixed", new, things, ";", "label", "cross_entropy", [16, "silu"], ignored)
    check(folder, "mixed_robust", new, things, ";", "label", "cross_entropy", [16, "silu"], ignored + '\nstandardize = "robust"')
    layers = '[{ embedding = [[40, 3]] }, 16, "silu"]'
    few = ignored.replace("one_hot = 32", "one_hot = 4")
    check(folder, "mixed_index", new, things, ";", "label", "cross_entropy", layers, few)
    check(folder, "far", new, things, ";", "far", "mse", [16, "silu"], more.format('"number", "label"'))


if __name__ == "__main__":
    if not 2 <= len(sys.argv) <= 3:
        sys.exit(__doc__)
    COMMAND = str(Path(sys.argv[1]).absolute())
    HAVE_ONNX, HAVE_TORCH = have("onnxruntime", "numpy"), have("torch", "safetensors")
    if len(sys.argv) == 3:
        Path(sys.argv[2]).mkdir(parents=True, exist_ok=True)
        main(Path(sys.argv[2]).absolute())
    else:
        with tempfile.TemporaryDirectory() as temporary:
            main(Path(temporary))
