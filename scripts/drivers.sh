#!/usr/bin/env bash
# Runs Accrue on every driver that can be had on a Debian machine without a GPU, and prints one table:
#
#     make drivers                      # or scripts/drivers.sh [NAME …]
#
#   mesa            the software driver of the system
#   mesa-newer      that of Debian 13
#   swiftshader     Google's software driver
#   wine-vulkan     the program for Windows, on Vulkan
#   wine-dx12       the same on DX12, with Microsoft's compiler FXC
#   compilers       no driver: every kernel through FXC, DXC, Dawn, tint and spirv-val
#
# On each: `accrue doctor`, `accrue verify` of both examples, a training on the digits, and a part of the tests. It takes 20 to
# 30 minutes on 2 cores, and 1.8 GB below target/drivers. What cannot be installed is left out and said. Exit code 0: all
# that ran is right. What every step printed lies in target/drivers/NAME. docs/drivers.md has the table of the last time.
set -euo pipefail
cd "$(dirname "$0")/.."

root=$PWD
target=${CARGO_TARGET_DIR:-$root/target}
drivers=$target/drivers
tests=(laws special_values not_finite clocks ops sequence golden kernels)
all=(mesa mesa-newer swiftshader wine-vulkan wine-dx12 compilers)
wanted=("$@")
[ "$#" -gt 0 ] || wanted=("${all[@]}")
windows=x86_64-pc-windows-gnu
export NODEVICE_SELECT=1 CARGO_TARGET_X86_64_PC_WINDOWS_GNU_LINKER=x86_64-w64-mingw32-gcc
unset VK_DRIVER_FILES VK_ICD_FILENAMES WGPU_BACKEND WGPU_ADAPTER_NAME WGPU_DX12_COMPILER ACCRUE_KERNELS ACCRUE_TILES ACCRUE_LANES ACCRUE_READS
# As in an optimised build: FXC optimises, and no layer validates.
export WGPU_DEBUG=0 WGPU_VALIDATION=0 CARGO_TERM_COLOR=never
read -ra flags <<<"${CARGO_FLAGS:---locked}"

say() { echo "drivers: $*" >&2; }

scripts/drivers/install.sh "$drivers"

# on NAME COMMAND …: a command on a driver.
on() {
    local name=$1
    shift
    case $name in
    mesa) VK_DRIVER_FILES=$(compgen -G '/usr/share/vulkan/icd.d/lvp_icd*.json' | head -n 1) timeout 900 "$@" ;;
    swiftshader) VK_DRIVER_FILES=/usr/lib/chromium/vk_swiftshader_icd.json timeout 900 "$@" ;;
    mesa-newer)
        timeout 900 scripts/drivers/inside.sh env XDG_RUNTIME_DIR=/tmp VK_DRIVER_FILES=/usr/share/vulkan/icd.d/lvp_icd.json "$@"
        ;;
    wine-vulkan) WGPU_BACKEND=vulkan timeout 900 scripts/drivers/wine.sh "$@" ;;
    wine-dx12) WGPU_BACKEND=dx12 timeout 900 scripts/drivers/wine.sh "$@" ;;
    esac
}

# Why a driver is not here; nothing if it is.
missing() {
    case $1 in
    mesa) compgen -G '/usr/share/vulkan/icd.d/lvp_icd*.json' >/dev/null || echo "mesa-vulkan-drivers is not installed" ;;
    swiftshader) [ -e /usr/lib/chromium/vk_swiftshader_icd.json ] || echo "chromium-common is not installed" ;;
    mesa-newer) [ -e "$drivers/newer/.complete" ] || echo "there is no newer Debian in $drivers/newer" ;;
    wine-*)
        if [ ! -e "$drivers/newer/.complete" ]; then
            echo "there is no newer Debian in $drivers/newer"
        elif [ ! -e "$drivers/hlslc/d3dcompiler_47.dll" ]; then
            echo "Microsoft's d3dcompiler_47.dll is not in $drivers/hlslc"
        elif ! command -v x86_64-w64-mingw32-gcc >/dev/null; then
            echo "gcc-mingw-w64-x86-64-win32 is not installed"
        fi
        ;;
    compilers)
        if [ ! -e "$drivers/newer/.complete" ]; then
            echo "there is no newer Debian in $drivers/newer, which has Wine"
        elif [ ! -e "$drivers/hlslc/hlslc.exe" ]; then
            echo "FXC and DXC are not in $drivers/hlslc"
        fi
        ;;
    *) echo "no such driver; there are ${all[*]}" ;;
    esac
}

# build LOG FLAGS …: the command and the tests; the paths of the tests' programs, a line each.
build() {
    local log=$1
    shift
    if ! cargo test "${flags[@]}" "$@" --no-run "${tests[@]/#/--test=}" 2>"$log"; then
        tail -n 5 "$log" >&2
        return 1
    fi
    sed -n 's/.*Executable .*(\(.*\))$/\1/p' "$log"
}

row() { printf '%-12s %-9s %-9s %-20s %-10s %-12s %6s  %s\n' "$@"; }

# A step of a driver, of a quarter of an hour at most: what it printed goes into a file; its exit code decides.
step() {
    local name=$1 file=$drivers/$1/$2
    shift 2
    on "$name" "$@" 2>"$file.err" | tr -d '\r' >"$file"
}

# The row of a driver; false when something is wrong.
try() {
    local name=$1 accrue=$2 begin=$SECONDS right=0 doctor verify=equal digits model passed=0 failed=0 adapter config test
    shift 2
    mkdir -p "$drivers/$name"
    rm -rf "$drivers/$name"/test-* "$drivers/$name/digits"
    if step "$name" doctor "$accrue" doctor; then doctor=right; else doctor=WRONG right=1; fi
    adapter=$(sed -n 's/^adapter  *//p' "$drivers/$name/doctor")
    adapter="$adapter; $(sed -n 's/^driver  *//p' "$drivers/$name/doctor")"
    for config in digits tutorial; do
        step "$name" "verify-$config" "$accrue" verify "examples/$config.toml" || verify=WRONG right=1
    done
    step "$name" train "$accrue" train examples/digits.toml --out "$drivers/$name/digits" --fresh || right=1
    digits=$(sed -n 's/ % validation accuracy.*; \(.*\) samples\/s/ %, \1/p' "$drivers/$name/train")
    model=$(sha256sum "$drivers/$name/digits/model.safetensors" 2>/dev/null | cut -c 1-8) || model=none
    for test in "$@"; do
        # Together they would share the driver's threads.
        step "$name" "test-$(basename "${test%-*}")" "$test" --test-threads 2 || right=1
    done
    read -r passed failed < <(awk '/^test result/ { passed += $4; failed += $6 } END { print passed + 0, failed + 0 }' "$drivers/$name"/test-*)
    if [ "$failed" -ne 0 ] || [ "$passed" -eq 0 ]; then right=1; fi
    # The same on all of them, but for roundings.
    case $digits in 9[67].*) ;; *) right=1 ;; esac
    row "$name" "$doctor" "$verify" "${digits:-FAILED}" "$model" "$passed of $((passed + failed))" "$((SECONDS - begin))" "$adapter"
    return "$right"
}

here=() ports=() right=0
for name in "${wanted[@]}"; do
    why=$(missing "$name")
    if [ -n "$why" ]; then
        say "$name is left out: $why"
        [ "$#" -eq 0 ] || right=1
        continue
    fi
    case $name in wine-*) ports+=("$name") ;; esac
    here+=("$name")
done

if [ "${#here[@]}" -eq 0 ]; then
    say "nothing of it is here, so that nothing was tried"
    exit 1
fi
say "building"
mkdir -p "$drivers"
mapfile -t programs < <(build "$drivers/build.log")
[ "${#programs[@]}" -eq "${#tests[@]}" ] || { say "the build failed: $drivers/build.log"; exit 1; }
if [ "${#ports[@]}" -gt 0 ]; then
    rustup target add "$windows" >/dev/null 2>&1 || say "rustup cannot add $windows"
    mapfile -t ported < <(build "$drivers/build-windows.log" --target "$windows")
    [ "${#ported[@]}" -eq "${#tests[@]}" ] || { say "the build for Windows failed: $drivers/build-windows.log"; exit 1; }
    for folder in debug debug/deps; do cp "$drivers/hlslc/d3dcompiler_47.dll" "$target/$windows/$folder/"; done
fi

table=$drivers/table.txt
row driver doctor verify 'digits, samples/s' model tests seconds adapter | tee "$table"
for name in "${here[@]}"; do
    case $name in
    compilers) continue ;;
    wine-*) try "$name" "$target/$windows/debug/accrue.exe" "${ported[@]}" | tee -a "$table" || right=1 ;;
    *) try "$name" "$target/debug/accrue" "${programs[@]}" | tee -a "$table" || right=1 ;;
    esac
done
case " ${here[*]} " in
*" compilers "*)
    say "compiling every kernel"
    mkdir -p "$drivers/compilers"
    if cargo test "${flags[@]}" --test shaders -- --include-ignored --nocapture >"$drivers/compilers/log" 2>&1; then
        grep -E '^(spirv-val|tint|Dawn|dxc|fxc|skipped): ' "$drivers/compilers/log"
        for compiler in fxc dxc; do
            echo "the slowest by $compiler, in ms:"
            awk '/^ok/ { print $3, $2 }' "$drivers/$compiler.txt" | sort -rn | sed -n '1,5s/^/  /p'
        done
    else
        say "a compiler refuses a kernel: $drivers/compilers/log"
        right=1
    fi
    ;;
esac
if [ "$right" -eq 0 ]; then
    say "all right in $SECONDS s: $table"
else
    say "NOT right in $SECONDS s: $drivers/NAME has what each step printed"
fi
exit "$right"
