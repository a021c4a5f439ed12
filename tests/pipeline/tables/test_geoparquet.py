"""The tables are valid GeoParquet for a validator that others wrote."""

from pathlib import Path

import geoparquet_validator
import pytest


@pytest.mark.parametrize("table", ["cracks", "images"])
@pytest.mark.parametrize("conformance", ["core", "covering"])
def test_a_validator_finds_no_fault(finished: Path, table: str, conformance: str) -> None:
    report = geoparquet_validator.check(str(finished / f"{table}.parquet"))
    assert geoparquet_validator.failed(report) == []
    looked_at = [each for each in report["outcomes"] if each["id"].startswith(f"/conf/{conformance}/")]
    assert [each for each in looked_at if each["status"] == "pass"]


def test_a_fault_would_be_found(finished: Path) -> None:
    content = (finished / "cracks.parquet").read_bytes()
    broken = content.replace(b'"primary_column": "geometry"', b'"primary_column": "geometri"')
    assert broken != content
    assert geoparquet_validator.failed(geoparquet_validator.check_bytes("broken.parquet", broken))
