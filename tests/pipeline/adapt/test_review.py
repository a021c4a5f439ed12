"""What teaches is what a person looked at: real run, real GeoPackage, edited as a GIS would."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pytest
import shapely
from numpy.typing import NDArray
from PIL import Image

from crackpipe.pipeline.adapt.pick import PickRequest, pick
from crackpipe.pipeline.adapt.review import Labelled, judges_of, labelled, read_review, with_doubt
from crackpipe.pipeline.dataset.finished_run import FinishedRun, read_run
from crackpipe.pipeline.errors import UsageError


@pytest.fixture(scope="module")
def run(finished: Path) -> FinishedRun:
    return read_run(finished)


@pytest.fixture
def file(finished: Path, tmp_path: Path) -> Path:
    """All nine tiles of the run, none reviewed."""
    return pick(PickRequest(run=finished, count=9, to=tmp_path / "tiles", side_px=384)).folder / "tiles.gpkg"


def review(file: Path, *names: str) -> None:
    """Set `reviewed` of some tiles, of all without names."""
    tiles = gpd.read_file(file, layer="tiles")
    tiles["reviewed"] = tiles["tile"].isin(names) if names else True
    tiles.to_file(file, layer="tiles")


def labels_of(file: Path, run: FinishedRun) -> dict[str, Labelled]:
    return {each.name: each for each in labelled(file, run, read_review(file, run))}


STRIP = tuple(f"lane2_strip-{number}" for number in range(4))
SIX = (*STRIP, "lane1_a-0", "lane1_b-0")


def test_nothing_reviewed_is_refused_with_the_step_that_helps(file: Path, run: FinishedRun) -> None:
    with pytest.raises(UsageError, match=r"none of its 9 tiles has reviewed = true.*set reviewed to true"):
        read_review(file, run)
    review(file, "lane1_a-0", "lane1_a-1")
    with pytest.raises(UsageError, match=r"2 of its 9 tiles are reviewed, but at least 6"):
        read_review(file, run)


def test_only_reviewed_tiles_are_taken(file: Path, run: FinishedRun) -> None:
    review(file, *SIX)
    assert [tile.name for tile in read_review(file, run)] == sorted(SIX)
    found = labels_of(file, run)
    # of a.tif its first tile, 300 x 380 px, was looked at: all around it is 127
    mask = found["lane1_a-0"].mask
    assert mask.shape == (300 + 224, 380 + 224)
    assert not (mask[:300, :380] == 127).any()
    assert (mask[300:] == 127).all()
    assert (mask[:, 380:] == 127).all()


def test_lines_as_they_were_corrected_become_masks(file: Path, run: FinishedRun) -> None:
    review(file, *SIX)
    lines = gpd.read_file(file, layer="cracks")
    assert (lines["tile"] == "lane2_strip-1").any()
    kept = lines[~lines["tile"].isin(["lane2_strip-1"])]  # deleted as false
    drawn = gpd.GeoDataFrame(  # and one drawn in b.tif, without a width: between rows 100 and 101
        geometry=[shapely.LineString([(500_001.05, 5_399_999.899), (500_001.15, 5_399_999.899)])],
        crs=lines.crs,
    )
    gpd.pd.concat([kept, drawn]).to_file(file, layer="cracks")
    found = labels_of(file, run)
    assert found["lane2_strip-0"].cracked
    inner = found["lane2_strip-1"].mask[224 + 4 : -224 - 4]  # lines end round, 3 px beyond their last point
    assert (inner == 0).all()
    mask = found["lane1_b-0"].mask
    assert (mask[100:102, 60:140] == 255).all()  # 2 mm
    assert (mask[:, 100] == 255).sum() == 2
    assert (mask[150:] == 0).all()


def test_a_mask_goes_before_lines_and_needs_no_tick(file: Path, run: FinishedRun) -> None:
    review(file, *STRIP, "lane1_a-0")
    painted = np.zeros((300, 380), np.uint8)
    painted[40:44, :200] = 255
    painted[:, 300:] = 127
    for name, saved in (("lane1_a-0", painted), ("lane1_a-1", painted * np.uint16(257))):  # 8 and 16 bits
        Image.fromarray(saved).save(file.parent / "masks" / f"{name}.png")
    found = labels_of(file, run)
    assert sorted(found) == sorted((*STRIP, "lane1_a-0", "lane1_a-1"))
    assert (found["lane1_a-0"].mask[:300, :380] == painted).all()
    assert (found["lane1_a-1"].mask[:300, 224:] == painted).all()  # the right half of the image
    assert (found["lane1_a-1"].mask[:, :224] == 127).all()


@pytest.mark.parametrize(
    ("name", "mask", "words"),
    [
        ("lane1_a-0", np.full((300, 380), 60, np.uint8), "has the grey value 60: 0 is sound, 255 crack"),
        (
            "lane1_a-0",
            np.full((300, 380), 32768, np.uint16),
            "32768 is no multiple of 257, .* save it with 8",
        ),
        ("lane1_a-0", np.zeros((200, 380), np.uint8), r"is 380x200 px, its picture 380x300 px"),
        ("lane1_z-0", np.zeros((300, 380), np.uint8), "belongs to no tile"),
    ],
    ids=["grey", "16 bits", "size", "name"],
)
def test_a_mask_that_does_not_fit_is_named(
    file: Path, run: FinishedRun, name: str, mask: NDArray[Any], words: str
) -> None:
    review(file)
    Image.fromarray(mask).save(file.parent / "masks" / f"{name}.png")
    with pytest.raises(UsageError, match=words):
        labels_of(file, run)


def test_a_layer_that_was_spoilt_is_named(file: Path, run: FinishedRun) -> None:
    tiles = gpd.read_file(file, layer="tiles")
    tiles.assign(reviewed="perhaps").to_file(file, layer="tiles")
    with pytest.raises(UsageError, match=r"reviewed is 'perhaps'.*set true or false"):
        read_review(file, run)
    tiles.assign(reviewed=True, image_id="elsewhere.tif").to_file(file, layer="tiles")
    with pytest.raises(UsageError, match=r"names the image 'elsewhere.tif'"):
        read_review(file, run)
    tiles.drop(columns="reviewed").to_file(file, layer="tiles")
    with pytest.raises(UsageError, match="has no column reviewed"):
        read_review(file, run)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        (None, r"row 2 of layer tiles has no name in the column tile. Give every tile a name of its own"),
        (" ", r"row 2 of layer tiles has no name"),
        ("lane1/a", r"row 2 of layer tiles has the name 'lane1/a' in the column tile, with a slash"),
        ("first", r"rows 1 and 2 of layer tiles are both named 'first'"),
    ],
)
def test_tiles_have_names_of_their_own(file: Path, run: FinishedRun, name: str | None, words: str) -> None:
    tiles = gpd.read_file(file, layer="tiles").assign(reviewed=True)
    tiles["tile"] = ["first", name, *tiles["tile"][2:]]
    tiles.to_file(file, layer="tiles")
    with pytest.raises(UsageError, match=words):
        read_review(file, run)


def test_masks_with_capitals_count_and_other_files_are_refused(file: Path, run: FinishedRun) -> None:
    review(file, *STRIP, "lane1_b-0")
    masks = file.parent / "masks"
    Image.fromarray(np.full((300, 380), 255, np.uint8)).save(masks / "lane1_a-0.PNG")
    for beside in (".hidden", "lane1_a-0.PNG.aux.xml", "lane1_a-0.pgw", "lane1_a-0.prj"):
        (masks / beside).touch()
    assert (labels_of(file, run)["lane1_a-0"].mask[:300, :380] == 255).all()
    (masks / "lane1_a-0.png").touch()
    with pytest.raises(UsageError, match=r"lane1_a-0.PNG and .*lane1_a-0.png are masks of one tile"):
        read_review(file, run)
    (masks / "lane1_a-0.png").rename(masks / "lane1_a-1.tif")
    with pytest.raises(UsageError, match=r"a-1.tif is no .png.*save the mask as lane1_a-1.png"):
        read_review(file, run)


def test_lines_of_another_class_are_told_and_of_an_unknown_one_refused(
    file: Path, run: FinishedRun, caplog: pytest.LogCaptureFixture
) -> None:
    review(file, *SIX)
    lines = gpd.read_file(file, layer="cracks")
    lines.assign(**{"class": "joint"}).to_file(file, layer="cracks")
    with pytest.raises(UsageError, match=r"lines of class 'joint', but the run knows 'crack'.*class crack"):
        labels_of(file, run)
    with caplog.at_level("INFO"):
        found = labels_of(file, replace(run, classes=frozenset({"crack", "joint"})))
    assert f"{len(lines)} lines of class joint are no cracks: their pixels count as sound" in caplog.text
    assert not any(tile.cracked for tile in found.values())


def test_numbers_and_words_of_a_gis_are_understood(file: Path, run: FinishedRun) -> None:
    tiles = gpd.read_file(file, layer="tiles")
    tiles.assign(reviewed=["1", "true", "True", "yes", "t", "1.0", "0", "false", ""]).to_file(
        file, layer="tiles"
    )
    assert len(read_review(file, run)) == 6


def test_beside_a_line_nobody_knows() -> None:
    mask = np.zeros((7, 9), np.uint8)
    mask[:, 4] = 255
    mask[0] = 127
    wanted = [[127] * 9, *[[0, 0, 127, 127, 255, 127, 127, 0, 0]] * 6]
    assert with_doubt(mask).tolist() == wanted


def test_every_fifth_judges() -> None:
    tiles = {f"tile-{number}": number % 4 == 0 for number in range(20)}
    judges = judges_of(tiles)
    assert len(judges) == 4
    assert sum(tiles[name] for name in judges) == 1  # as many as cracks are frequent
    assert judges_of(dict(reversed(tiles.items()))) == judges
    assert len(judges_of({f"tile-{number}": True for number in range(6)})) == 3
    assert len(judges_of({f"tile-{number}": False for number in range(6)})) == 3
    assert len(judges_of({f"tile-{number}": number < 2 for number in range(100)})) == 20


def test_one_crack_on_each_side() -> None:
    tiles = {f"tile-{number}": number < 2 for number in range(20)}
    judges = judges_of(tiles)
    assert len({"tile-0", "tile-1"} & judges) == 1
