#!/usr/bin/env bash
# night.sh [arguments of crackpipe]: for schedulers that know only 0 and failure, such as Kubernetes.
# 3 (done, with images in quarantine) and 75 (another night is at work) become 0; what else happened stays as it is.
set -uo pipefail
told=
crackpipe "$@" &
night=$!
trap 'trap "" TERM INT; told=yes; kill -TERM "$night"' TERM INT
wait "$night"
code=$?
if [[ $told ]]; then # the signal ended `wait`, not the night
    wait "$night"
    code=$?
fi
case $code in
3) echo "exit code 3, done with images in quarantine: told to the scheduler as 0" ;;
75) echo "exit code 75, another night is at work: told to the scheduler as 0" ;;
*) exit "$code" ;;
esac
