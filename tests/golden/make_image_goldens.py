"""Writes the golden training runs of images in this folder: what an exact trainer must compute, by PyTorch.

    python tests/golden/make_image_goldens.py            (PyTorch 2.15.0 on the CPU, numpy, safetensors; a few seconds)

As make_goldens.py: float64 from float32 inputs and start weights, in file order, one window after the other, gradients summed and
divided by the rows of the window. Layers are those of an Accrue configuration, modules are named as nested `nn.Sequential`.

Batch normalisation sees `group` rows at a time, counted from the window's start: PyTorch gets exactly these rows in one forward pass.
With `running = "group"` its running statistics are those of such a loop; otherwise the group is the whole window.

The script refuses to write a case that float32 could not reproduce: it trains each one again with float32. README.md beside this file
describes what is written.
"""

import json
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import save_file
from torch import nn
from torch.nn import functional as F

HERE = Path(__file__).parent
CLOSE = 5e-6  # what float32 may differ from float64 by, relative to the largest element
ACTIVATIONS = {"silu": nn.SiLU, "tanh": nn.Tanh, "gelu": nn.GELU}


class Residual(nn.Module):
    def __init__(self, body, shortcut):
        super().__init__()
        self.body = body
        if shortcut is not None:
            self.shortcut = shortcut

    def forward(self, x):
        return self.body(x) + (self.shortcut(x) if hasattr(self, "shortcut") else x)


class Concat(nn.ModuleList):
    def forward(self, x):
        return torch.cat([branch(x) for branch in self], dim=1)


def image_layer(name, given, x):
    """The module of a layer that is a table, for an example of what it reads."""
    channels = x.shape[1]
    options = dict(given) if isinstance(given, dict) else {}
    if name == "conv2d":
        made, kernel = options.pop("channels"), options.pop("kernel")
        return nn.Conv2d(channels, made, kernel, **options)
    if name in ("max_pool", "avg_pool"):
        kernel = options.pop("kernel", given)
        return {"max_pool": nn.MaxPool2d, "avg_pool": nn.AvgPool2d}[name](kernel, **options)
    if name == "batch_norm":
        return nn.BatchNorm2d(channels)
    if name == "group_norm":
        return nn.GroupNorm(given, channels)
    if name == "upsample":
        return nn.Upsample(scale_factor=given)
    if name == "repeat":
        pieces = []
        for _ in range(given["times"]):
            pieces.append(sequential(given["layers"], x))
            x = pieces[-1](x)
        return nn.Sequential(*pieces)
    if name == "residual":
        body = given["body"] if isinstance(given, dict) else given
        shortcut = sequential(given["shortcut"], x) if isinstance(given, dict) else None
        return Residual(sequential(body, x), shortcut)
    if name == "concat":
        return Concat([sequential(branch, x) for branch in given])
    raise ValueError(name)


def module_of(layer, x):
    if isinstance(layer, int):
        return nn.Linear(x.shape[1], layer)
    if isinstance(layer, str):
        if layer == "global_avg_pool":
            return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
        return nn.Flatten() if layer == "flatten" else ACTIVATIONS[layer]()
    ((name, given),) = layer.items()
    return image_layer(name, given, x)


def sequential(layers, x):
    modules = []
    for layer in layers:
        modules.append(module_of(layer, x).to(x.dtype))
        modules[-1].eval()
        x = modules[-1](x)
    return nn.Sequential(*modules)


def network(case):
    high, wide, channels = case["shape"]
    return sequential(case["layers"], torch.zeros(2, channels, high, wide)).train()


def train(case, inputs, targets, start, dtype):
    net = network(case)
    net.load_state_dict(start, strict=True)
    net.to(dtype).train()
    x = torch.from_numpy(inputs).to(dtype).permute(0, 3, 1, 2)
    t = torch.from_numpy(targets).long()
    spec = case["optimizer"]
    options = {key: value for key, value in spec.items() if key not in ("type", "clip_norm")}
    optimizer = {"sgd": torch.optim.SGD, "adamw": torch.optim.AdamW}[spec["type"]](net.parameters(), **options)
    losses, gradient = [], None
    for _ in range(case["epochs"]):
        for begin in range(0, case["rows"], case["batch"]):
            end = min(begin + case["batch"], case["rows"])
            optimizer.zero_grad()
            total = 0.0
            for first in range(begin, end, case["group"]):
                rows = slice(first, min(first + case["group"], end))
                loss = F.cross_entropy(net(x[rows]), t[rows], reduction="sum")
                loss.backward()
                total += loss.item()
            for parameter in net.parameters():
                parameter.grad /= end - begin
            if gradient is None:
                gradient = {name: p.grad.clone() for name, p in net.named_parameters()}
            optimizer.step()
            losses.append(total / (end - begin))
    final = {name: tensor.detach().clone() for name, tensor in net.state_dict().items()}
    net.eval()
    with torch.no_grad():
        outputs = net(x)
    return {"losses": losses, "gradient": gradient, "final": final, "outputs": outputs}


def difference(a, b):
    a, b = (np.asarray(torch.as_tensor(v, dtype=torch.float64)) for v in (a, b))
    return float(np.abs(a - b).max() / max(np.abs(b).max(), 1e-30))


def furthest(a, b):
    pairs = [(a["losses"], b["losses"]), (a["outputs"], b["outputs"])]
    pairs += [(a[kind][name], b[kind][name]) for kind in ("gradient", "final") for name in b[kind]]
    return max(difference(x, y) for x, y in pairs)


def data_for(case, seed):
    rng = np.random.default_rng(seed)
    high, wide, channels = case["shape"]
    inputs = rng.standard_normal((case["rows"], high, wide, channels)).astype(np.float32)
    # Classes by what a filter finds in a corner.
    corner = inputs[:, : high // 2, : wide // 2].reshape(case["rows"], -1)
    score = np.tanh(corner @ rng.standard_normal((corner.shape[1], case["layers"][-1])))
    return inputs, score.argmax(1).astype(np.uint32)


def write(case, seed):
    for attempt in range(20):  # another seed where a maximum is nearly a tie
        inputs, targets = data_for(case, seed + 100 * attempt)
        torch.manual_seed(seed + 100 * attempt)
        start = {name: tensor.clone() for name, tensor in network(case).state_dict().items()}
        run = train(case, inputs, targets, start, torch.float64)
        if furthest(train(case, inputs, targets, start, torch.float32), run) < CLOSE:
            break
    else:
        raise SystemExit(f"{case['name']}: float32 does not come close with any seed")
    as_f32 = lambda tensor: np.asarray(tensor.to(torch.float32)).copy()
    arrays = {"inputs": inputs.reshape(case["rows"], -1), "targets": targets}
    arrays["losses"] = np.array(run["losses"], dtype=np.float64)
    arrays["outputs"] = as_f32(run["outputs"])
    for prefix, tensors in (("start", start), ("gradient", run["gradient"]), ("final", run["final"])):
        arrays |= {f"{prefix}.{name}": as_f32(tensor) for name, tensor in tensors.items()}
    file = f"image_{case['name']}.safetensors"
    save_file({name: np.array(array, order="C") for name, array in arrays.items()}, HERE / file)
    return {**case, "file": file}


def conv(channels, kernel=3, **options):
    return {"conv2d": {"channels": channels, "kernel": kernel, **options}}


def resnet(norm):
    body = lambda channels, stride: [
        conv(channels, padding=1, stride=stride, bias=False), norm, "silu", conv(channels, padding=1, bias=False), norm,
    ]
    shortcut = [conv(10, 1, stride=2, bias=False), norm]
    return [
        conv(6, padding=1, bias=False), norm, "silu", {"residual": body(6, 1)}, "silu",
        {"residual": {"body": body(10, 2), "shortcut": shortcut}}, "silu", "global_avg_pool", 3,
    ]


SGD = {"type": "sgd", "lr": 0.05, "momentum": 0.9}
ADAMW = {"type": "adamw", "lr": 0.01, "weight_decay": 0.1}
CASES = [
    {"name": "cnn_pools", "shape": [9, 8, 1], "group": 40, "optimizer": SGD, "layers": [
        conv(6, padding=1), "silu", {"max_pool": {"kernel": 3, "stride": 2, "padding": 1}}, conv(7, bias=False), "tanh",
        {"avg_pool": {"kernel": 2, "stride": 1}}, "flatten", 4]},
    {"name": "resnet_one_group", "shape": [7, 8, 3], "group": 24, "batch": 24, "optimizer": SGD,
     "layers": resnet({"batch_norm": {"group": 24}})},
    {"name": "resnet_groups_of_8", "shape": [7, 8, 3], "group": 8, "batch": 24, "optimizer": SGD,
     "layers": resnet({"batch_norm": {"group": 8, "running": "group"}})},
    {"name": "unet", "shape": [8, 6, 2], "group": 40, "optimizer": ADAMW, "layers": [
        conv(5, padding="same"), "silu",
        {"concat": [[{"max_pool": 2}, conv(6, padding=1), "silu", {"upsample": 2}], []]},
        conv(4, [2, 3], padding="same"), "tanh", "flatten", 3]},
    {"name": "depthwise_separable", "shape": [9, 11, 3], "group": 40, "optimizer": SGD, "layers": [
        conv(6, 1), {"repeat": {"times": 2, "layers": [
            conv(6, 3, padding=1, groups=6, stride=[2, 1]), {"group_norm": 3}, "gelu", conv(6, 1)]}},
        conv(8, [3, 2], groups=2, dilation=[1, 2]), "tanh", "global_avg_pool", 3]},
]

if __name__ == "__main__":
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    defaults = {"rows": 60, "epochs": 2, "batch": 40}
    entries = [write({**defaults, **case}, seed) for seed, case in enumerate(CASES)]
    (HERE / "images.json").write_text(json.dumps(entries, indent=1) + "\n")
    print(f"{len(entries)} cases")
