"""Has JSON the form that a schema of docs/use/ describes?"""

import json
from typing import Any

import jsonschema
from paths import ROOT


def schema_of(name: str) -> dict[str, Any]:
    """The schema of that name among docs/use/."""
    return dict(json.loads((ROOT / "docs" / "use" / f"{name}.schema.json").read_text()))


SCHEMA = schema_of("run")


def form_faults(record: dict[str, Any], schema: dict[str, Any] = SCHEMA) -> list[str]:
    """Where a record is not as the schema says, sorted; empty if all is."""
    jsonschema.Draft202012Validator.check_schema(schema)
    found = jsonschema.Draft202012Validator(schema).iter_errors(record)
    return sorted(f"{error.json_path}: {error.message}" for error in found)
