"""A finished run and corrected lines become training pairs: real run, real files, one step of training."""

import csv
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pytest
import rasterio
import shapely
from frames import UTM32, survey_image, transform_at
from helpers import STRIP_CRACK, crack
from numpy.typing import NDArray
from PIL import Image
from pyproj import CRS, Transformer

from crackpipe.model.render.cracks import Crack
from crackpipe.model.train.config import TrainConfig
from crackpipe.model.train.train import train
from crackpipe.pipeline.dataset import reviewed
from crackpipe.pipeline.dataset.finished_run import read_run
from crackpipe.pipeline.dataset.parts import FoundLines, Maps, Part, cut, differ, grid_of_parts, mask_of
from crackpipe.pipeline.dataset.write import DatasetRequest, choose, stems_of, write_dataset
from crackpipe.pipeline.errors import OutputNotWritableError, UsageError
from crackpipe.pipeline.geometry.grid import Window
from crackpipe.pipeline.image import SurveyImage

UTM = "EPSG:25832"
ON_A = (crack(40, 60, 560, 700, 4.0), crack(300, 380, 60, 720, 2.5))
CORNER_X = {"lane1/a.tif": 500_000.0, "lane1/b.tif": 500_001.0, "lane2/strip.tif": 500_003.0}


def world_line(drawn: Crack, image_id: str) -> shapely.LineString:
    """A drawn crack in UTM; images have 1 mm/px and their north-west corner at y = 5,400,000."""
    row, col = drawn.centreline.T
    return shapely.LineString(
        np.column_stack([CORNER_X[image_id] + (col + 0.5) / 1000, 5_400_000 - (row + 0.5) / 1000])
    )


def truth() -> gpd.GeoDataFrame:
    """What an analyst saves who sees every crack."""
    cracks = [("lane1/a.tif", ON_A[0]), ("lane1/a.tif", ON_A[1]), ("lane2/strip.tif", STRIP_CRACK)]
    return gpd.GeoDataFrame(
        {
            "image_id": [image_id for image_id, _ in cracks],
            "width_mm": [float(drawn.width_px[0]) for _, drawn in cracks],
        },
        geometry=[world_line(drawn, image_id) for image_id, drawn in cracks],
        crs=UTM,
    )


def saved(table: gpd.GeoDataFrame, file: Path) -> Path:
    if file.suffix == ".parquet":
        table.to_parquet(file)
    else:
        table.to_file(file)
    return file


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


def test_lines_without_width_and_of_other_classes(tmp_path: Path) -> None:
    table = truth()
    table.loc[0, "width_mm"] = None
    table["class"] = ["crack", None, "joint"]
    lines = reviewed.read_lines(saved(table, tmp_path / "cracks.gpkg"), default_width_mm=2.0)
    assert lines.width_mm.tolist() == [2.0, 2.5]
    assert (lines.without_width, lines.other_classes) == (1, {"joint": 1})
    drawn_anew = saved(table[["geometry"]].set_geometry(table.boundary.convex_hull), tmp_path / "new.gpkg")
    lines = reviewed.read_lines(drawn_anew, default_width_mm=3.0)
    assert lines.width_mm.tolist() == [3.0] * 3
    assert lines.image_id.tolist() == [None] * 3


@pytest.mark.parametrize(
    ("spoil", "suffix", "message"),
    [
        (lambda t: t.set_crs(None, allow_override=True), ".gpkg", "names no CRS"),
        (lambda t: t.set_geometry(t.buffer(1)), ".gpkg", "are no lines .first: Polygon"),
        (lambda t: t.assign(width_mm=[1.0, -2.0, 3.0]), ".gpkg", "-2 in 1 rows, but must be above 0"),
        (lambda t: t.assign(width_mm=["1", "thin", "3"]), ".parquet", "no number.*thin"),
    ],
    ids=["no CRS", "polygons", "negative width", "width in words"],
)
def test_files_that_cannot_be_used_are_named(spoil: Any, suffix: str, message: str, tmp_path: Path) -> None:
    file = saved(spoil(truth()), tmp_path / f"cracks{suffix}")
    with pytest.raises(UsageError, match=message) as raised:
        reviewed.read_lines(file, default_width_mm=2.0)
    assert str(file) in str(raised.value)


def test_several_layers_need_a_choice(tmp_path: Path) -> None:
    file = tmp_path / "cracks.gpkg"
    truth().to_file(file, layer="before")
    truth().iloc[:1].to_file(file, layer="after")
    with pytest.raises(UsageError, match=r"2 layers with geometries \(before, after\).*--layer"):
        reviewed.read_lines(file, default_width_mm=2.0)
    assert len(reviewed.read_lines(file, default_width_mm=2.0, layer="after").lines) == 1
    with pytest.raises(UsageError, match="no layer 'never'"):
        reviewed.read_lines(file, default_width_mm=2.0, layer="never")


def test_a_text_is_no_file_of_lines(tmp_path: Path) -> None:
    file = tmp_path / "cracks.gpkg"
    file.write_text("x_m, y_m")
    with pytest.raises(UsageError, match=r"cannot be read.*Export it"):
        reviewed.read_lines(file, default_width_mm=2.0)


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


def image_of(image_id: str) -> SurveyImage:
    """100 px square, 1 mm/px, its north-west corner at (500,000, 5,400,000)."""
    return survey_image(image_id, UTM32, transform_at(0, 0), (100, 100))


def test_a_crack_drawn_on_one_image_is_doubtful_on_the_next() -> None:
    """Two images see one spot; the line was drawn on the first. Where it lies on the second is known only
    as well as the images are placed: nobody judges the pixels around it there.
    """
    first, second = image_of("1.tif"), image_of("2.tif")
    line = np.array([shapely.LineString([(500_000.02, 5_399_999.95), (500_000.08, 5_399_999.95)])], object)
    lines = reviewed.ReviewedLines(
        crs=CRS(UTM),
        lines=line,
        width_mm=np.array([4.0]),
        image_id=np.array(["1.tif"], object),
        without_width=0,
        other_classes={},
    )
    none = FoundLines(None, np.zeros(0, object), np.zeros(0, object))
    maps = Maps(lines=lines, found=none, area=None, seam_mm=20.0, image_ids=frozenset({"1.tif", "2.tif"}))
    masks = {}
    for image in (first, second):
        (part,) = cut(maps.on(image), 448)
        masks[image.image_id] = mask_of(part, maps.on(image), np.ones((100, 100), bool))
    assert set(np.unique(masks["1.tif"])) == {0, 255}
    assert (masks["1.tif"][:, 50] == 255).sum() == 4  # 4 mm
    assert set(np.unique(masks["2.tif"])) == {0, 127}
    assert (masks["2.tif"][:, 50] == 127).sum() == 44  # and 20 mm on each side
    # the same line of last year's survey is on no image in particular: crack on both
    maps = Maps(lines=lines, found=none, area=None, seam_mm=20.0, image_ids=frozenset({"2.tif"}))
    (part,) = cut(maps.on(second), 448)
    assert (mask_of(part, maps.on(second), np.ones((100, 100), bool)) == masks["1.tif"]).all()


def test_what_the_run_left_out_is_not_judged() -> None:
    """A run over a region: columns 30 to 69 were inspected, rows 0 to 49 of them reviewed."""
    image = replace(image_of("1.tif"), region=shapely.to_wkb(shapely.box(30, 0, 70, 100)))
    no_lines = reviewed.ReviewedLines(
        crs=CRS(UTM),
        lines=np.zeros(0, object),
        width_mm=np.zeros(0),
        image_id=np.zeros(0, object),
        without_width=0,
        other_classes={},
    )
    none = FoundLines(None, np.zeros(0, object), np.zeros(0, object))
    half = shapely.box(500_000, 5_399_999.95, 500_000.1, 5_400_000)
    for area, rows in ((None, 100), (reviewed.ReviewedArea(CRS(UTM), np.array([half], object)), 50)):
        maps = Maps(lines=no_lines, found=none, area=area, seam_mm=20.0, image_ids=frozenset())
        (part,) = cut(maps.on(image), 448)
        mask = mask_of(part, maps.on(image), np.ones((part.window.height, part.window.width), bool))
        inside = np.full((100, 100), 127)
        inside[:rows, 30:70] = 0
        assert (mask == inside).all()


def test_hair_cracks_are_one_line_of_pixels() -> None:
    image = image_of("1.tif")
    ends = [(500_000.01, 5_399_999.985), (500_000.09, 5_399_999.92)]
    line = np.array([shapely.LineString(ends)], object)
    lines = reviewed.ReviewedLines(
        crs=CRS(UTM),
        lines=line,
        width_mm=np.array([0.2]),
        image_id=np.array([None], object),
        without_width=0,
        other_classes={},
    )
    maps = Maps(
        lines=lines,
        found=FoundLines(None, np.zeros(0, object), np.zeros(0, object)),
        area=None,
        seam_mm=20.0,
        image_ids=frozenset(),
    )
    (part,) = cut(maps.on(image), 448)
    mask = mask_of(part, maps.on(image), np.ones((100, 100), bool)) == 255
    assert mask[:, 12:88].any(axis=0).all()
    assert mask.sum(axis=0).max() <= 2


def test_a_line_beyond_the_domain_of_the_images_crs_is_not_on_them() -> None:
    image = image_of("1.tif")
    to_degrees = Transformer.from_crs(UTM, 4326, always_xy=True)
    here = shapely.transform(
        shapely.LineString([(500_000.02, 5_399_999.95), (500_000.08, 5_399_999.95)]),
        lambda xy: np.column_stack(to_degrees.transform(xy[:, 0], xy[:, 1])),
    )
    lines = np.array([shapely.LineString([(-170, -90), (99, 91)]), here], object)
    ids = np.array([None, None], object)
    seen = reviewed.ReviewedLines(
        crs=CRS(4326),
        lines=lines,
        width_mm=np.array([4.0, 4.0]),
        image_id=ids,
        without_width=0,
        other_classes={},
    )
    maps = Maps(
        lines=seen,
        found=FoundLines(None, np.zeros(0, object), np.zeros(0, object)),
        area=None,
        seam_mm=20.0,
        image_ids=frozenset(),
    )
    assert len(maps.on(image).lines) == 1


@pytest.mark.parametrize("size_px", [1, 300, 1024, 1500, 1600, 5000])
def test_parts_partition_an_image(size_px: int) -> None:
    parts = grid_of_parts(size_px, 700, 1024)
    seen = np.zeros((size_px, 700), int)
    for part in parts:
        seen[part.row : part.row_stop, part.col : part.col_stop] += 1
    assert (seen == 1).all()
    assert max(part.height for part in parts) <= 1536
    assert max(part.height for part in parts) - min(part.height for part in parts) <= 1


def test_moved_lines_are_edits_and_small_differences_are_not() -> None:
    def lines(*coordinates: list[tuple[float, float]]) -> NDArray[np.object_]:
        return np.array([shapely.LineString(each) for each in coordinates], object)

    seen = shapely.box(0, 0, 100, 100)
    one = lines([(0, 50), (90, 50)])
    assert not differ(one, lines([(0, 52), (40, 52)], [(40, 52), (95, 52)]), seen)
    assert differ(one, lines([(0, 60), (90, 60)]), seen)
    assert differ(one, one[:0], seen)
    assert differ(one[:0], one, seen)
    assert not differ(one, one[:0], shapely.box(0, 60, 100, 100))


def test_negatives_are_a_share_of_the_cracked() -> None:
    image = image_of("1.tif")
    window = Window(0, 0, 1, 1)
    parts = [Part(image, number, window, number < 4, number == 4) for number in range(30)]

    def numbers(negatives: float, some: list[Part] = parts) -> set[int]:
        request = DatasetRequest(out=Path("p"), run=Path("r"), reviewed=Path("c"), negatives=negatives)
        return {part.number for part in choose(some, request)}

    assert numbers(0) == {0, 1, 2, 3, 4}
    assert len(numbers(0.5)) == 5 + 2
    assert numbers(0.5) < numbers(2) < numbers(100) == set(range(30))
    assert numbers(0.5, parts[::-1]) == numbers(0.5)
    assert numbers(0.5, parts[5:]) == set(range(5, 30))  # a road without cracks is all negatives


def test_images_of_one_name_have_stems_of_their_own() -> None:
    images = [image_of(name) for name in ("a/1.tif", "a_1.tif", "b/2-3.jpg")]
    stems = stems_of(images)
    assert stems["b/2-3.jpg"] == "b_2_3"
    assert len(set(stems.values())) == 3
    assert not any("-" in stem for stem in stems.values())
