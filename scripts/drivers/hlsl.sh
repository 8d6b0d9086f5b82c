#!/usr/bin/env bash
# Compiles every .hlsl of a folder by Microsoft's compilers under Wine: hlsl.sh fxc|dxc FOLDER; a line for each, see hlslc.c.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
folder=$(cd "$2" && pwd)
"$here/wine.sh" "${CARGO_TARGET_DIR:-$here/../../target}/drivers/hlslc/hlslc.exe" "$1" "Z:${folder//\//\\}"| tr -d '\r'
