"""Run by Dagster's own Python: FILE CODE...

The job once for each code of a stand-in, then with the real program.
"""

import json
import os
import sys
from pathlib import Path

sys.path.insert(0, os.environ["RECIPE"])

import crackpipe_nightly as recipe  # type: ignore[import-not-found]
import dagster as dg


def outcome() -> list[str]:
    """Whether the run succeeded, what it materialised, and how the check ended."""
    with dg.DagsterInstance.local_temp() as instance:
        job = recipe.defs.resolve_job_def("crackpipe_nightly")
        result = job.execute_in_process(instance=instance, raise_on_error=False)
        checks = result.get_asset_check_evaluations()
        made = [event.asset_key.to_user_string() for event in result.get_asset_materialization_events()]
        ends = [f"{check.severity.value} passed={check.passed}" for check in checks]
        return ["SUCCESS" if result.success else "FAILURE", *made, *ends]


results = {}
for code in sys.argv[2:]:
    os.environ["CODE"] = code
    results[code] = outcome()
recipe.CRACKPIPE = os.environ["REAL"]
results["real"] = outcome()
Path(sys.argv[1]).write_text(json.dumps(results))
