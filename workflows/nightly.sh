#!/usr/bin/env bash
# Run crackpipe over every survey folder below SURVEYS; go on after a failure; exit with the worst code.
# Usage: nightly.sh SURVEYS [options of `crackpipe run`]
set -uo pipefail

if [ $# -lt 1 ] || [ ! -d "$1" ]; then
    echo "nightly.sh: give the folder that holds the surveys; '${1-}' is none" >&2
    exit 2
fi
surveys=$1
shift
for option in "$@"; do
    if [ "$option" = --accept-removed ]; then
        echo "nightly.sh: --accept-removed is for a person who has looked; run that survey once by hand" >&2
        exit 2
    fi
done
crackpipe=${CRACKPIPE:-crackpipe} # the program: set CRACKPIPE where it is not on the PATH
stop=
trap 'stop=1; [ -n "${child-}" ] && kill -TERM "$child"' TERM INT

# 3 (quarantine) outranks 0; anything else outranks 3, because it left work undone
rank() { case $1 in 0) echo 0 ;; 3) echo 1 ;; *) echo 2 ;; esac; }

worst=0
found=
for survey in "$surveys"/*/; do
    survey=${survey%/}
    case $survey in *-cracks | "$surveys/*") continue ;; esac
    # what systems put at the root of a disk is no survey
    case ${survey##*/} in lost+found | @eaDir | @Recycle | \#recycle | \$RECYCLE.BIN | "System Volume Information") continue ;; esac
    found=1
    echo "$(date -u +%FT%TZ) $survey"
    "$crackpipe" run "$survey" "$@" &
    child=$!
    wait "$child"
    code=$?
    if [ -n "$stop" ]; then # a trapped signal ends the first wait early
        wait "$child"
        code=143
    fi
    echo "$(date -u +%FT%TZ) $survey exit $code"
    [ "$(rank "$code")" -gt "$(rank "$worst")" ] && worst=$code
    [ -n "$stop" ] && break
done
for result in "$surveys"/*-cracks/; do
    survey=${result%-cracks/}
    [ -d "$result" ] && [ ! -e "$survey" ] && echo "$survey is gone, of which $result is the result" >&2
done
if [ -z "$found" ]; then
    echo "nightly.sh: no survey in $surveys. Check that its disk is mounted." >&2
    exit 66
fi
exit "$worst"
