"""A finished run and corrected lines become training pairs: real run, real files, one step of training."""

import csv
import math
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pytest
import rasterio
import shapely
from analyst import CORNER_X, ON_A, UTM, saved, truth
from helpers import STRIP_CRACK
from numpy.typing import NDArray
from PIL import Image

from crackpipe.model.train.config import TrainConfig
from crackpipe.model.train.train import train
from crackpipe.pipeline.dataset.finished_run import read_run
from crackpipe.pipeline.dataset.write import DatasetRequest, write_dataset
from crackpipe.pipeline.errors import OutputNotWritableError, UsageError


def masks_of(folder: Path) -> dict[str, NDArray[np.uint8]]:
    return {file.stem: np.asarray(Image.open(file)) for file in sorted((folder / "masks").iterdir())}


def distance_px(shape: tuple[int, int], line: shapely.LineString) -> NDArray[np.float64]:
    """From the centre of each pixel to the line, in px; the line as x = col, y = row."""
    rows, cols = np.indices(shape)
    return shapely.distance(shapely.points(cols, rows), line)


@pytest.mark.slow
def test_lines_of_an_analyst_become_masks_that_train(survey: Path, finished: Path, tmp_path: Path) -> None:
    file = saved(truth().to_crs(4326), tmp_path / "cracks.gpkg")
    written = write_dataset(
        DatasetRequest(out=tmp_path / "pairs", run=finished, reviewed=file, negatives=1.0)
    )
    masks = masks_of(written.folder)
    assert written.folder == tmp_path / "pairs" / "survey"
    assert set(masks) == {"lane1_a-0", "lane1_b-0", "lane2_strip-0"}
    assert (masks["lane1_b-0"] == 0).all()
    for stem, image_id, cracks in (
        ("lane1_a-0", "lane1/a.tif", ON_A),
        ("lane2_strip-0", "lane2/strip.tif", (STRIP_CRACK,)),
    ):
        with rasterio.open(survey / image_id) as source:
            pixels = np.moveaxis(source.read(), 0, -1)
        assert (np.asarray(Image.open(written.folder / "images" / f"{stem}.png")) == pixels).all()
        lines = [shapely.LineString(drawn.centreline[:, ::-1]) for drawn in cracks]
        depth = np.max(
            [
                drawn.width_px[0] / 2 - distance_px(pixels.shape[:2], line)
                for drawn, line in zip(cracks, lines, strict=True)
            ],
            axis=0,
        )
        # 0.1 px: metres on the ground are some 0.04 % longer than those of UTM, and a round end is a polygon
        assert (masks[stem][depth > 0.1] == 255).all()
        assert (masks[stem][depth < -0.1] == 0).all()
    weights = train(
        TrainConfig(
            data=(tmp_path / "pairs",), out=tmp_path / "w.safetensors", tiles=1, processes=1, batch=1,
            pretrained=False, bf16=False, validations=0,
        )
    )  # fmt: skip
    with (weights.with_suffix("") / "log.csv").open() as log:
        losses = [float(row["loss"]) for row in csv.DictReader(log)]
    assert losses
    assert all(map(math.isfinite, losses))


def test_same_input_same_bytes(finished: Path, tmp_path: Path) -> None:
    file = saved(truth(), tmp_path / "cracks.parquet")
    trees = []
    for name in ("one", "two"):
        folder = write_dataset(DatasetRequest(out=tmp_path / name, run=finished, reviewed=file)).folder
        trees.append(
            {f.relative_to(folder): f.read_bytes() for f in sorted(folder.rglob("*")) if f.is_file()}
        )
    assert trees[0] == trees[1]
    assert len(trees[0]) == 7  # three pairs and the list of them


def test_what_was_not_reviewed_is_not_judged(finished: Path, tmp_path: Path) -> None:
    """The north half of a.tif was looked at; nothing else of the survey is written."""
    half = shapely.box(500_000, 5_400_000 - 0.3, 500_000.8, 5_400_000)
    area = saved(gpd.GeoDataFrame(geometry=[half], crs=UTM).to_crs(4326), tmp_path / "area.gpkg")
    file = saved(truth(), tmp_path / "cracks.gpkg")
    written = write_dataset(DatasetRequest(out=tmp_path / "pairs", run=finished, reviewed=file, area=area))
    (row,) = written.rows
    (mask,) = masks_of(written.folder).values()
    assert (row["image_id"], row["row"], row["height_px"]) == ("lane1/a.tif", 0, 525)  # 300 + half a tile
    assert not (mask[:299] == 127).any()
    assert (mask[301:] == 127).all()
    assert row["crack_px"] == (mask == 255).sum() > 0


def test_lines_as_the_run_found_them_are_no_edit(finished: Path, tmp_path: Path) -> None:
    found = gpd.read_parquet(finished / "cracks.parquet")
    written = write_dataset(
        DatasetRequest(
            out=tmp_path / "same", run=finished, reviewed=saved(found, tmp_path / "same.gpkg"), negatives=1.0
        )
    )
    assert [row["edited"] for row in written.rows] == [0, 0, 0]
    # the analyst says that the strip has no crack: that part is kept as what teaches most
    kept = found[found.image_id != "lane2/strip.tif"]
    request = DatasetRequest(
        out=tmp_path / "less",
        run=finished,
        reviewed=saved(kept, tmp_path / "less.gpkg"),
        negatives=0.0,
        edited_only=True,
    )
    (row,) = write_dataset(request).rows
    assert (row["image_id"], row["crack_px"], row["edited"]) == ("lane2/strip.tif", 0, 1)


def test_lines_of_another_road_are_an_error(finished: Path, tmp_path: Path) -> None:
    away = truth().set_geometry(truth().translate(50_000, 0))
    with pytest.raises(UsageError, match="nothing of it lies on the reviewed images"):
        write_dataset(
            DatasetRequest(
                out=tmp_path / "pairs",
                run=finished,
                reviewed=saved(away, tmp_path / "away.gpkg"),
                edited_only=False,
                area=saved(gpd.GeoDataFrame(geometry=away.buffer(1), crs=UTM), tmp_path / "area.gpkg"),
            )
        )
    assert not (tmp_path / "pairs").exists()


def test_nothing_is_overwritten(finished: Path, tmp_path: Path) -> None:
    (tmp_path / "pairs" / "mine").mkdir(parents=True)
    request = DatasetRequest(
        out=tmp_path / "pairs", run=finished, reviewed=saved(truth(), tmp_path / "cracks.gpkg"), name="mine"
    )
    with pytest.raises(OutputNotWritableError, match="is there already"):
        write_dataset(request)


def test_a_survey_that_moved_is_named(survey: Path, finished: Path, tmp_path: Path) -> None:
    assert [image.image_id for image in read_run(finished).images] == sorted(CORNER_X)
    (tmp_path / "elsewhere").mkdir()
    with pytest.raises(UsageError, match=r"lane1/a.tif .* is not in .*elsewhere.*--survey"):
        read_run(finished, [tmp_path / "elsewhere"])
    with pytest.raises(UsageError, match="finished run"):
        read_run(survey)


@pytest.mark.parametrize(
    "wrong",
    [{"part_px": 100}, {"default_width_mm": 0.0}, {"negatives": -1.0}, {"name": "../mine"}],
    ids=lambda wrong: next(iter(wrong)),
)
def test_options_have_limits(wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="but must be"):
        DatasetRequest(out=Path("pairs"), run=Path("out"), reviewed=Path("cracks.gpkg"), **wrong)
