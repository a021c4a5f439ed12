"""--cascade: no close look where the cheap one finds nothing."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import tree_hash

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
    close, spared, found = mapped(survey, tmp_path / "cascade", cascade=0.1)
    assert none_spared == 0
    assert close + spared == tiles
    assert spared >= 2  # both tiles of lane1/b.tif, which has no crack
    assert not found["lane1/b.tif"].any()
    lost = sum(np.count_nonzero(mask & ~found[name]) for name, mask in plain.items())
    assert lost <= 0.02 * sum(np.count_nonzero(mask) for mask in plain.values())
    again = mapped(survey, tmp_path / "again", cascade=0.1, unit_tiles=1, block_cores=2)
    assert again[:2] == (close, spared)
    for table in ("cracks.parquet", "images.parquet"):
        files = [tmp_path / name / table for name in ("cascade", "again")]
        assert files[0].read_bytes() == files[1].read_bytes()


def test_a_finished_survey_is_not_done_again(survey: Path, tmp_path: Path) -> None:
    mapped(survey, tmp_path / "out", cascade=1.0)
    first = tree_hash(tmp_path / "out")
    assert run(Request((survey,), tmp_path / "out", Config(cascade=1.0), serial=True)).unchanged
    request = Request((survey,), tmp_path / "out", Config(cascade=0.1), serial=True)
    assert set(make_plan(request, make_job(request), look_at(request)).why) == set(MASKS)
    assert tree_hash(tmp_path / "out") == first


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"cascade": 0.0}, "cascade is 0.0, but must be over 0 and at most 1"),
        ({"cascade": 0.1, "block_cores": 3}, "block_cores is 3, but must be even with cascade"),
    ],
)
def test_wrong_values_are_named(config: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        Config(**config)
