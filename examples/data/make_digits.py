"""Writes digits.csv: the 1797 8x8 scans of the UCI optical digits test set, as scikit-learn carries them.

    python examples/data/make_digits.py          (needs scikit-learn; no network: the data come with the package)
"""

from pathlib import Path

from sklearn.datasets import load_digits

digits = load_digits()
assert digits.data.shape == (1797, 64) and (digits.data == digits.data.astype(int)).all()

with open(Path(__file__).with_name("digits.csv"), "w", newline="\n") as out:
    out.write(",".join([*digits.feature_names, "digit"]) + "\n")
    for pixels, digit in zip(digits.data.astype(int), digits.target):
        out.write(",".join(map(str, [*pixels, digit])) + "\n")
