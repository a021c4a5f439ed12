"""Does a run.json have the form that docs/use/run.schema.json describes?"""

import json
from typing import Any

import jsonschema
from paths import ROOT

SCHEMA = json.loads((ROOT / "docs" / "use" / "run.schema.json").read_text())


def form_faults(record: dict[str, Any]) -> list[str]:
    """Where a record is not as the schema says, sorted; empty if all is."""
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    found = jsonschema.Draft202012Validator(SCHEMA).iter_errors(record)
    return sorted(f"{error.json_path}: {error.message}" for error in found)
