"""Airflow: one night of `crackpipe nightly` as a DAG of one task. Put this file into the folder of the DAGs.

The task only starts the installed crackpipe as a process.
Its exit code decides how that ends: workflows/README.md.
"""

import os
import subprocess
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from airflow.exceptions import AirflowFailException, AirflowSkipException
from airflow.sdk import dag, task

CRACKPIPE = os.environ.get("CRACKPIPE", "crackpipe")
NETWORK = os.environ.get("NETWORK", "/etc/crackpipe/network.toml")
UNTIL = os.environ.get("UNTIL", "06:00")
# A try after UNTIL would work through the day: with --from it ends with 77, a failure. Clocks may differ, so
# BEGIN is somewhat before the schedule's 21:00. An empty one works at any hour, as to catch up by hand.
BEGIN = os.environ.get("BEGIN", "20:50")
FROM = ["--from", BEGIN] if BEGIN else []
TIMEZONE = os.environ.get("TIMEZONE", "UTC")  # of the schedule: the same as `timezone` in network.toml

SUCCESS, WARNING, SKIP, RETRY = 0, 3, 75, (69, 71, 74, 130, 143)
RETRIES, RETRY_AFTER_S = 3, int(os.environ.get("RETRY_AFTER_S", "600"))


class TryAgainError(Exception):
    """Another try may mend it: scheduler lost, memory short, disk full, told to end."""


@task(retries=RETRIES, retry_delay=timedelta(seconds=RETRY_AFTER_S))
def night() -> int:
    """Run the night; its exit code where that is no failure."""
    command = [CRACKPIPE, "nightly", NETWORK, *FROM, "--until", UNTIL]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        for line in process.stdout or ():
            print(line.rstrip(), flush=True)
        code = process.wait()
    finally:
        if process.poll() is None:  # the task is stopped: the night ends within ten seconds, and can go on
            process.terminate()
            process.wait()
    if code == SKIP:
        raise AirflowSkipException("another night is at work")
    if code in RETRY:
        raise TryAgainError(f"crackpipe ended with {code}; the next try goes on where this one stopped")
    if code not in (SUCCESS, WARNING):
        raise AirflowFailException(f"crackpipe ended with {code}: docs/use/operations.md says what to do")
    if code == WARNING:
        print("WARNING: done, with images in quarantine: `crackpipe status OUT`", flush=True)
    return code


@dag(
    schedule="0 21 * * *",
    start_date=datetime(2026, 1, 1, tzinfo=ZoneInfo(TIMEZONE)),
    catchup=False,  # after a pause one night, not a pile of them
    max_active_runs=1,
    tags=["crackpipe"],
)
def crackpipe_nightly() -> None:
    """Every night at 21:00, never two at a time."""
    night()


DAG = crackpipe_nightly()
