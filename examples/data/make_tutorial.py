"""Writes tutorial.csv: 1200 rows of 8 normal inputs and one target, a smooth function of them plus noise.

    python examples/data/make_tutorial.py        (needs numpy)

y = sin(x0) + x1 x2 / 2 + tanh(x3 - x4) + x5^2 / 4 - x6 / 2 + 0.1 * noise; x7 has no influence.
Numbers are written with 6 significant digits; what is in the file is the data, also for tests/golden.
"""

from pathlib import Path

import numpy as np

rng = np.random.default_rng(2026)
x = rng.standard_normal((1200, 8))
noise = rng.standard_normal(1200)
y = np.sin(x[:, 0]) + x[:, 1] * x[:, 2] / 2 + np.tanh(x[:, 3] - x[:, 4]) + x[:, 5] ** 2 / 4 - x[:, 6] / 2 + 0.1 * noise

with open(Path(__file__).with_name("tutorial.csv"), "w", newline="\n") as out:
    out.write(",".join([*(f"x{i}" for i in range(8)), "y"]) + "\n")
    for inputs, target in zip(x, y):
        out.write(",".join(f"{value:.6g}" for value in [*inputs, target]) + "\n")
