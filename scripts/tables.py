#!/usr/bin/env python3
"""Compares `accrue` with scikit-learn on a folder of CSV files and prints a Markdown table.

    python scripts/tables.py --data TABLES --accrue target/release/accrue --out RUNS

Every table is split 80/20 into train.csv and test.csv, once per seed, stratified for classes.
Both sides see the same train.csv and are scored on the same test.csv. Accrue runs with what
`accrue init --data` writes, nothing set by hand but the seed. scikit-learn runs with its defaults:
MLPClassifier/Regressor (one-hot, median fill, scaled, target scaled) and HistGradientBoosting.
The score is 1 - accuracy for classes and the root mean square error for numbers: lower is better.

TABLES/targets.toml names the target of each file (and, if wanted, columns that give it away):

    [wine]                   # wine.csv
    target = "quality"
    drop = ["id"]            # left out of train.csv and test.csv
    separator = ";"          # "," if left out; header = false for files without one
    task = "number"          # "class" | "number"; found by looking if left out

Needs numpy, pandas and scikit-learn.
"""
import argparse
import csv
import json
import subprocess
import sys
import time
import tomllib
import warnings
from pathlib import Path
import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.impute import SimpleImputer
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

MISSING = ["", "NA", "N/A", "NaN", "nan", "null", "None", "?", "-"]


def read(path, spec):
    """The table with every cell as its text: nothing is rounded or renamed on the way to train.csv."""
    header = 0 if spec.get("header", True) else None
    table = pd.read_csv(path, sep=spec.get("separator", ","), header=header, dtype=str, keep_default_na=False)
    if header is None:  # test.csv of such a table has no header either; `target` is then column1, column2, ...
        table.columns = [f"column{i + 1}" for i in range(table.shape[1])]
    return table.drop(columns=spec.get("drop", []))


def is_missing(column):
    return column.str.strip().isin(MISSING)


def as_numbers(column):
    """The column as floats with NaN for missing cells, or None if some cell is neither."""
    numbers = pd.to_numeric(column.where(~is_missing(column)), errors="coerce")
    return None if numbers.isna().sum() > is_missing(column).sum() else numbers


def task_of(column, spec):
    """Numbers with more than 20 different values are regressed, all else are classes."""
    return spec.get("task", "number" if as_numbers(column) is not None and column.nunique() > 20 else "class")


def features(table):
    """Numbers as floats, other columns as text; texts that hardly repeat (names, tickets) are left out."""
    out = {}
    for name, column in table.items():
        numbers = as_numbers(column)
        known = column[~is_missing(column)]
        if numbers is not None:
            out[name] = numbers
        elif known.nunique() <= 0.5 * len(known):
            out[name] = column.str.strip().where(~is_missing(column), "missing")
    return pd.DataFrame(out)


def baselines(x, task, seed):
    numbers = [c for c in x if x[c].dtype == float or x[c].dtype == int]
    texts = [c for c in x if c not in numbers]
    filled = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
    one_hot = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    scaled = ColumnTransformer([("number", filled, numbers), ("text", one_hot, texts)])
    codes = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan, max_categories=200)
    coded = ColumnTransformer([("number", "passthrough", numbers), ("text", codes, texts)])
    categorical = list(range(len(numbers), len(numbers) + len(texts))) or None
    if task == "class":
        mlp = make_pipeline(scaled, MLPClassifier(random_state=seed))
        trees = HistGradientBoostingClassifier(random_state=seed, categorical_features=categorical)
    else:
        mlp = TransformedTargetRegressor(make_pipeline(scaled, MLPRegressor(random_state=seed)),
                                         transformer=StandardScaler())
        trees = HistGradientBoostingRegressor(random_state=seed, categorical_features=categorical)
    return {"sklearn MLP": mlp, "HistGradientBoosting": make_pipeline(coded, trees)}


def score(task, truth, predicted):
    if task == "class":
        return float(np.mean(truth != predicted))
    return float(np.sqrt(np.mean((truth - predicted) ** 2)))


def fit_sklearn(train, test, target, task, seed):
    """{name: (score, seconds)} of both baselines."""
    both = features(pd.concat([train, test]).drop(columns=target).reset_index(drop=True))
    x, x_test = both.iloc[: len(train)], both.iloc[len(train):]
    y, y_test = train[target].str.strip().to_numpy(), test[target].str.strip().to_numpy()
    if task == "number":
        y, y_test = y.astype(float), y_test.astype(float)
    out = {}
    for name, model in baselines(x, task, seed).items():
        start = time.time()
        out[name] = (score(task, y_test, model.fit(x, y).predict(x_test)), time.time() - start)
    return out


def command(log, *words):
    line = [str(w) for w in words]
    done = subprocess.run(line, capture_output=True, text=True)
    with open(log, "a") as file:
        file.write(f"$ {' '.join(line)}\n{done.stdout}{done.stderr}\n")
    if done.returncode:
        raise RuntimeError(f"{' '.join(line)}: exit {done.returncode}; see {log}")
    return done.stdout


def run_accrue(binary, folder, target, task, seed, sets):
    """(score, seconds): init, train, then eval --json on rows that training never saw."""
    log, config, run = folder / "accrue.log", folder / "config.toml", folder / "run"
    command(log, binary, "init", config, "--force", "--data", folder / "train.csv", "--target", target)
    start = time.time()
    command(log, binary, "train", config, "--out", run, "--fresh", "--set", f"train.seed={seed}",
            *(word for one in sets for word in ("--set", one)))
    seconds = time.time() - start
    found = json.loads(command(log, binary, "eval", run, "--data", folder / "test.csv", "--json"))["metrics"]
    return (1 - found["accuracy"] if task == "class" else found["rmse"]), seconds


def one(path, spec, seed, out, binary, sets):
    """(task, rows, {method: (score, seconds)}) of one table and one seed."""
    table, target = read(path, spec), spec["target"]
    table = table[~is_missing(table[target])]
    task = task_of(table[target], spec)
    strata = table[target] if task == "class" and table[target].value_counts().min() > 1 else None
    train, test = train_test_split(table, test_size=0.2, random_state=seed, stratify=strata)
    folder = out / path.stem / f"seed{seed}"
    folder.mkdir(parents=True, exist_ok=True)
    for name, part in (("train", train), ("test", test)):
        part.to_csv(folder / f"{name}.csv", index=False, sep=spec.get("separator", ","),
                    header=spec.get("header", True), quoting=csv.QUOTE_MINIMAL)
    found = fit_sklearn(train, test, target, task, seed)
    if binary:
        found = {"accrue": run_accrue(binary, folder, target, task, seed, sets), **found}
    return task, len(table), found


def main():
    arg = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arg.add_argument("--data", type=Path, required=True, help="folder of CSV files with targets.toml")
    arg.add_argument("--accrue", type=Path, help="the binary; without it only scikit-learn runs")
    arg.add_argument("--out", type=Path, required=True, help="for splits, configs, runs and results.csv")
    arg.add_argument("--seeds", type=int, default=3)
    arg.add_argument("--only", nargs="*", help="names of tables, e.g. iris mpg")
    arg.add_argument("--set", action="append", default=[], help="another setting than the proposed one, as in train.refit=false")
    args = arg.parse_args()
    warnings.filterwarnings("ignore")
    args.out.mkdir(parents=True, exist_ok=True)
    specs = tomllib.loads((args.data / "targets.toml").read_text())
    results, lines, failed = [], [], 0
    for name in args.only or specs:
        scores = {}
        for seed in range(args.seeds):
            try:
                task, rows, found = one(args.data / f"{name}.csv", specs[name], seed, args.out, args.accrue, args.set)
            except (RuntimeError, KeyError, ValueError) as problem:
                failed += 1
                print(f"{name}, seed {seed}: {problem}", file=sys.stderr)
                continue
            for method, (value, seconds) in found.items():
                scores.setdefault(method, []).append((value, seconds))
                results.append((name, task, rows, seed, method, value, seconds))
        cells = []
        for pairs in scores.values():
            mean, spread = np.mean([v for v, _ in pairs]), np.std([v for v, _ in pairs])
            shown = f"{100 * mean:.2f} ± {100 * spread:.2f} %" if task == "class" else f"{mean:.4g} ± {spread:.2g}"
            cells.append(f"{shown} ({np.mean([s for _, s in pairs]):.1f} s)")
        if scores:
            if not lines:
                lines = [f"| table | rows | score | {' | '.join(scores)} |", "|---|" + "---|" * (2 + len(scores))]
            lines.append(f"| {name} | {rows} | {'error' if task == 'class' else 'RMSE'} | {' | '.join(cells)} |")
            print(lines[-1], file=sys.stderr, flush=True)
    with open(args.out / "results.csv", "w", newline="") as file:
        csv.writer(file).writerows([("table", "task", "rows", "seed", "method", "score", "seconds"), *results])
    print("\n".join(lines))
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
