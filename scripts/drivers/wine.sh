#!/usr/bin/env bash
# Runs a program for Windows in the newer Debian, with a display that nobody sees: wine.sh PROGRAM.exe …
#
# Microsoft's d3dcompiler_47.dll lies beside the program: Wine's own does not know all that naga writes.
set -euo pipefail

here=$(dirname "$0")
export WINEARCH=win64 WINEDEBUG=-all WINEDLLOVERRIDES="mscoree=;mshtml=;d3dcompiler_47=n,b" XDG_RUNTIME_DIR=/tmp NODEVICE_SELECT=1
export VK_DRIVER_FILES=/usr/share/vulkan/icd.d/lvp_icd.json
export DISPLAY=:99
# Both end with the namespace of inside.sh.
# shellcheck disable=SC2016
exec "$here/inside.sh" bash -c '
    rm -f /tmp/.X99-lock /tmp/.X11-unix/X99
    Xvfb :99 -screen 0 640x480x24 >/dev/null 2>&1 &
    for try in {1..100}; do [ -e /tmp/.X11-unix/X99 ] && break; sleep 0.1; done
    [ "$try" -lt 100 ] || { echo "no display: Xvfb does not start" >&2; exit 1; }
    wine "$@"
' wine "$@"
