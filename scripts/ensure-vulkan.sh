#!/usr/bin/env bash
# Makes sure that a GPU, or a software driver in its place, can be used.
#
#     scripts/ensure-vulkan.sh [ACCRUE]
#
# ACCRUE is the built command; it is asked whether there is an adapter (`accrue devices` ends with 5 when there is
# none). Without it the installed drivers are looked at. When there is no adapter, and apt is here, and we are root or may use
# sudo without a password, Mesa's software driver is installed. Exit code 0: there is one; 5: there is none.
set -euo pipefail

accrue=${1:-}
packages=(mesa-vulkan-drivers libvulkan1)

say() { printf 'vulkan: %s\n' "$*" >&2; }

# Which manifests the Vulkan loader reads, one path a line.
manifests() {
    local pinned=${VK_DRIVER_FILES:-${VK_ICD_FILENAMES:-}} folder
    local -a folders
    if [ -n "$pinned" ]; then
        tr ':' '\n' <<<"$pinned"
        return
    fi
    local config=${XDG_CONFIG_HOME:-${HOME:-}/.config} data=${XDG_DATA_HOME:-${HOME:-}/.local/share}
    IFS=: read -ra folders <<<"$config:/etc/xdg:/etc:$data:${XDG_DATA_DIRS:-}:/usr/local/share:/usr/share"
    for folder in "${folders[@]}"; do
        [ -n "$folder" ] || continue
        find "$folder/vulkan/icd.d" -maxdepth 1 -name '*.json' 2>/dev/null || true
    done
}

# Is the loader here? `ldconfig` is not on every user's PATH.
loader_found() {
    { PATH=$PATH:/sbin:/usr/sbin ldconfig -p 2>/dev/null || true; } | grep -F 'libvulkan.so.1' >/dev/null && return
    local -a folders
    IFS=: read -ra folders <<<"${LD_LIBRARY_PATH:-}"
    for folder in ${folders[@]+"${folders[@]}"} /usr/lib /usr/lib64 /lib; do
        [ -e "$folder/libvulkan.so.1" ] && return
    done
    return 1
}

# A manifest of hardware is no adapter when the hardware is not here; a software driver always is one.
driver_found() {
    local manifest
    while IFS= read -r manifest; do
        [ -f "$manifest" ] || continue
        case $manifest in
        *lvp* | *lavapipe* | *swiftshader*) return 0 ;;
        *) for node in /dev/dri/renderD* /dev/nvidia0 /dev/dxg; do [ -e "$node" ] && return 0; done ;;
        esac
    done < <(manifests)
    return 1
}

adapter_found() {
    if [ -n "$accrue" ] && [ -x "$accrue" ]; then
        local code=0
        "$accrue" devices >/dev/null 2>&1 || code=$?
        case $code in
        0) return 0 ;;
        5) return 1 ;;
        *) say "'$accrue devices' ended with $code; looking at the installed drivers instead" ;;
        esac
    fi
    loader_found && driver_found
}

explain() {
    say "$1"
    cat >&2 <<'END'
Install your GPU's Vulkan driver, or Mesa's software driver, and try again:
  Debian, Ubuntu   sudo apt-get install mesa-vulkan-drivers libvulkan1
  Fedora           sudo dnf install mesa-vulkan-drivers vulkan-loader
  Arch             sudo pacman -S vulkan-swrast vulkan-icd-loader
END
    exit 5
}

case $(uname -s) in
Linux) ;;
*) exit 0 ;; # Metal and DX12 come with the system
esac

adapter_found && exit 0

# The user has said which adapter or drivers to take: to install another would not help.
for name in VK_DRIVER_FILES VK_ICD_FILENAMES VK_LOADER_DRIVERS_DISABLE VK_LOADER_DRIVERS_SELECT; do
    if [ -n "${!name:-}" ]; then
        say "no adapter, and $name is set to '${!name}': unset it, or name a driver that is here"
        exit 5
    fi
done
case ${WGPU_BACKEND:-vulkan} in
*[Vv]ulkan* | *[Vv][Kk]*) ;;
*)
    say "no adapter is found for the backend '$WGPU_BACKEND' (WGPU_BACKEND): unset it, or say vulkan"
    exit 5
    ;;
esac
case ${WGPU_ADAPTER_NAME:-} in
'' | *[Ll][Ll][Vv][Mm]* | *[Ll]avapipe*) ;;
*)
    say "no adapter has '$WGPU_ADAPTER_NAME' in its name (WGPU_ADAPTER_NAME)"
    exit 5
    ;;
esac

as_root=()
if [ "$(id -u)" -ne 0 ]; then
    as_root=(sudo -n)
fi
command -v apt-get >/dev/null || explain "no adapter is found, and there is no apt-get to install one with"
if [ "${#as_root[@]}" -gt 0 ] && ! sudo -n true 2>/dev/null; then
    explain "no adapter is found, and installing one needs root"
fi

say "no adapter is found; installing Mesa's software driver with apt-get: ${packages[*]}"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
apt() {
    ${as_root[@]+"${as_root[@]}"} env DEBIAN_FRONTEND=noninteractive \
        apt-get -qq -o DPkg::Lock::Timeout=120 "$@" </dev/null >>"$log" 2>&1
}
apt update || say "apt-get update failed; trying with the lists that are here"
if ! apt install -y --no-install-recommends "${packages[@]}"; then
    tail -n 5 "$log" >&2
    explain "apt-get could not install ${packages[*]}"
fi
adapter_found || explain "installed ${packages[*]}, but still no adapter is found"
say "done"
