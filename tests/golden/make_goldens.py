"""Writes the golden training runs of this folder: what an exact trainer must compute, by PyTorch.

    python tests/golden/make_goldens.py            (PyTorch 2.15.0 on the CPU, numpy, safetensors; a few seconds)

Every case is trained with gradient accumulation done right, in float64 from float32 inputs and float32 start weights,
in file order, on one thread, from fixed seeds:

* the loss of a row is the mean over its outputs (mse, huber with delta 1, bce_with_logits) or its cross-entropy;
* a window is the rows of one update. Its gradient is (sum over its rows of d loss_r / d theta) / (rows really in it),
  summed micro-batch by micro-batch; its loss is the mean over the same rows;
* the last window of an epoch, when it is short, is flushed (divided by what is in it), dropped, or carried (it goes on
  in the next epoch; what is left at the end of training is flushed).

The script refuses to write a case that float32 could not reproduce: it trains each one again with float32 and other
micro-batches, and checks that no pre-activation ever comes so close to a kink (relu, leaky_relu, selu) that rounding could
put it on the other side. README.md beside this file describes what is written.
"""

import csv
import json
import math
from functools import partial
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import save_file
from torch import nn
from torch.nn import functional as F

HERE = Path(__file__).parent
TUTORIAL = HERE.parent.parent / "examples" / "data" / "tutorial.csv"

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
LATER = ("selu", "mish")  # a case's seed is its place: what came later stands at the end

LOSSES = {  # (outputs, targets, attributes) -> one loss per row
    "mse": lambda y, t: F.mse_loss(y, t, reduction="none").mean(1),
    "huber": lambda y, t: F.huber_loss(y, t, reduction="none", delta=1.0).mean(1),
    "bce_with_logits": lambda y, t: F.binary_cross_entropy_with_logits(y, t, reduction="none").mean(1),
    "cross_entropy": lambda y, t, **attributes: F.cross_entropy(y, t, reduction="none", **attributes),
}

KINKED = (nn.ReLU, nn.LeakyReLU, nn.SELU)
MARGIN = 2e-6  # the nearest a pre-activation may come to a kink
CLOSE = 2e-6  # what float32 may differ from float64 by, relative to the largest element


class Scale(nn.Module):
    """One learned factor for each column, from 1."""

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


def network(layers):
    """`[5, 7, "tanh", 3]` is 5 inputs, Linear to 7, Tanh, Linear to 3, named as `nn.Sequential` names them."""
    modules, width = [], layers[0]
    for layer in layers[1:]:
        if isinstance(layer, dict):
            tables = layer["embedding"]
            modules.append(Tables(tables))
            width += sum(columns for _, columns in tables) - len(tables)
        elif layer in WIDE:
            modules.append(WIDE[layer](width))
        elif isinstance(layer, str):
            modules.append(ACTIVATIONS[layer]())
        else:
            modules.append(nn.Linear(width, layer))
            width = layer
    return nn.Sequential(*modules)


def groups(net, lr, factors):
    """A group of parameters for each layer's weight and bias, with the learning rate of its kind."""
    found = []
    for module in net:
        for name, parameter in module.named_parameters():
            kind = name if isinstance(module, nn.Linear) else type(module).__name__.lower()
            factor = factors.get(kind, 1.0)
            if factor == "fan_in":
                factor = 1 / math.sqrt(module.in_features)
            found.append({"params": [parameter], "lr": lr * factor})
    return found


def optimizer_for(net, spec, factors):
    options = {key: value for key, value in spec.items() if key not in ("type", "clip_norm")}
    return {"sgd": torch.optim.SGD, "adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[spec["type"]](
        groups(net, spec["lr"], factors), **options
    )


def windows(case, micro_batch):
    """The run as a list of windows, a window as a list of micro-batches, a micro-batch as rows `(begin, end)`."""
    done, window, held = [], [], 0
    for _ in range(case["epochs"]):
        row = 0
        while row < case["rows"]:
            end = min(row + micro_batch, case["rows"], row + case["batch"] - held)
            window.append((row, end))
            held += end - row
            row = end
            if held == case["batch"]:
                done.append(window)
                window, held = [], 0
        if held and case["tail"] == "flush":
            done.append(window)
        if case["tail"] != "carry":
            window, held = [], 0
    return done + [window] if held else done


def train(case, inputs, targets, start, dtype, micro_batch):
    """Trains from `start`; returns the loss and the rows of every window, the first gradient, the final weights."""
    net = network(case["layers"])
    net.load_state_dict(start, strict=True)
    net.to(dtype)
    inputs = torch.from_numpy(inputs).to(dtype)
    targets = torch.from_numpy(targets)
    targets = targets.long() if case["loss"] == "cross_entropy" else targets.to(dtype)
    attributes = {key: case[key] for key in ("label_smoothing",) if key in case}
    row_loss = partial(LOSSES[case["loss"]], **attributes)
    optimizer = optimizer_for(net, case["optimizer"], case.get("lr_factors", {}))
    margin = [math.inf]
    for module in net:
        if isinstance(module, KINKED):
            module.register_forward_pre_hook(lambda _, z: margin.append(z[0].abs().min().item()))

    losses, counts, gradient, clipped = [], [], None, []
    for window in windows(case, micro_batch):
        optimizer.zero_grad()
        rows, total = 0, 0.0
        for begin, end in window:
            loss = row_loss(net(inputs[begin:end]), targets[begin:end]).sum()
            loss.backward()
            total += loss.item()
            rows += end - begin
        for parameter in net.parameters():
            parameter.grad /= rows
        if gradient is None:
            gradient = {name: p.grad.clone() for name, p in net.named_parameters()}
        if "clip_norm" in case["optimizer"]:
            limit = case["optimizer"]["clip_norm"]
            clipped.append(nn.utils.clip_grad_norm_(net.parameters(), limit).item() > limit)
        optimizer.step()
        losses.append(total / rows)
        counts.append(rows)
    assert not clipped or any(clipped) and not all(clipped), f"{case['name']}: clip some updates, not all"
    final = {name: p.detach() for name, p in net.named_parameters()}
    return {"losses": losses, "rows": counts, "gradient": gradient, "final": final, "margin": min(margin)}


def tutorial_loop(case, inputs, targets, start):
    """The loop of the tutorials, in float32: loss / accumulation_steps, backward, step after so many of them."""
    net = network(case["layers"])
    net.load_state_dict(start, strict=True)
    inputs, targets = torch.from_numpy(inputs), torch.from_numpy(targets)
    accumulation_steps = case["batch"] // case["micro_batch"]
    criterion = nn.MSELoss()
    optimizer = torch.optim.SGD(net.parameters(), lr=case["optimizer"]["lr"])
    losses = []
    for _ in range(case["epochs"]):
        optimizer.zero_grad()
        window_loss = 0.0
        for step, (x, y) in enumerate(zip(inputs.split(case["micro_batch"]), targets.split(case["micro_batch"]))):
            loss = criterion(net(x), y) / accumulation_steps
            loss.backward()
            window_loss += loss.item()
            if (step + 1) % accumulation_steps == 0:
                optimizer.step()
                optimizer.zero_grad()
                losses.append(window_loss)
                window_loss = 0.0
    return losses


def data_for(case, seed):
    """Inputs and targets of a teacher with noise, so that there is something to learn; float32, or classes."""
    rng = np.random.default_rng(seed)
    inputs = rng.standard_normal((case["rows"], case["layers"][0]))
    outputs = case["layers"][-1]
    first = case["layers"][1]
    tables = first["embedding"] if isinstance(first, dict) else []
    for t, (levels, _) in enumerate(tables):
        inputs[:, len(inputs[0]) - len(tables) + t] = rng.integers(0, levels, case["rows"])
    teacher = np.tanh(inputs @ rng.standard_normal((case["layers"][0], outputs)) + 0.3 * rng.standard_normal(outputs))
    noisy = teacher + 0.2 * rng.standard_normal(teacher.shape)
    if case["loss"] == "cross_entropy":
        targets = noisy.argmax(1).astype(np.uint32)
        assert len(set(targets.tolist())) == outputs
    elif case["loss"] == "bce_with_logits":
        targets = (noisy > 0).astype(np.float32)
    elif case["loss"] == "huber":
        targets = (2 * noisy).astype(np.float32)  # errors on both sides of delta
    else:
        targets = noisy.astype(np.float32)
    return inputs.astype(np.float32), targets


def tutorial_data(case):
    with open(TUTORIAL, newline="") as source:
        table = np.array([[float(cell) for cell in row] for row in list(csv.reader(source))[1:]], dtype=np.float32)
    assert table.shape == (case["rows"], case["layers"][0] + 1)
    return table[:, :-1].copy(), table[:, -1:].copy()


def difference(a, b):
    """The largest difference, relative to the largest element."""
    a, b = (np.asarray(torch.as_tensor(v, dtype=torch.float64)) for v in (a, b))
    return float(np.abs(a - b).max() / np.abs(b).max())


def furthest(a, b):
    pairs = [(a["losses"], b["losses"])]
    pairs += [(a[kind][name], b[kind][name]) for kind in ("gradient", "final") for name in b[kind]]
    return max(difference(x, y) for x, y in pairs)


def write(case, seed):
    """Trains a case, checks that it is a fair one, writes its file; returns its entry for cases.json."""
    tutorial = case["name"] == "tutorial"
    for attempt in range(50):  # another seed when a kink is too near
        inputs, targets = tutorial_data(case) if tutorial else data_for(case, seed + 1000 * attempt)
        torch.manual_seed(seed + 1000 * attempt)
        start = {name: tensor.clone() for name, tensor in network(case["layers"]).state_dict().items()}
        run = train(case, inputs, targets, start, torch.float64, case["micro_batch"])
        if run["margin"] > MARGIN:
            break
    else:
        raise SystemExit(f"{case['name']}: every seed comes too near to a kink")

    whole = train(case, inputs, targets, start, torch.float64, case["batch"])
    assert whole["rows"] == run["rows"] and furthest(whole, run) < 1e-12, f"{case['name']}: depends on the micro-batch"
    single = train(case, inputs, targets, start, torch.float32, max(1, case["micro_batch"] - 1))
    float32 = furthest(single, run)
    assert float32 < CLOSE, f"{case['name']}: float32 differs by {float32}"
    updates = len(run["losses"])
    progress = min(run["losses"][-3:]) < run["losses"][0]  # the last window alone may be a few hard rows
    assert updates >= 20 and progress, f"{case['name']}: {updates} updates, no progress"

    tensors = {"inputs": inputs, "targets": targets}
    tensors["losses"] = np.array(run["losses"], dtype=np.float64)
    tensors["window_rows"] = np.array(run["rows"], dtype=np.uint32)
    for prefix, values in (("start", start), ("gradient", run["gradient"]), ("final", run["final"])):
        for name, tensor in values.items():
            tensors[f"{prefix}.{name}"] = tensor.to(torch.float32).numpy()
    if tutorial:
        plain = tutorial_loop(case, inputs, targets, start)
        assert difference(plain, run["losses"]) < CLOSE
        tensors["losses_float32"] = np.array(plain, dtype=np.float32)
        save_file({name: tensor.numpy() for name, tensor in start.items()}, HERE / "tutorial_start.safetensors")
        (HERE / "tutorial_start.safetensors").chmod(0o644)
    file = f"{case['name']}.safetensors"
    save_file(tensors, HERE / file)
    (HERE / file).chmod(0o644)

    print(f"{case['name']:34} {updates:3} updates  loss {run['losses'][0]:.4f} -> {run['losses'][-1]:.4f}  "
          f"float32 within {float32:.1e}  kink margin {run['margin']:.1e}")
    return {"name": case["name"], "file": file, **{k: v for k, v in case.items() if k != "name"}, "updates": updates}


def sgd(lr, momentum=0.0, dampening=0.0, nesterov=False, weight_decay=0.0, **more):
    return {"type": "sgd", "lr": lr, "momentum": momentum, "dampening": dampening, "nesterov": nesterov,
            "weight_decay": weight_decay, **more}


def case(name, layers, loss, optimizer, rows=103, epochs=6, batch=24, micro_batch=7, tail="flush", **more):
    return {"name": name, "layers": layers, "loss": loss, "optimizer": optimizer, "rows": rows, "epochs": epochs,
            "batch": batch, "micro_batch": micro_batch, "tail": tail, **more}


def cases():
    regression, classification = [5, 7, "tanh", 3], [6, 9, "relu", 4]
    momentum = sgd(0.05, momentum=0.9)

    yield case("tutorial", [8, 16, "relu", 1], "mse", sgd(0.01), rows=1200, epochs=4, batch=120, micro_batch=40)

    for tail in ("flush", "drop", "carry"):
        yield case(f"mse_{tail}_momentum", regression, "mse", momentum, tail=tail)
        yield case(f"cross_entropy_{tail}_momentum", classification, "cross_entropy", momentum, tail=tail)

    variants = {
        "plain": sgd(0.1),
        "nesterov": sgd(0.05, momentum=0.9, nesterov=True),
        "dampening": sgd(0.1, momentum=0.9, dampening=0.1),
        "weight_decay": sgd(0.1, weight_decay=1e-2),
        "nesterov_weight_decay": sgd(0.05, momentum=0.9, nesterov=True, weight_decay=1e-2),
        "momentum_dampening_weight_decay": sgd(0.1, momentum=0.8, dampening=0.1, weight_decay=1e-2),
    }
    tails = ("carry", "drop", "flush")
    for number, (variant, optimizer) in enumerate(variants.items()):
        tail = tails[number % 3]
        yield case(f"mse_{tail}_{variant}", regression, "mse", optimizer, tail=tail)
        tail = tails[(number + 1) % 3]
        yield case(f"cross_entropy_{tail}_{variant}", classification, "cross_entropy", optimizer, tail=tail)

    def activated(activation):
        layers = [5, 8, activation, 6, activation, 2]
        return case(f"activation_{activation}", layers, "mse", sgd(0.1, momentum=0.9), rows=75, batch=20, micro_batch=6)

    for activation in ACTIVATIONS:
        if activation not in LATER:
            yield activated(activation)

    for loss, layers in {
        "mse": [4, 6, "tanh", 2],
        "cross_entropy": [4, 6, "tanh", 5],
        "huber": [4, 6, "tanh", 2],
        "bce_with_logits": [4, 6, "tanh", 3],
    }.items():
        yield case(f"loss_{loss}", layers, loss, sgd(0.1, momentum=0.9), rows=75, batch=20, micro_batch=6)

    # Corners: windows far longer than a block of rows, micro-batches of one row and larger than the window, a tail of
    # one row, an epoch shorter than the window, no hidden layer, one class against another, one input.
    yield case("long_windows", classification, "cross_entropy", momentum, rows=211, batch=100, micro_batch=33, epochs=8)
    yield case("long_windows_carry", regression, "mse", momentum, rows=211, batch=150, micro_batch=64, epochs=16,
               tail="carry")
    yield case("micro_batch_of_one", [3, 5, "silu", 2], "mse", momentum, rows=25, batch=6, micro_batch=1)
    yield case("micro_batch_of_all", [3, 5, "silu", 2], "mse", momentum, rows=25, batch=6, micro_batch=6)
    yield case("tail_of_one", [3, 5, "tanh", 2], "cross_entropy", momentum, rows=25, batch=8, micro_batch=3)
    yield case("no_tail", [3, 5, "tanh", 2], "mse", momentum, rows=24, batch=8, micro_batch=4, epochs=8, tail="drop")
    yield case("epoch_shorter_than_window_flush", [3, 5, "tanh", 2], "mse", momentum, rows=19, batch=45, micro_batch=8,
               epochs=24)
    yield case("epoch_shorter_than_window_carry", [3, 5, "tanh", 2], "cross_entropy", momentum, rows=19, batch=45,
               micro_batch=8, epochs=50, tail="carry")
    yield case("linear", [4, 3], "mse", sgd(0.05), rows=50, batch=16, micro_batch=5)
    yield case("one_input_one_output", [1, 1, "tanh", 1], "mse", momentum, rows=50, batch=16, micro_batch=5)

    # For what is to come: the same format, more optimizer keys.
    adam = {"lr": 0.01, "betas": [0.9, 0.999], "eps": 1e-8, "weight_decay": 0.01}
    yield case("adam", regression, "mse", {"type": "adam", **adam}, tail="carry")
    yield case("adamw", regression, "mse", {"type": "adamw", **adam}, tail="carry")
    yield case("clip_norm", regression, "mse", sgd(0.05, momentum=0.9, clip_norm=0.25))
    yield case("layer_norm", [5, 8, "layer_norm", "tanh", 6, "layer_norm", 3], "mse", momentum, tail="carry")

    for activation in LATER:
        yield activated(activation)
    yield case("scale", [5, "scale", 8, "mish", "scale", 3], "mse", momentum, tail="carry")
    yield case("label_smoothing", [4, 6, "tanh", 5], "cross_entropy", momentum, tail="carry", label_smoothing=0.1)
    factors = {"weight": "fan_in", "bias": 0.1, "scale": 6.0}
    for kind, optimizer in {"momentum": momentum, "adamw": {"type": "adamw", **adam}}.items():
        yield case(f"lr_factors_{kind}", [5, "scale", 8, "tanh", 3], "mse", optimizer, tail="carry", lr_factors=factors)
    tables = {"embedding": [[3, 2], [7, 5], [2, 1]]}
    yield case("embedding", [5, tables, 8, "tanh", 3], "mse", momentum, tail="carry")
    yield case("embedding_alone", [1, {"embedding": [[6, 4]]}, 3], "mse", {"type": "adamw", **adam})


def main():
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    for old in HERE.glob("*.safetensors"):
        old.unlink()
    entries = [write(case, seed) for seed, case in enumerate(cases())]
    with open(HERE / "cases.json", "w", newline="\n") as out:
        out.write("[\n" + ",\n".join("  " + json.dumps(entry) for entry in entries) + "\n]\n")
    size = sum(path.stat().st_size for path in HERE.iterdir() if path.is_file())
    print(f"{len(entries)} cases, {size / 1000:.0f} kB, PyTorch {torch.__version__.split('+')[0]}")


if __name__ == "__main__":
    main()
