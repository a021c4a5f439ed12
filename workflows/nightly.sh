#!/usr/bin/env bash
# nightly.sh SURVEYS [options of `crackpipe run`]: as in earlier versions, for units and cron lines that call it.
exec "${CRACKPIPE:-crackpipe}" nightly "$@"
