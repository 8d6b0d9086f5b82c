#!/usr/bin/env bash
# Runs a command in the newer Debian that scripts/drivers.sh installs: inside.sh COMMAND …
#
# The repository and the target folder are there under their own names. All mounts are in a namespace that ends with the command, so
# that removing the newer Debian never removes what was mounted there. So does every process: one command at a time, for
# Wine's server is shared by all.
set -euo pipefail

here=$(cd "$(dirname "$0")/../.." && pwd)
export FROM=$PWD
export NEWER=${CARGO_TARGET_DIR:-$here/target}/drivers/newer
export SHOWN=$here${CARGO_TARGET_DIR:+:$CARGO_TARGET_DIR}
# shellcheck disable=SC2016
exec unshare --mount --pid --fork --kill-child bash -c '
    set -e
    for folder in dev sys; do mount --rbind "/$folder" "$NEWER/$folder"; done
    mount -t proc proc "$NEWER/proc"
    IFS=: read -ra shown <<<"$SHOWN"
    for folder in "${shown[@]}"; do
        mkdir -p "$NEWER$folder"
        mount --rbind "$folder" "$NEWER$folder"
    done
    exec chroot "$NEWER" env --chdir="$FROM" "$@"
' inside "$@"
