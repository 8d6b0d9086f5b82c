#!/usr/bin/env bash
# Accrue beside other systems on the same work, in one run on one machine: for developers.
#
#   scripts/bench-peers.sh [W1 W2 W3 W7 W8]
#
# The harnesses of the others are in scripts/peers, or in DIR with PEERS=DIR: `run.sh peers` there prints their names, and
# `run.sh PEER WORKLOAD` a line of JSON that has samples_per_s. The rounds take turns (accrue, then each peer, then the next
# round), so that what else the machine does hits all alike; compare the ratios, not the numbers of two days.
#
# NAMES="a b" takes these peers only, ROUNDS=N more or fewer rounds than 5, SECONDS_EACH=S longer ones of Accrue than 2;
# PYTHON is any Python 3, ADAPTER a part of the adapter's name.
set -euo pipefail

peers=${PEERS:-$(dirname "$0")/peers}
rounds=${ROUNDS:-5} seconds=${SECONDS_EACH:-2} python=${PYTHON:-python3}
peers=$(cd "$peers" && pwd)
cd "$(dirname "$0")/.."
cargo build --release --quiet
accrue=$(cd "${CARGO_TARGET_DIR:-target}" && pwd)/release/accrue
export NODEVICE_SELECT=${NODEVICE_SELECT:-1}
read -r -a names <<<"${NAMES:-$("$peers/run.sh" peers)}"
workloads=("$@")
[ $# -gt 0 ] || workloads=(W1 W2 W3 W7 W8)

lines=$(mktemp)
trap 'rm -f "$lines"' EXIT

# note WHO WORKLOAD JSON: keeps samples_per_s, a number or an object with its median.
note() {
    "$python" -c '
import json, sys
who, workload, text = sys.argv[1:]
found = json.loads(text)
found = found["training"][0] if "training" in found else found
rate = found.get("samples_per_s")
rate = rate["median"] if isinstance(rate, dict) else rate
print(workload, who, rate if rate else "failed")' "$1" "$2" "$3" >>"$lines"
}

for ((round = 1; round <= rounds; round++)); do
    for workload in "${workloads[@]}"; do
        echo "round $round of $rounds: $workload accrue" >&2
        json=$("$accrue" bench "$workload" --json --rounds 1 --seconds "$seconds" ${ADAPTER:+--adapter "$ADAPTER"})
        note accrue "$workload" "$json"
        for name in "${names[@]}"; do
            echo "round $round of $rounds: $workload $name" >&2
            if ! json=$("$peers/run.sh" "$name" "$workload" </dev/null | tail -n 1) || [ -z "$json" ]; then
                json={}
            fi
            note "$name" "$workload" "$json"
        done
    done
done

"$python" - "$lines" <<'END'
import statistics
import sys

rates = {}
for line in open(sys.argv[1]):
    workload, who, rate = line.split()
    rates.setdefault(workload, {}).setdefault(who, []).append(None if rate == "failed" else float(rate))
for workload, all_of in rates.items():
    print(f"\n{workload}  {'samples/s':>12}  {'least':>12}  {'most':>12}  {'accrue / it':>11}  rounds")
    ours = all_of["accrue"]
    for who, found in all_of.items():
        good = [rate for rate in found if rate]
        if not good:
            print(f"{who:<20} failed in every round")
            continue
        # The ratio of each round, and then the one in the middle.
        ratio = statistics.median(a / b for a, b in zip(ours, found) if a and b)
        median = statistics.median(good)
        print(f"{who:<20}{median:>12.0f}{min(good):>14.0f}{max(good):>14.0f}{ratio:>13.3f}  {len(good)} of {len(found)}")
END
