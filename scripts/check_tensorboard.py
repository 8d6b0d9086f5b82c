#!/usr/bin/env python3
"""Loads a run's event files as TensorBoard does and compares them with its metrics.jsonl: RUN [FOLDER].

    accrue train config.toml --out runs/first --tensorboard && scripts/check_tensorboard.py runs/first

Every update and every epoch has to be there, once, with the same values. Needs the package tensorboard.
"""

import json
import math
import os
import sys

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator


def wanted(path):
    """What metrics.jsonl says: per tag, a list of (step, value)."""
    tags = {}
    add = lambda tag, step, value: tags.setdefault(tag, []).append((step, math.nan if value is None else value))
    for line in map(json.loads, open(path)):
        if line["kind"] == "update":
            add("train/loss", line["update"], line["loss"])
            add("train/lr", line["update"], line["lr"])
        if line["kind"] == "epoch":
            add("train/epoch_loss", line["update"], line["train_loss"])
            for name, value in line.items():
                if name.startswith("val_"):
                    add(f"validation/{name[4:]}", line["update"], value)
    return tags


def main():
    run = sys.argv[1]
    folder = sys.argv[2] if len(sys.argv) > 2 else os.path.join(run, "tensorboard")
    events = EventAccumulator(folder, size_guidance={"scalars": 0})
    events.Reload()
    tags = wanted(os.path.join(run, "metrics.jsonl"))
    assert sorted(events.Tags()["scalars"]) == sorted(tags), (events.Tags()["scalars"], sorted(tags))
    compared = 0
    for tag, values in tags.items():
        found = [(event.step, event.value) for event in events.Scalars(tag)]
        assert [step for step, _ in found] == [step for step, _ in values], f"{tag}: steps differ, {len(found)}, {len(values)}"
        for (step, value), (_, want) in zip(found, values):
            close = math.isclose(value, want, rel_tol=1e-6, abs_tol=1e-30) or (math.isnan(value) and math.isnan(want))
            assert close, f"{tag}, step {step}: {value} is not {want}"
        times = [event.wall_time for event in events.Scalars(tag)]
        assert times == sorted(times) and times[0] > 1.7e9, f"{tag}: wall times"
        compared += len(found)
    print(f"{folder}: {compared} values of {len(tags)} tags are those of metrics.jsonl")


if __name__ == "__main__":
    main()
