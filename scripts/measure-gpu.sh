#!/usr/bin/env bash
# Measures this machine's adapter and writes everything that is found into docs/measurements/ADAPTER.json.
#
#   scripts/measure-gpu.sh
#
# Builds the command and runs `accrue devices`, `doctor`, `verify examples/digits.toml` and `bench`; and PyTorch on the same
# device, if PYTHON (python3) has it. ADAPTER takes the adapter with this in its name. It takes some minutes, in which the
# machine should have nothing else to do. To be run before a figure for a new GPU is written down anywhere.
set -euo pipefail
cd "$(dirname "$0")/.."
export NODEVICE_SELECT=${NODEVICE_SELECT:-1}
python=${PYTHON:-python3}
[ -z "${ADAPTER:-}" ] || export WGPU_ADAPTER_NAME=$ADAPTER

say() { echo "measure-gpu: $*" >&2; }

say "building"
cargo build --release --quiet
accrue=${CARGO_TARGET_DIR:-target}/release/accrue
found=$(mktemp -d)
trap 'rm -rf "$found"' EXIT

# Text as a JSON string, without control characters.
quote() { printf '"%s"' "$(printf '%s' "$1" | tr -s '[:cntrl:]' ' ' | sed 's/\\/\\\\/g; s/"/\\"/g')"; }

# part NAME COMMAND…: what it prints, which is JSON or nothing, and how it ended.
part() {
    local name=$1 code=0
    shift
    say "$name"
    "$@" >"$found/out" 2>"$found/err" || code=$?
    [ -s "$found/out" ] || quote "$(tail -n 3 "$found/err")" >"$found/out"
    [ "$code" -eq 0 ] || say "$name ended with $code: $(tail -n 1 "$found/err")"
    { printf ',\n"%s_exit_code": %s,\n"%s": ' "$name" "$code" "$name"; cat "$found/out"; } >>"$found/page"
    cp "$found/out" "$found/$name"
}

# The first value of a key in JSON that is written line by line.
value() { sed -n "s/^ *\"$1\": \"\(.*\)\",\{0,1\}$/\1/p" "$2" | head -n 1; }

commit=$(git rev-parse HEAD 2>/dev/null || echo unknown)
git diff --quiet HEAD 2>/dev/null || commit="$commit, changed"
processor=$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo 2>/dev/null | head -n 1)
nvidia=$(nvidia-smi --query-gpu=name,driver_version --format=csv,noheader 2>/dev/null | head -n 1 || true)
devices=$("$accrue" devices)
{
    printf '{\n"date": %s,\n' "$(quote "$(date -u +%Y-%m-%d)")"
    printf '"commit": %s,\n' "$(quote "$commit")"
    printf '"rustc": %s,\n' "$(quote "$(rustc --version)")"
    printf '"system": %s,\n' "$(quote "$(uname -srm)")"
    printf '"processor": %s,\n' "$(quote "${processor:-unknown}")"
    printf '"nvidia_smi": %s,\n' "$(quote "${nvidia:-none}")"
    printf '"devices": %s' "$(quote "$devices")"
} >"$found/page"

part doctor "$accrue" doctor --all --json
part verify "$accrue" verify examples/digits.toml --json
part bench "$accrue" bench --json
if "$python" -c 'import torch' 2>/dev/null; then
    device=()
    case $(value kind "$found/bench") in *software*) device=(cpu) ;; esac
    part pytorch "$python" scripts/pytorch_bench.py ${device[@]+"${device[@]}"}
else
    say "$python has no PyTorch, so that is left out; PYTHON=… names one that has"
fi
printf '\n}\n' >>"$found/page"

name=$(value name "$found/bench")
[ -n "$name" ] || { say "nothing was measured: see above"; exit 1; }
slug=$(printf '%s' "$name" | tr '[:upper:]' '[:lower:]' | sed 's/[^a-z0-9]\{1,\}/-/g; s/^-//; s/-$//')
mkdir -p docs/measurements
mv "$found/page" "docs/measurements/$slug.json"
say "wrote docs/measurements/$slug.json"
