"""Dagster: one night of `crackpipe nightly` as an asset that is materialised every night.

    pip install dagster dagster-webserver
    dagster dev -f crackpipe_nightly.py              # then switch the schedule on in the browser
    dagster asset materialize -f crackpipe_nightly.py --select crack_map

The asset only starts the installed crackpipe as a process.
Its exit code decides how that ends: workflows/README.md.
"""

import os
import subprocess
from collections.abc import Iterator

import dagster as dg

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


def _night(context: dg.AssetExecutionContext) -> int:
    """Run the night, line by line into the log; its exit code."""
    command = [CRACKPIPE, "nightly", NETWORK, *FROM, "--until", UNTIL]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        for line in process.stdout or ():
            context.log.info(line.rstrip())
        return process.wait()
    finally:
        if process.poll() is None:  # the run is terminated: the night ends within ten seconds, and can go on
            process.terminate()
            process.wait()


@dg.asset(
    output_required=False,  # a night that was skipped materialises nothing
    op_tags={"dagster/concurrency_key": "crackpipe"},
)
def crack_map(context: dg.AssetExecutionContext) -> Iterator[dg.Output[int]]:
    """The network's tables as the night left them."""
    code = _night(context)
    if code == SKIP:
        context.log.info("another night is at work: skipped")
        return
    if code in RETRY:
        raise dg.RetryRequested(max_retries=RETRIES, seconds_to_wait=RETRY_AFTER_S)
    if code not in (SUCCESS, WARNING):
        raise dg.Failure(
            f"crackpipe ended with {code}: docs/use/operations.md says what to do", allow_retries=False
        )
    yield dg.Output(code, metadata={"exit_code": code})


@dg.asset_check(asset=crack_map)
def no_quarantine(crack_map: int) -> dg.AssetCheckResult:
    """A warning, not a failure, while any image is in quarantine."""
    return dg.AssetCheckResult(
        passed=crack_map == SUCCESS,
        severity=dg.AssetCheckSeverity.WARN,
        description="images are in quarantine: `crackpipe status OUT`" if crack_map == WARNING else None,
    )


job = dg.define_asset_job("crackpipe_nightly", selection="crack_map")
schedule = dg.ScheduleDefinition(job=job, cron_schedule="0 21 * * *", execution_timezone=TIMEZONE)
defs = dg.Definitions(assets=[crack_map], asset_checks=[no_quarantine], jobs=[job], schedules=[schedule])
