"""Run by Airflow's own Python: FILE CODE...

The DAG once for each code of a stand-in, then with the real program.
"""

import json
import os
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

sys.path.insert(0, os.environ["RECIPE"])

import crackpipe_nightly as recipe  # type: ignore[import-not-found]


def outcome(number: int) -> list[str]:
    """States of the DAG's run and of its task."""
    run = recipe.DAG.test(logical_date=datetime(2026, 1, 2, 21, tzinfo=UTC) + timedelta(days=number))
    return [str(run.state), *[str(each.state) for each in run.get_task_instances()]]


results = {}
for number, code in enumerate(sys.argv[2:]):
    os.environ["CODE"] = code
    results[code] = outcome(number)
recipe.CRACKPIPE = os.environ["REAL"]
results["real"] = outcome(len(results))
Path(sys.argv[1]).write_text(json.dumps(results))
