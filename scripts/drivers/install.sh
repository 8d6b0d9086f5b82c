#!/usr/bin/env bash
# Installs what `make drivers` runs on, as far as it may, and says what is left out and why: install.sh FOLDER
#
# By apt: Mesa, SwiftShader (chromium-common), the cross linker, debootstrap, Node. Into FOLDER:
#   newer/    a Debian 13 with its Mesa, and Wine
#   node/     the npm package webgpu: Dawn, and Microsoft's compilers
#   hlslc/    those compilers and the program that calls them
set -uo pipefail

folder=$1
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$folder"
say() { echo "drivers: $*" >&2; }

# command:package
wanted=(debootstrap:debootstrap x86_64-w64-mingw32-gcc:gcc-mingw-w64-x86-64-win32 spirv-val:spirv-tools node:nodejs npm:npm)
packages=()
for pair in "${wanted[@]}"; do command -v "${pair%%:*}" >/dev/null || packages+=("${pair#*:}"); done
compgen -G '/usr/share/vulkan/icd.d/lvp_icd*.json' >/dev/null || packages+=(mesa-vulkan-drivers libvulkan1)
[ -e /usr/lib/chromium/vk_swiftshader_icd.json ] || packages+=(chromium-common)
if [ "${#packages[@]}" -gt 0 ]; then
    if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; then
        say "installing ${packages[*]}"
        apt-get -qq update >/dev/null
        for package in "${packages[@]}"; do
            DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends "$package" >/dev/null 2>&1 ||
                say "apt-get cannot install $package"
        done
    else
        say "not here, and only root may install them with apt-get: ${packages[*]}"
    fi
fi

newer_debian() {
    local site
    # shellcheck disable=SC2016
    site=$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' 2>/dev/null | grep -m 1 '/debian$') || return 1
    rm -rf "$folder/newer"
    say "installing a Debian 13 with Mesa and Wine into $folder/newer (1.7 GB, some minutes)"
    debootstrap --variant=minbase --include=ca-certificates,libvulkan1,mesa-vulkan-drivers,wine,wine64,xvfb,libx11-6,libxext6,\
libxrandr2,libxrender1,libxfixes3,libxcursor1,libxi6,libxcomposite1,libxinerama1,libgl1 \
        trixie "$folder/newer" "$site" >"$folder/debootstrap.log" 2>&1 && touch "$folder/newer/.complete"
}

if [ ! -e "$folder/newer/.complete" ]; then
    if [ "$(id -u)" -ne 0 ]; then
        say "no newer Debian: only root may make one"
    elif ! newer_debian; then
        say "no newer Debian: debootstrap failed, or apt names no mirror of Debian's ($folder/debootstrap.log)"
    fi
fi

# Dawn for Node, d3dcompiler_47.dll and dxcompiler.dll come in one package.
if [ ! -e "$folder/node/node_modules/webgpu" ] && command -v npm >/dev/null; then
    mkdir -p "$folder/node"
    (cd "$folder/node" && npm install --silent --no-audit --no-fund --ignore-scripts webgpu@0.6.2 >npm.log 2>&1) ||
        say "no Dawn and no compilers of Microsoft's: see $folder/node/npm.log"
fi
microsofts=$folder/node/node_modules/webgpu/dist/win32-x64
if [ -e "$microsofts" ] && command -v x86_64-w64-mingw32-gcc >/dev/null; then
    mkdir -p "$folder/hlslc"
    cp "$microsofts/d3dcompiler_47.dll" "$microsofts/dxcompiler.dll" "$folder/hlslc/"
    x86_64-w64-mingw32-gcc -O1 -o "$folder/hlslc/hlslc.exe" "$here/hlslc.c" || say "hlslc.c does not compile"
fi
exit 0
