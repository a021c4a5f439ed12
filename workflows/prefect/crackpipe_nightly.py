"""Prefect: one night of `crackpipe nightly` as a flow.

    pip install prefect
    python crackpipe_nightly.py                      # one night now
    python crackpipe_nightly.py serve                # every night at 21:00, as long as this process lives

The flow only starts the installed crackpipe as a process.
Its exit code decides the state: workflows/README.md.
"""

import os
import subprocess
import sys

from prefect import flow, get_run_logger, task
from prefect.states import Completed, State

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


def _may_be_tried_again(_task: object, _run: object, state: State) -> bool:
    return isinstance(state.result(raise_on_failure=False), TryAgainError)


@task(retries=RETRIES, retry_delay_seconds=RETRY_AFTER_S, retry_condition_fn=_may_be_tried_again)
def night(network: str = NETWORK, until: str = UNTIL) -> int:
    """Run the night; its exit code where that is no failure."""
    logger = get_run_logger()
    command = [CRACKPIPE, "nightly", network, *FROM, "--until", until]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        for line in process.stdout or ():
            logger.info(line.rstrip())
        code = process.wait()
    finally:
        if process.poll() is None:  # the flow is cancelled: the night ends within ten seconds, and can go on
            process.terminate()
            process.wait()
    if code in RETRY:
        raise TryAgainError(f"crackpipe ended with {code}; the next try goes on where this one stopped")
    if code not in (SUCCESS, WARNING, SKIP):
        raise RuntimeError(f"crackpipe ended with {code}: docs/use/operations.md says what to do")
    return code


@flow(name="crackpipe-nightly", log_prints=True)
def crackpipe_nightly(network: str = NETWORK, until: str = UNTIL) -> State:
    """One night; the state's name says how it ended."""
    code = night(network, until)
    if code == WARNING:
        get_run_logger().warning("done, with images in quarantine: `crackpipe status OUT`")
        return Completed(name="CompletedWithWarning", message="images in quarantine")
    if code == SKIP:
        return Completed(name="Skipped", message="another night is at work")
    return Completed()


if __name__ == "__main__":
    if sys.argv[1:] == ["serve"]:
        from prefect.schedules import Cron

        # one night at a time: a second start beside a running one is dropped
        crackpipe_nightly.serve(name="nightly", schedule=Cron("0 21 * * *", timezone=TIMEZONE), limit=1)
    else:
        crackpipe_nightly()
