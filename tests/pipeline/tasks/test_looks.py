"""The coarse look finds wide cracks. With --screen no close look follows where it finds nothing."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import rasterio
from affine import Affine
from helpers import tree_hash
from scipy.ndimage import gaussian_filter, gaussian_filter1d

from crackpipe.model.evaluate.predictions import predict_like_a_survey
from crackpipe.model.predict import Predictor
from crackpipe.model.predict.resolve import facts_of
from crackpipe.pipeline.config import Config
from crackpipe.pipeline.errors import ConfigurationError
from crackpipe.pipeline.geometry.grid import Window
from crackpipe.pipeline.masks import group
from crackpipe.pipeline.plan import look_at, make_plan
from crackpipe.pipeline.request import Request, make_job
from crackpipe.pipeline.run import run

MASKS = {"lane1/a.tif": (600, 760), "lane1/b.tif": (300, 420), "lane2/strip.tif": (1500, 380)}


def mapped(survey: Path, out: Path, **config: Any) -> tuple[int, int, dict[str, np.ndarray]]:
    """Tiles run, tiles spared, and the masks."""
    summary = run(Request((survey,), out, Config(**config), serial=True))
    read = {
        name: group.read_window(out / "masks.zarr" / name, Window(0, 0, *size))[0]
        for name, size in MASKS.items()
    }
    return summary.figures.tiles, summary.figures.spared, read


def test_sound_road_is_spared_and_cracks_are_not(survey: Path, tmp_path: Path) -> None:
    tiles, none_spared, plain = mapped(survey, tmp_path / "plain")
    close, spared, found = mapped(survey, tmp_path / "screen", screen=0.95)
    assert none_spared == 0
    assert close + spared == tiles
    assert spared == 3  # both tiles of lane1/b.tif, which has no crack, and one of lane1/a.tif
    assert not found["lane1/b.tif"].any()
    lost = sum(np.count_nonzero(mask & ~found[name]) for name, mask in plain.items())
    assert lost <= 0.02 * sum(np.count_nonzero(mask) for mask in plain.values())
    again = mapped(survey, tmp_path / "again", screen=0.95, unit_tiles=1, block_cores=2)
    assert again[:2] == (close, spared)
    odd = mapped(survey, tmp_path / "odd", screen=0.95, block_cores=3)
    assert odd[:2] == (close, spared)
    for table in ("cracks.parquet", "images.parquet"):
        files = [tmp_path / name / table for name in ("screen", "again", "odd")]
        assert len({file.read_bytes() for file in files}) == 1
    table = pq.read_table(files[0]).to_pydict()
    screened_m2 = dict(zip(table["image_id"], table["screened_m2"], strict=True))
    assert screened_m2["lane1/b.tif"] == pytest.approx(0.3 * 0.42, rel=0.01)
    assert screened_m2["lane1/a.tif"] == pytest.approx(0.216 * 0.384, rel=0.01)  # the core left below
    assert screened_m2["lane2/strip.tif"] == 0
    assert screened_m2["no-crs.tif"] is None
    table = pq.read_table(tmp_path / "plain" / "images.parquet").to_pydict()
    assert set(table["screened_m2"]) == {0.0, None}


def test_a_finished_survey_is_not_done_again(survey: Path, tmp_path: Path) -> None:
    mapped(survey, tmp_path / "out", screen=0.95)
    first = tree_hash(tmp_path / "out")
    assert run(Request((survey,), tmp_path / "out", Config(screen=0.94), serial=True)).unchanged
    request = Request((survey,), tmp_path / "out", Config(screen=0.999), serial=True)
    why = make_plan(request, make_job(request), look_at(request)).why
    assert set(why) == set(MASKS)
    assert "limit of the screen changed from -4.125 to -5.0" in str(why)
    assert tree_hash(tmp_path / "out") == first


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"screen": 0.0}, "screen is 0.0, but must be over 0 and below 1"),
        ({"screen": 1.0}, "screen is 1.0, but must be over 0 and below 1"),
        ({"screen": 0.99, "coarse_look": False}, "coarse_look is False, but must be true with screen"),
    ],
)
def test_wrong_values_are_named(config: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        Config(**config)


def test_a_recall_that_the_weights_hold_no_limit_for(survey: Path, tmp_path: Path) -> None:
    def limit(recall: float, weights: str = "lite") -> float | None:
        return make_job(Request((survey,), tmp_path, Config(screen=recall, weights=weights))).screen

    held = facts_of("lite").screen
    assert held is not None
    assert [limit(recall) for recall, _ in held.limits] == [each for _, each in held.limits]
    assert limit(0.985) == limit(0.99)  # the next higher one, which a line says
    with pytest.raises(
        ConfigurationError, match=r"screen is 0\.9999, but .* for 0\.95, 0\.98, 0\.99, 0\.995, 0\.999 only"
    ):
        limit(0.9999)
    with pytest.raises(ConfigurationError, match=r"lite-2025 hold no limits for it: take `--weights lite`"):
        limit(0.99, "lite-2025")


# ---- the coarse look

WIDE_PX = 9


def wide_crack(folder: Path) -> Path:
    """A survey of one picture, 700 x 1800 px at 1 mm, with a ragged crack of 9 px from left to right.

    A coarse look covers 1536 px of it, so it has two.
    """
    rng = np.random.default_rng(3)
    height, width = 700, 1800
    grey = 130 + 14 * gaussian_filter(rng.standard_normal((height, width)), 0.8)
    way = 340 + 60 * gaussian_filter1d(rng.standard_normal(width), 40) * 6
    half = WIDE_PX / 2 + 1.5 * gaussian_filter1d(rng.standard_normal((2, width)), 1.5, axis=1)
    rows = np.arange(height)[:, None]
    inside = (rows > way - half[0]) & (rows < way + half[1])
    grey[inside] *= 0.35
    folder.mkdir()
    where = {"crs": "EPSG:25832", "transform": Affine(0.001, 0, 500_000, 0, -0.001, 5_900_000)}
    profile = {"driver": "GTiff", "count": 1, "dtype": "uint8", "height": height, "width": width}
    with rasterio.open(folder / "a.tif", "w", **profile, **where) as file:
        file.write(np.clip(grey, 0, 255).astype(np.uint8), 1)
    return folder


def test_a_wide_crack_is_found_however_the_work_is_cut(tmp_path: Path) -> None:
    survey = wide_crack(tmp_path / "survey")
    length_m, tables = {}, {}
    for name, config in {
        "close": {"coarse_look": False},
        "whole": {},
        "cut": {"block_cores": 1, "unit_tiles": 1},
        "three": {"block_cores": 3},
    }.items():
        run(Request((survey,), tmp_path / name, Config(**config), serial=True))
        table = pq.read_table(tmp_path / name / "cracks.parquet")
        length_m[name] = sum(table.column("length_m").to_pylist())
        tables[name] = (tmp_path / name / "cracks.parquet").read_bytes()
    assert length_m["whole"] > 1.5 > 2 * length_m["close"]
    assert tables["whole"] == tables["cut"] == tables["three"]

    # `evaluate` judges what a run finds
    with rasterio.open(survey / "a.tif") as file:
        rgb = np.repeat(file.read(1)[..., None], 3, axis=2)
    whole = Window(0, 0, *rgb.shape[:2])
    predictor = Predictor("lite")
    for name, gsd_mm in (("whole", 1.0), ("close", 4.0)):
        masks = group.read_window(tmp_path / name / "masks.zarr" / "a.tif", whole)
        np.testing.assert_array_equal(masks[1], predict_like_a_survey(predictor, rgb, gsd_mm=gsd_mm))
