"""Run by Prefect's own Python: FILE CODE...

The flow once for each code of a stand-in, then with the real program.
"""

import json
import os
import sys
from pathlib import Path

sys.path.insert(0, os.environ["RECIPE"])

import crackpipe_nightly as recipe  # type: ignore[import-not-found]


def outcome() -> list[str]:
    """Type and name of the state in which the flow ends."""
    state = recipe.crackpipe_nightly(return_state=True)
    return [state.type.value, state.name]


results = {}
for code in sys.argv[2:]:
    os.environ["CODE"] = code
    results[code] = outcome()
recipe.CRACKPIPE = os.environ["REAL"]
results["real"] = outcome()
Path(sys.argv[1]).write_text(json.dumps(results))
