"""Writes the golden training runs of sequences in this folder: what an exact trainer must compute, by PyTorch.

    python tests/golden/make_sequence_goldens.py            (PyTorch 2.15.0 on the CPU, numpy, safetensors; a few seconds)

As make_image_goldens.py. A sample is a sequence with a target for each token; `weights` (rows, tokens) say how much each token counts,
and the window's gradient is divided by their sum. Attention is PyTorch's own `nn.MultiheadAttention` where it takes as many heads of keys.
A tied layer has no weight of its own: it uses that of the embedding.
"""

import json

import numpy as np
import torch
from make_image_goldens import ACTIVATIONS, CLOSE, HERE, Residual, furthest
from safetensors.numpy import save_file
from torch import nn
from torch.nn import functional as F


class Embedding(nn.Embedding):
    def forward(self, x):
        return super().forward(x.squeeze(-1).long())


class Positions(nn.Embedding):
    def forward(self, x):
        return x + self.weight


class Sinusoidal(nn.Module):
    """As in "Attention is all you need": sines and cosines of the place, side by side."""

    def forward(self, x):
        tokens, columns = x.shape[1:]
        turns = 10000.0 ** (-torch.arange(columns // 2, dtype=torch.float64) * 2 / columns)
        angles = torch.arange(tokens, dtype=torch.float64)[:, None] * turns
        return x + torch.stack([angles.sin(), angles.cos()], dim=2).flatten(1).to(x.dtype)


class Swiglu(nn.Module):
    def forward(self, x):
        gate, up = x.chunk(2, -1)
        return F.silu(gate) * up


def rotated(x, base):
    """Queries or keys (rows, heads, tokens, columns), turned as in Llama: a column of the first half with one of the second."""
    tokens, half = x.shape[-2], x.shape[-1] // 2
    turns = base ** (-torch.arange(half, dtype=torch.float64) / half)
    angles = torch.arange(tokens, dtype=torch.float64)[:, None] * torch.cat([turns, turns])
    across = torch.cat([-x[..., half:], x[..., :half]], dim=-1)
    return x * angles.cos().to(x.dtype) + across * angles.sin().to(x.dtype)


class Attention(nn.MultiheadAttention):
    def __init__(self, columns, heads, causal, bias):
        super().__init__(columns, heads, bias=bias, batch_first=True)
        self.causal = causal

    def forward(self, x):
        mask = nn.Transformer.generate_square_subsequent_mask(x.shape[1], dtype=x.dtype) if self.causal else None
        return super().forward(x, x, x, attn_mask=mask, need_weights=False)[0]


class Grouped(nn.Module):
    """Several heads of queries share one of keys and values; with rotary positions if there is a base."""

    def __init__(self, columns, heads, kv_heads, causal, bias=True, base=None):
        super().__init__()
        self.heads, self.kv_heads, self.causal, self.base = heads, kv_heads, causal, base
        width = columns // heads * (heads + 2 * kv_heads)
        self.in_proj_weight = nn.Parameter(nn.init.xavier_uniform_(torch.empty(width, columns)))
        self.in_proj_bias = nn.Parameter(torch.zeros(width)) if bias else None
        self.out_proj = nn.Linear(columns, columns, bias)

    def forward(self, x):
        rows, tokens, columns = x.shape
        width = columns // self.heads
        x = F.linear(x, self.in_proj_weight, self.in_proj_bias).view(rows, tokens, -1, width).transpose(1, 2)
        q, k, v = x.split([self.heads, self.kv_heads, self.kv_heads], dim=1)
        if self.base is not None:
            q, k = rotated(q, self.base), rotated(k, self.base)
        y = F.scaled_dot_product_attention(q, k, v, is_causal=self.causal, enable_gqa=True)
        return self.out_proj(y.transpose(1, 2).reshape(rows, tokens, columns))


class Tied(nn.Module):
    def __init__(self, embedding):
        super().__init__()
        self.of = [embedding]  # in a list, so that its weight is not a parameter a second time

    def forward(self, x):
        return F.linear(x, self.of[0].weight)


def table(name, given, x, first):
    columns = x.shape[-1]
    if name == "embedding":
        return Embedding(given["num_embeddings"], given["embedding_dim"])
    if name == "positions":
        return Positions(*x.shape[1:]) if given == "learned" else Sinusoidal()
    if name == "layer_norm":
        return nn.LayerNorm(columns, bias=given["bias"])
    if name == "attention":
        options = {"causal": False, "bias": True, "kv_heads": given["heads"], **given}
        base = options.pop("rotary", None)
        if options["kv_heads"] < options["heads"] or base is not None:
            return Grouped(columns, options["heads"], options["kv_heads"], options["causal"], options["bias"], base)
        return Attention(columns, options["heads"], options["causal"], options["bias"])
    if name == "linear":
        return nn.Linear(columns, given["out_features"], given["bias"])
    if name == "residual":
        return Residual(sequential(given, x), None)
    if name == "repeat":
        return nn.Sequential(*(sequential(given["layers"], x) for _ in range(given["times"])))
    if name == "tied":
        return Tied(first)
    raise ValueError(name)


def sequential(layers, x):
    modules = []
    for layer in layers:
        if isinstance(layer, int):
            module = nn.Linear(x.shape[-1], layer)
        elif layer == "layer_norm":
            module = nn.LayerNorm(x.shape[-1])
        elif layer == "rms_norm":
            module = nn.RMSNorm(x.shape[-1], eps=torch.finfo(torch.float32).eps)  # of float32 also where it is computed in float64
        elif layer == "swiglu":
            module = Swiglu()
        elif isinstance(layer, str):
            module = ACTIVATIONS[layer]()
        else:
            ((name, given),) = layer.items()
            module = table(name, given, x, modules[0] if modules else None)
        modules.append(module)
        x = module(x)
    return nn.Sequential(*modules)


def network(case):
    return sequential(case["layers"], torch.zeros(2, *case["shape"]))


def train(case, data, start, dtype):
    net = network(case)
    net.load_state_dict(start, strict=True)
    net.to(dtype)
    x, t, w = (torch.from_numpy(array) for array in data)
    x, t, w = x.to(dtype), t.long(), w.to(dtype)
    spec = case["optimizer"]
    options = {key: value for key, value in spec.items() if key not in ("type", "decay")}
    vectors = [p for p in net.parameters() if p.dim() < 2] if spec.get("decay") == "matrices" else []
    groups = [{"params": [p for p in net.parameters() if not any(p is v for v in vectors)]}]
    groups += [{"params": vectors, "weight_decay": 0.0}] if vectors else []
    kinds = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam, "adamw": torch.optim.AdamW}
    optimizer = kinds[spec["type"]](groups, **options)
    losses, gradient = [], None
    for _ in range(case["epochs"]):
        for begin in range(0, case["rows"], case["batch"]):
            rows = slice(begin, begin + case["batch"])
            optimizer.zero_grad()
            each = F.cross_entropy(net(x[rows]).flatten(0, 1), t[rows].flatten(), reduction="none")
            loss = (each * w[rows].flatten()).sum() / w[rows].sum()
            loss.backward()
            if gradient is None:
                gradient = {name: p.grad.clone() for name, p in net.named_parameters()}
            optimizer.step()
            losses.append(loss.item())
    with torch.no_grad():
        outputs = net(x)
    final = {name: tensor.detach().clone() for name, tensor in net.state_dict().items()}
    return {"losses": losses, "gradient": gradient, "final": final, "outputs": outputs}


def data_for(case, seed):
    rng = np.random.default_rng(seed)
    rows, tokens = case["rows"], case["shape"][0]
    kinds = case["layers"][0]["embedding"]["num_embeddings"]
    text = np.cumsum(rng.integers(0, 3, (rows, tokens + 1)), axis=1) % kinds
    if case["tokens"] == "one":
        text[:, :] = 1
    if case["tokens"] == "each":
        text = np.tile(np.arange(tokens + 1) % kinds, (rows, 1))
    weights = rng.integers(0, 3, (rows, tokens)) if case["weighted"] else np.ones((rows, tokens))
    x, t = text[:, :-1, None].astype(np.float32), text[:, 1:].astype(np.uint32)
    return np.ascontiguousarray(x), np.ascontiguousarray(t), weights.astype(np.float32)


def write(case, seed):
    data = data_for(case, seed)
    torch.manual_seed(seed)
    start = {name: tensor.clone() for name, tensor in network(case).state_dict().items()}
    for name in start:
        if name.endswith("bias"):  # PyTorch begins attention's with 0, which would hide them
            start[name] = start[name] + 0.1 * torch.randn_like(start[name])
    run = train(case, data, start, torch.float64)
    if furthest(train(case, data, start, torch.float32), run) > CLOSE:
        raise SystemExit(f"{case['name']}: float32 does not come close")
    as_f32 = lambda tensor: np.asarray(tensor.to(torch.float32)).copy()
    arrays = dict(zip(("inputs", "targets", "weights"), (array.reshape(case["rows"], -1) for array in data)))
    arrays["losses"] = np.array(run["losses"], dtype=np.float64)
    arrays["outputs"] = as_f32(run["outputs"])
    for prefix, tensors in (("start", start), ("gradient", run["gradient"]), ("final", run["final"])):
        arrays |= {f"{prefix}.{name}": as_f32(tensor) for name, tensor in tensors.items()}
    file = f"sequence_{case['name']}.safetensors"
    save_file({name: np.array(array, order="C") for name, array in arrays.items()}, HERE / file)
    return {**case, "file": file}


def gpt(kinds, columns, heads, times, output, **attention):
    mixing = {"residual": ["layer_norm", {"attention": {"heads": heads, "causal": True, **attention}}]}
    thinking = {"residual": ["layer_norm", 2 * columns, "gelu", columns]}
    return [
        {"embedding": {"num_embeddings": kinds, "embedding_dim": columns}}, {"positions": "learned"},
        {"repeat": {"times": times, "layers": [mixing, thinking]}}, "layer_norm", output,
    ]


SGD = {"type": "sgd", "lr": 0.05, "momentum": 0.9}
ADAMW = {"type": "adamw", "lr": 0.003, "weight_decay": 2.0, "decay": "matrices"}
UNTIED = {"linear": {"out_features": 11, "bias": False}}
TIED = {"tied": "0"}
FEW = [{"embedding": {"num_embeddings": 2, "embedding_dim": 5}}, 4, "tanh", 3]
CASES = [
    {"name": "gpt_untied", "shape": [7, 1], "optimizer": ADAMW, "layers": gpt(11, 24, 2, 2, UNTIED, bias=False)},  # a key's bias has no gradient: AdamW would move it by noise
    {"name": "gpt_tied", "shape": [40, 1], "rows": 20, "batch": 12, "optimizer": SGD,
     "layers": gpt(13, 16, 4, 1, TIED)},
    {"name": "grouped_queries", "shape": [9, 1], "optimizer": SGD, "weighted": True,
     "layers": gpt(5, 16, 4, 1, 5, causal=False, kv_heads=2)},
    {"name": "one_token_everywhere", "shape": [33, 1], "rows": 12, "batch": 7, "optimizer": SGD, "tokens": "one",
     "layers": gpt(3, 8, 1, 1, TIED)},
    {"name": "every_token_once", "shape": [37, 1], "rows": 6, "batch": 4, "optimizer": SGD, "tokens": "each",
     "layers": gpt(41, 8, 2, 1, TIED)},
    {"name": "one_kind_of_token", "shape": [3, 1], "optimizer": SGD, "tokens": "one", "layers": FEW},
    # Every kernel of an optimizer of PyTorch's whose decay acts on matrices alone.
    *({"name": f"decay_{name}", "shape": [3, 1], "optimizer": {"weight_decay": 1.5, "decay": "matrices", **optimizer}, "layers": FEW}
      for name, optimizer in {"sgd": {"type": "sgd", "lr": 0.05}, "momentum": SGD, "adam": {"type": "adam", "lr": 0.01}}.items()),
    {"name": "llama", "shape": [45, 1], "rows": 20, "batch": 12, "optimizer": SGD, "weighted": True, "layers": [
        {"embedding": {"num_embeddings": 11, "embedding_dim": 32}},
        {"residual": ["rms_norm", {"attention": {"heads": 4, "kv_heads": 2, "causal": True, "bias": False, "rotary": 100.0}}]},
        {"residual": ["rms_norm", {"linear": {"out_features": 48, "bias": False}}, "swiglu", {"linear": {"out_features": 32, "bias": False}}]},
        "rms_norm", UNTIED]},
    {"name": "sinusoidal", "shape": [21, 1], "optimizer": SGD, "layers": [
        {"embedding": {"num_embeddings": 7, "embedding_dim": 16}}, {"positions": "sinusoidal"},
        {"residual": [{"layer_norm": {"bias": False}}, {"attention": {"heads": 2, "causal": True, "rotary": 10000.0}}]}, TIED]},
]

if __name__ == "__main__":
    torch.set_num_threads(1)
    defaults = {"rows": 60, "epochs": 2, "batch": 40, "tokens": "walk", "weighted": False}
    entries = [write({**defaults, **case}, seed) for seed, case in enumerate(CASES)]
    (HERE / "sequences.json").write_text(json.dumps(entries, indent=1) + "\n")
    print(f"{len(entries)} cases")
