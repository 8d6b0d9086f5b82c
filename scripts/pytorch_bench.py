"""PyTorch on the workloads of `accrue bench`, and float32 matrix products: one JSON object.

    python scripts/pytorch_bench.py [DEVICE]      cuda, mps or cpu; the first that is there

Same shapes, micro-batches, accumulation and plain SGD; random normal data of its own that stays on the device. Each variant
is measured in rounds that take turns. `eager` is the loop that people write; `graph` a whole epoch captured as one CUDA
graph, the least that PyTorch can do on the host. TF32 is off: Accrue computes in float32.
"""
import json
import platform
import statistics
import sys
import time

import torch
from torch import nn

WORKLOADS = {
    "W1": {"rows": 1200, "dims": [8, 16, 1], "loss": "mse", "micro_batch": 40, "steps": 3},
    "W2": {"rows": 20000, "dims": [8, 128, 128, 1], "loss": "mse", "micro_batch": 256, "steps": 4},
    "W3": {"rows": 8192, "dims": [784, 512, 256, 10], "loss": "cross_entropy", "micro_batch": 64, "steps": 8},
}
LR = 0.01
ROUNDS = 5
SECONDS = 1.0


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

    def __init__(self, dims, rows, loss, micro_batch, steps):
        torch.manual_seed(0)
        layers = []
        for inputs, outputs in zip(dims, dims[1:]):
            layers += [nn.Linear(inputs, outputs), nn.ReLU()]
        self.model = nn.Sequential(*layers[:-1]).to(DEVICE)
        self.loss = {"mse": nn.functional.mse_loss, "cross_entropy": nn.functional.cross_entropy}[loss]
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=LR)
        x = torch.randn(rows, dims[0]).to(DEVICE)
        y = (torch.randint(dims[-1], (rows,)) if loss == "cross_entropy" else torch.randn(rows, dims[-1])).to(DEVICE)
        batch = micro_batch * steps
        self.updates, self.steps = rows // batch, steps
        self.samples = self.updates * batch
        cut = range(0, self.samples, micro_batch)
        self.micro_batches = [(x[at : at + micro_batch], y[at : at + micro_batch]) for at in cut]

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
    for name, w in WORKLOADS.items():
        start = time.perf_counter()
        eager = Training(w["dims"], w["rows"], w["loss"], w["micro_batch"], w["steps"])
        eager.epoch()
        wait()
        notes["first_epoch_s"][name] = time.perf_counter() - start
        found.append((name, "eager", eager.epoch, eager.samples))
        if DEVICE.type == "cuda":
            training = Training(w["dims"], w["rows"], w["loss"], w["micro_batch"], w["steps"])
            try:
                found.append((name, "graph", training.graph(), training.samples))
            except RuntimeError as error:
                notes.setdefault("no_graph", {})[name] = str(error).splitlines()[0]
    for size in (1024, 4096):
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
