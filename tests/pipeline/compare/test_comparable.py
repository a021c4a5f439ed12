"""What two years must have in common: what is refused, with which remedy, and what is only told."""

import json
import shlex
import tomllib
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from years.two_years import WEIGHTS, Found, compared, write_output

from crackpipe.cli import cli
from crackpipe.pipeline.compare.compare import compare
from crackpipe.pipeline.compare.laid import Options
from crackpipe.pipeline.config import Config
from crackpipe.pipeline.errors import UsageError
from crackpipe.pipeline.fingerprint import first_form_of
from crackpipe.pipeline.state.output import Output
from crackpipe.pipeline.storage.sealed import read_sealed, write_sealed

DIFFERENT = {
    "weights": ({"fingerprint": {"weights": "b" * 64}}, "--weights"),
    "threshold": ({"fingerprint": {"threshold": 100}}, "--threshold 0.1259"),
    "algorithm": ({"fingerprint": {"algorithm": 3}}, "Run both again"),
    "coarse look": ({"fingerprint": {"coarse look": -2.57}}, "`coarse_look = false`"),
    "screen": ({"fingerprint": {"screen": -4.75}}, "without --screen"),
    "configuration": ({"fingerprint": {"configuration": {"gap_px": 10}}}, "gap_px"),
    "GSD": ({"gsd_mm": 2.0}, "Resample the images"),
    "origin": ({"origin": "lcms"}, "one system"),
}


@pytest.mark.parametrize("name", DIFFERENT)
def test_years_that_cannot_be_compared_are_refused_with_a_remedy(
    name: str, road: list[Found], tmp_path: Path
) -> None:
    other, remedy = DIFFERENT[name]
    older = write_output(tmp_path / "2024", road, **other)
    newer = write_output(tmp_path / "2025", road)
    with pytest.raises(UsageError) as refused:
        compare(older, newer, newer, Options())
    assert remedy in str(refused.value)
    assert "--force" in str(refused.value)
    assert not (newer / "changes.parquet").exists()
    assert set(compared(older, newer, force=True).comparable) == {"not comparable"}


def test_an_image_that_left_the_survey_does_not_make_a_year_of_two_kinds(
    road: list[Found], tmp_path: Path
) -> None:
    """Its marker stays until `crackpipe clean --removed-images`."""
    older, newer = write_output(tmp_path / "2024", road), write_output(tmp_path / "2025", road)
    made = {"weights": WEIGHTS, "threshold": 100, "algorithm": 4, "configuration": {}}
    gone = {"image_id": "gone.tif", "status": "done", "fingerprint": made, "inspected_area": None}
    write_sealed(Output(newer).marker("gone.tif"), gone)
    assert set(compared(older, newer).verdict) == {"unchanged"}


@pytest.mark.parametrize(
    ("name", "other"), [("threshold", 100), ("configuration", {"gap_px": 10.0})], ids=str
)
def test_a_year_of_two_kinds_is_refused(name: str, other: Any, road: list[Found], tmp_path: Path) -> None:
    older = write_output(tmp_path / "2024", road)
    newer = write_output(tmp_path / "2025", road, frames=[(-5.0, 60.0), (60.0, 125.0)])
    marker = read_sealed(Output(newer).marker("1.tif"))
    assert marker is not None
    marker["fingerprint"][name] = other
    write_sealed(Output(newer).marker("1.tif"), marker)
    with pytest.raises(UsageError, match=f"not all made with the same {name}"):
        compare(older, newer, newer, Options())


@pytest.mark.parametrize("stands_for", ["the defaults", "something else"])
def test_a_digest_in_an_older_marker_is_read_as_a_run_reads_it(
    stands_for: str, road: list[Found], tmp_path: Path
) -> None:
    """Of the defaults a run leaves the image as it is, so no year is refused; any other it does again."""
    [of_defaults] = first_form_of({})
    digest = {"the defaults": of_defaults, "something else": "5a0c"}[stands_for]
    older = write_output(tmp_path / "2024", road, fingerprint={"configuration": digest})
    newer = write_output(tmp_path / "2025", road)
    if stands_for == "the defaults":
        assert set(compared(older, newer).verdict) == {"unchanged"}
    else:
        with pytest.raises(UsageError, match="does not tell where"):
            compare(older, newer, newer, Options())


def test_the_remedy_keeps_what_the_older_year_needs_and_takes_the_rest_from_the_newer(
    road: list[Found], tmp_path: Path
) -> None:
    """Followed as it stands: what `crackpipe run` reads from it, by `--show-config`."""
    gaps = {"fingerprint": {"configuration": {"gap_px": 10.0}}}
    older = write_output(tmp_path / "year 1", road)
    newer = write_output(tmp_path / "year 2", road, **gaps)
    own = {"assume_crs": "EPSG:25832", "exclude": ["a b", "c*"], "tone": "srgb", "gap_px": 50.0, "workers": 7}
    for root, said in ((older, own), (newer, {"gap_px": 10.0, "allow_gsd": True, "coarse_look": False})):
        record = {"survey": ["/roads/s 3"], "configuration": {"weights": "lite", **said}}
        (root / "run.json").write_text(json.dumps(record))
    with pytest.raises(UsageError, match="gap_px") as refused:
        compare(older, newer, newer, Options())
    words = shlex.split(str(refused.value).split("`")[1])
    start = words.index("crackpipe")
    environment = dict(each.split("=", 1) for each in words[:start])
    assert words[start : start + 3] == ["crackpipe", "run", "/roads/s 3"]
    told = CliRunner(env=environment).invoke(cli, [*words[start + 1 :], "--show-config"])
    assert Config(**config_of(told.stdout)) == Config(
        out=str(older),
        weights="lite",
        assume_crs="EPSG:25832",
        exclude=("a b", "c*"),
        tone="srgb",
        gap_px=10.0,
        coarse_look=False,
    )


def config_of(toml: str) -> dict[str, Any]:
    """What `--show-config` printed, as `Config` takes it."""
    return {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in tomllib.loads(toml).items()
    }


def test_two_imported_years_of_one_system_are_compared(road: list[Found], tmp_path: Path) -> None:
    for year in ("2024", "2025"):
        write_output(tmp_path / year, road, origin="lcms")
        (tmp_path / year / "images.parquet").unlink()
    changes = compared(tmp_path / "2024", tmp_path / "2025")
    assert set(changes.verdict) == {"unchanged"}
    assert set(changes.origin) == set(changes.origin_before) == {"lcms"}


def test_what_is_odd_is_told(road: list[Found], tmp_path: Path) -> None:
    late = write_output(tmp_path / "2025", road, year=2025, fingerprint={"precision": "fp32"})
    early = write_output(tmp_path / "2024", road, year=2024, fingerprint={"precision": "bf16"})
    first, second, *_ = compare(late, early, tmp_path / "to", Options())["notes"]
    assert "were they swapped" in first
    assert "fp32 and bf16" in second
    assert not any("swap" in note for note in compare(early, late, tmp_path / "to", Options())["notes"])


def test_two_outputs_of_one_day_are_told(road: list[Found], tmp_path: Path) -> None:
    first, second = (write_output(tmp_path / name, road) for name in ("a", "b"))
    assert "both have cracks of 2024-05-20" in compare(first, second, tmp_path / "to", Options())["notes"][0]
