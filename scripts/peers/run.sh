#!/usr/bin/env bash
# Other systems on the workloads of `accrue bench`, for scripts/bench-peers.sh.
#
#   scripts/peers/run.sh peers               their names
#   scripts/peers/run.sh PEER [WORKLOAD …]   a line of JSON for each workload, all five by default
#
# torch is PyTorch in eager mode on 2 threads (THREADS=N), if PYTHON has it. SECONDS_EACH=S measures longer than 2 s.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
name=${1:?usage: run.sh PEER [WORKLOAD …], or run.sh peers}
shift
[ $# -gt 0 ] || set -- W1 W2 W3 W7 W8
export SECONDS_EACH=${SECONDS_EACH:-2}

eager() {
    ROUNDS=1 OMP_NUM_THREADS=${THREADS:-2} "${PYTHON:-python3}" "$here/../pytorch_bench.py" cpu "$1" |
        "${PYTHON:-python3}" -c '
import json, sys
page = json.load(sys.stdin)
rate = page["samples_per_s"][sys.argv[1]]["eager"]["median"]
print(json.dumps({"workload": sys.argv[1], "samples_per_s": rate, "torch": page["torch"], "threads": page["threads"]}))' "$1"
}

case $name in
peers) echo torch ;;
torch) for workload in "$@"; do eager "$workload"; done ;;
*)
    echo "$name is not known; there is torch" >&2
    exit 2
    ;;
esac
