"""PyTorch on the workloads of `accrue bench`, and float32 matrix products: one JSON object.

    python scripts/pytorch_bench.py [DEVICE] [WHAT …]      cuda, mps or cpu (the first that is there); W1 … W10, matmul (all)

Same networks, micro-batches, accumulation and plain SGD; random normal data of its own that stays on the device, images as
PyTorch lays them out by default, channels first (NCHW). Each variant is measured in rounds that take turns. `eager` is the loop
that people write; `graph` a whole epoch captured as one CUDA graph, the least that PyTorch can do on the host. TF32 is off:
Accrue computes in float32. ROUNDS=N and SECONDS_EACH=S take more or fewer rounds than 5, longer ones than 1 s.
"""
import json
import os
import platform
import statistics
import sys
import time

import torch
from torch import nn



def mlp(*widths):
    layers = []
    for inputs, outputs in zip(widths, widths[1:]):
        layers += [nn.Linear(inputs, outputs), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def small_cnn():
    conv = lambda inputs, outputs: [nn.Conv2d(inputs, outputs, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
    return nn.Sequential(*conv(1, 16), *conv(16, 32), nn.Flatten(), nn.Linear(32 * 7 * 7, 10))


def normed(inputs, outputs, kernel=3, stride=1):
    conv = nn.Conv2d(inputs, outputs, kernel, stride=stride, padding=kernel // 2, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(outputs))


class Block(nn.Module):
    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.body = nn.Sequential(normed(inputs, outputs, stride=stride), nn.ReLU(), normed(outputs, outputs))
        self.shortcut = normed(inputs, outputs, 1, stride) if stride > 1 else nn.Identity()

    def forward(self, x):
        return nn.functional.relu(self.body(x) + self.shortcut(x))


def resnet8():
    blocks = [Block(16, 16, 1), Block(16, 32, 2), Block(32, 64, 2)]
    pool = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10)]
    return nn.Sequential(normed(3, 16), nn.ReLU(), *blocks, *pool)


class Attention(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.inside, self.outside = nn.Linear(width, 3 * width, bias=False), nn.Linear(width, width, bias=False)

    def forward(self, x):
        rows, tokens, width = x.shape
        q, k, v = (part.view(rows, tokens, self.heads, -1).transpose(1, 2) for part in self.inside(x).split(width, 2))
        y = nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.outside(y.transpose(1, 2).reshape(rows, tokens, width))


class Gpt(nn.Module):
    """The output has the weight of the embedding."""

    def __init__(self, layers, context, width=128, tokens=65):
        super().__init__()
        self.embedding, self.positions = nn.Embedding(tokens, width), nn.Embedding(context, width)
        wide = lambda: nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, 4 * width, bias=False), nn.GELU(), nn.Linear(4 * width, width, bias=False)
        )
        self.layers = nn.ModuleList(
            part for _ in range(layers) for part in (nn.Sequential(nn.LayerNorm(width), Attention(width, 4)), wide())
        )
        self.norm = nn.LayerNorm(width)

    def forward(self, x):
        x = self.embedding(x) + self.positions.weight
        for layer in self.layers:
            x = x + layer(x)
        return (self.norm(x) @ self.embedding.weight.T).flatten(0, 1)


# Targets are numbers, one a sample, or so many classes, or the token behind each of a sequence.
WORKLOADS = {
    "W1": {"net": lambda: mlp(8, 16, 1), "sample": [8], "rows": 1200, "micro_batch": 40, "steps": 3},
    "W2": {"net": lambda: mlp(8, 128, 128, 1), "sample": [8], "rows": 20000, "micro_batch": 256, "steps": 4},
    "W3": {
        "net": lambda: mlp(784, 512, 256, 10), "sample": [784], "classes": 10, "rows": 8192, "micro_batch": 64, "steps": 8,
    },
    "W7": {"net": small_cnn, "sample": [1, 28, 28], "classes": 10, "rows": 1024, "micro_batch": 64, "steps": 4},
    "W8": {"net": resnet8, "sample": [3, 32, 32], "classes": 10, "rows": 512, "micro_batch": 32, "steps": 4},
    "W9": {"net": lambda: Gpt(4, 64), "sample": [64], "tokens": 65, "rows": 192, "micro_batch": 12, "steps": 4},
    "W10": {"net": lambda: Gpt(2, 512), "sample": [512], "tokens": 65, "rows": 64, "micro_batch": 4, "steps": 8},
}
LR = 0.01
ROUNDS = int(os.environ.get("ROUNDS", 5))
SECONDS = float(os.environ.get("SECONDS_EACH", 1))
WHAT = sys.argv[2:] or [*WORKLOADS, "matmul"]
if unknown := [name for name in WHAT if name not in [*WORKLOADS, "matmul"]]:
    sys.exit(f"{unknown[0]} is none of {', '.join([*WORKLOADS, 'matmul'])}")


def best_device():
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


DEVICE = torch.device(sys.argv[1] if len(sys.argv) > 1 else best_device())


def wait():
    if DEVICE.type == "cuda":
        torch.cuda.synchronize()
    elif DEVICE.type == "mps":
        torch.mps.synchronize()


class Training:
    """A workload; `epoch` makes all its updates once."""

    def __init__(self, net, sample, rows, micro_batch, steps, classes=None, tokens=None):
        torch.manual_seed(0)
        self.model = net().to(DEVICE)
        self.loss = nn.functional.cross_entropy if classes or tokens else nn.functional.mse_loss
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=LR)
        x = torch.randn(rows, *sample).to(DEVICE)
        y = (torch.randint(classes, (rows,)) if classes else torch.randn(rows, 1)).to(DEVICE)
        if tokens:
            line = torch.randint(tokens, (rows * sample[0] + 1,)).to(DEVICE)
            x, y = line[:-1].view(rows, -1), line[1:].view(rows, -1)
        batch = micro_batch * steps
        self.updates, self.steps = rows // batch, steps
        self.samples = self.updates * batch
        cut = range(0, self.samples, micro_batch)
        self.micro_batches = [(x[at : at + micro_batch], y[at : at + micro_batch].flatten() if tokens else y[at : at + micro_batch]) for at in cut]

    def epoch(self):
        for update in range(self.updates):
            self.optimizer.zero_grad(set_to_none=False)
            for x, y in self.micro_batches[update * self.steps : (update + 1) * self.steps]:
                (self.loss(self.model(x), y) / self.steps).backward()
            self.optimizer.step()

    def graph(self):
        """A function that makes the updates of an epoch by one launch."""
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(3):
                self.epoch()
        torch.cuda.current_stream().wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            self.epoch()
        return graph.replay


def rate(run, work, seconds=SECONDS):
    """Work in a second, over about so many seconds."""
    wait()
    start, times = time.perf_counter(), 0
    # Waiting after each run would cost a fast device; so they are asked for in bunches of about 50 ms.
    bunch = 1
    while True:
        before = time.perf_counter()
        for _ in range(bunch):
            run()
        wait()
        now = time.perf_counter()
        times += bunch
        if now - start >= seconds:
            return work * times / (now - start)
        bunch = max(1, min(4096, int(bunch * 0.05 / max(now - before, 1e-6))))


def spread(rounds):
    return {"median": statistics.median(rounds), "min": min(rounds), "max": max(rounds), "rounds": rounds}


def subjects():
    """(name, variant, function, work) of everything that is measured, and what else there is to tell."""
    found, notes = [], {"first_epoch_s": {}}
    for name in (name for name in WORKLOADS if name in WHAT):
        start = time.perf_counter()
        eager = Training(**WORKLOADS[name])
        eager.epoch()
        wait()
        notes["first_epoch_s"][name] = time.perf_counter() - start
        found.append((name, "eager", eager.epoch, eager.samples))
        if DEVICE.type == "cuda":
            training = Training(**WORKLOADS[name])
            try:
                found.append((name, "graph", training.graph(), training.samples))
            except RuntimeError as error:
                notes.setdefault("no_graph", {})[name] = str(error).splitlines()[0]
    for size in (1024, 4096) if "matmul" in WHAT else ():
        a, b = (torch.randn(size, size, device=DEVICE) for _ in range(2))
        out = torch.empty(size, size, device=DEVICE)
        found.append((f"matmul {size}", "f32", lambda a=a, b=b, out=out: torch.mm(a, b, out=out), 2e-9 * size**3))
    return found, notes


def main():
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    found, notes = subjects()
    rounds = [[] for _ in found]
    for _, _, run, work in found:
        rate(run, work, 0.25 * SECONDS)
    for _ in range(ROUNDS):
        for (_, _, run, work), rates in zip(found, rounds):
            rates.append(rate(run, work))
    cuda = DEVICE.type == "cuda"
    page = {
        "torch": torch.__version__,
        "python": platform.python_version(),
        "device": torch.cuda.get_device_name() if cuda else DEVICE.type,
        "cuda": torch.version.cuda if cuda else None,
        "threads": torch.get_num_threads(),
        "samples_per_s": {},
        "matmul_gflops": {},
        "notes": notes,
    }
    for (name, variant, _, _), rates in zip(found, rounds):
        if variant == "f32":
            page["matmul_gflops"][name.split()[1]] = spread(rates)
        else:
            page["samples_per_s"].setdefault(name, {})[variant] = spread(rates)
    print(json.dumps(page, indent=2))


if __name__ == "__main__":
    main()
