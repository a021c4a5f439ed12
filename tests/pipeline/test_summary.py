"""What a run tells at its end, and the form of run.json."""

import json
from pathlib import Path
from typing import Any

import pytest
from first_outputs import TUNED, request, unpack
from run_record import SCHEMA, form_faults

from crackpipe.pipeline.config import Config
from crackpipe.pipeline.run import run


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A survey of three small images, and an output of it whose run.json is of commit 5f0e436."""
    made = tmp_path_factory.mktemp("first")
    unpack(made)
    return made


@pytest.fixture(scope="module")
def record(folder: Path) -> dict[str, Any]:
    run(request(folder, "anew", **TUNED))
    return dict(json.loads((folder / "anew" / "run.json").read_text()))


def test_a_run_writes_the_form_that_the_schema_describes(record: dict[str, Any]) -> None:
    assert form_faults(record) == []
    assert record["counts"]["images_run"] == 2 and record["tiles_per_s"] > 0
    assert [row["image_id"] for row in record["quarantined"]] == ["no-crs.tif"]


def test_a_run_that_had_nothing_to_do_has_the_same_form(folder: Path, record: dict[str, Any]) -> None:
    run(request(folder, "anew", **TUNED))
    again = json.loads((folder / "anew" / "run.json").read_text())
    assert form_faults(again) == []
    assert (again["counts"]["images_run"], again["counts"]["tiles"]) == (0, 0)


def test_the_configuration_has_types(record: dict[str, Any]) -> None:
    said = dict(record["configuration"])
    said |= {name: tuple(said[name]) for name in ("exclude", "exports")}
    assert Config(**said) == request(Path(record["survey"][0]).parent, "anew", **TUNED).config
    assert (said["verify_inputs"], said["allow_gsd"], said["crs"]) == (True, False, None)
    assert (said["halo_px"], said["simplify_px"], said["tone"]) == (16, 0.3, "srgb")


def test_the_schema_knows_every_key_of_the_configuration(record: dict[str, Any]) -> None:
    assert SCHEMA["properties"]["configuration"]["properties"].keys() == record["configuration"].keys()


def test_the_schema_refuses_the_text_that_commit_5f0e436_wrote(folder: Path) -> None:
    faults = form_faults(json.loads((folder / "default" / "run.json").read_text()))
    assert "$.configuration.halo_px: '32' is not of type 'integer'" in faults
    assert "$.configuration.allow_gsd: 'False' is not of type 'boolean'" in faults
    assert "$.configuration.cascade: 'None' is not of type 'number', 'null'" in faults
