"""Loads a model that Accrue saved into PyTorch, strictly, and compares its outputs with Accrue's predictions.

    accrue predict runs/digits --data examples/data/digits.csv --out predictions.csv
    python tests/golden/check_model.py runs/digits examples/data/digits.csv predictions.csv

Needs PyTorch and safetensors. Exit code 0 when every output is within the tolerance, 1 when not, 2 on wrong usage.
A probability may differ by the tolerance; a regression output by the tolerance times the largest of its column.
"""

import argparse
import csv
import json
import sys
from pathlib import Path

import torch
from safetensors import safe_open
from torch import nn

ACTIVATIONS = {
    "relu": nn.ReLU,
    "leaky_relu": lambda: nn.LeakyReLU(0.01),
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
    "silu": nn.SiLU,
    "gelu": nn.GELU,
    "gelu_tanh": lambda: nn.GELU(approximate="tanh"),
    "selu": nn.SELU,
    "mish": nn.Mish,
}


class Scale(nn.Module):
    """One learned factor for each column."""

    def __init__(self, width):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x):
        return x * self.weight


class Tables(nn.ModuleList):
    """An embedding for each of the last columns; the others go on as they are."""

    def __init__(self, tables):
        super().__init__(nn.Embedding(levels, width) for levels, width in tables)

    def forward(self, x):
        floats = x.shape[1] - len(self)
        return torch.cat([x[:, :floats]] + [table(x[:, floats + t].long()) for t, table in enumerate(self)], dim=1)


WIDE = {"layer_norm": nn.LayerNorm, "scale": Scale}  # layers that are made by the width of what they read


def fail(message):
    sys.exit(f"check_model: {message}")


def read_model(path):
    """The tensors by name, and what the file says of itself under the metadata key `accrue`."""
    with safe_open(path, framework="pt") as model:
        metadata = model.metadata() or {}
        tensors = {name: model.get_tensor(name) for name in model.keys()}
    if "accrue" not in metadata:
        fail(f"{path} has no metadata `accrue`; it has {sorted(metadata)}")
    return tensors, json.loads(metadata["accrue"])


def build(model):
    """`inputs` and `layers` as in `[64, "relu", 10]` -> `nn.Sequential`."""
    modules, width = [], model["inputs"]
    for layer in model["layers"]:
        if isinstance(layer, dict):
            tables = layer["embedding"]
            modules.append(Tables(tables))
            width += sum(columns for _, columns in tables) - len(tables)
        elif isinstance(layer, str):
            if layer in WIDE:
                modules.append(WIDE[layer](width))
                continue
            if layer not in ACTIVATIONS:
                fail(f"unknown activation {layer!r}; known: {', '.join(ACTIVATIONS)}")
            modules.append(ACTIVATIONS[layer]())
        else:
            modules.append(nn.Linear(width, layer))
            width = layer
    return nn.Sequential(*modules)


def read_csv(path):
    with open(path, newline="", encoding="utf-8-sig") as source:
        rows = list(csv.reader(source))
    if len(rows) < 2:
        fail(f"{path} has no rows")
    return [name.strip() for name in rows[0]], rows[1:]


def column(header, rows, name, path):
    if name not in header:
        fail(f"{path} has no column {name!r}; it has {', '.join(header[:12])}")
    place = header.index(name)
    return [row[place].strip() for row in rows]


def numbers(header, rows, names, path):
    columns = [[float(cell) for cell in column(header, rows, name, path)] for name in names]
    return torch.tensor(columns, dtype=torch.float64).T


def scale_of(scale):
    return torch.tensor(scale["mean"], dtype=torch.float64), torch.tensor(scale["std"], dtype=torch.float64)


def outputs_of(net, about, header, rows, path):
    inputs = numbers(header, rows, about["features"], path)
    if about.get("feature_scale"):
        mean, std = scale_of(about["feature_scale"])
        inputs = (inputs - mean) / torch.where(std == 0, 1.0, std)
    with torch.no_grad():
        return net(inputs.to(torch.float32)).to(torch.float64)


def compare_classes(target, outputs, predictions, path, tolerance):
    """Probabilities to the tolerance; the class may be any whose probability is that near to the highest."""
    header, rows = predictions
    classes = [str(c) for c in target["classes"]]
    ours = torch.softmax(outputs, 1)
    theirs = numbers(header, rows, [f"p_{c}" for c in classes], path)
    chosen = column(header, rows, target["name"], path)
    wrong = 0
    for row, name in enumerate(chosen):
        if name not in classes:
            fail(f"{path}, row {row + 1}: {name!r} is no class of the model")
        wrong += bool(ours[row, classes.index(name)] < ours[row].max() - tolerance)
    if wrong:
        fail(f"{wrong} of {len(chosen)} rows have another class than PyTorch gives")
    return (ours - theirs).abs().max().item()


def compare_values(target, loss, outputs, predictions, path):
    header, rows = predictions
    if loss == "bce_with_logits":
        outputs = torch.sigmoid(outputs)
    if target.get("scale"):
        mean, std = scale_of(target["scale"])
        outputs = outputs * std + mean
    theirs = numbers(header, rows, target["names"], path)
    largest = outputs.abs().max(0).values.clamp_min(torch.finfo(torch.float32).tiny)
    return ((outputs - theirs).abs() / largest).max().item()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path, help="the run folder, or its model.safetensors")
    parser.add_argument("data", type=Path, help="the CSV that was predicted from")
    parser.add_argument("predictions", type=Path, help="what `accrue predict` wrote")
    parser.add_argument("--tolerance", type=float, default=1e-5)
    arguments = parser.parse_args()

    run = arguments.run / "model.safetensors" if arguments.run.is_dir() else arguments.run
    tensors, about = read_model(run)
    net = build(about["model"])
    net.load_state_dict(tensors, strict=True)

    outputs = outputs_of(net, about, *read_csv(arguments.data), arguments.data)
    predictions = read_csv(arguments.predictions)
    if len(predictions[1]) != len(outputs):
        fail(f"{arguments.data} has {len(outputs)} rows, {arguments.predictions} has {len(predictions[1])}")
    if "classes" in about["target"]:
        target = about["target"]["classes"]
        worst = compare_classes(target, outputs, predictions, arguments.predictions, arguments.tolerance)
    else:
        target = about["target"]["values"]
        worst = compare_values(target, about["model"]["loss"], outputs, predictions, arguments.predictions)
    if not worst <= arguments.tolerance:
        fail(f"the outputs differ by {worst:.2e}, more than {arguments.tolerance:.0e}")
    print(f"{len(outputs)} rows, {len(tensors)} tensors: loads strictly, outputs within {worst:.1e} of PyTorch's")


if __name__ == "__main__":
    main()
