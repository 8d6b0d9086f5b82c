#!/usr/bin/env bash
# Runs a command inside of the newer Debian that scripts/drivers.sh installs: inside.sh COMMAND …
#
# SHOWN=FOLDER is a folder that is there under its own name, by default that of the repository. All mounts are in a namespace that
# ends with the command, so that removing the newer Debian never removes what was mounted there. So does every process: one
# command at a time, for Wine's server is shared by all.
set -euo pipefail

here=$(cd "$(dirname "$0")/../.." && pwd)
export SHOWN=${SHOWN:-$here} FROM=$PWD
export NEWER=${ACCRUE_DRIVERS:-${CARGO_TARGET_DIR:-$here/target}/drivers}/trixie
exec unshare --mount --pid --fork --kill-child bash -c '
    set -e
    for folder in dev sys; do mount --rbind "/$folder" "$NEWER/$folder"; done
    mount -t proc proc "$NEWER/proc"
    mkdir -p "$NEWER$SHOWN"
    mount --rbind "$SHOWN" "$NEWER$SHOWN"
    exec chroot "$NEWER" env --chdir="$FROM" "$@"
' inside "$@"
