"""Several classes through a whole run, by a real network that tells them by colour."""

import json
from dataclasses import replace
from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import rasterio
import zarr
from colours import CLASSES, save_colour_weights
from drawn import line_of
from frames import UTM32, survey_image, transform_at
from helpers import tree_hash
from numpy.typing import NDArray
from rasterio.transform import from_origin
from run_record import form_faults
from widths import SMALL

from crackpipe.pipeline.calibrate.calibrate import calibrate
from crackpipe.pipeline.config import Config
from crackpipe.pipeline.geometry.grid import Window
from crackpipe.pipeline.masks import values
from crackpipe.pipeline.masks.group import read_window
from crackpipe.pipeline.request import Request
from crackpipe.pipeline.run import run
from crackpipe.pipeline.tables.collect import Staged, collect
from crackpipe.pipeline.tables.crack_rows import Piece, crack_rows, write_rows
from crackpipe.pipeline.tables.overlaps.plane import Frame
from crackpipe.pipeline.tasks.classes import numbered_on
from crackpipe.pipeline.trace.lines import Line
from crackpipe.pipeline.width.row_width import UNMEASURED

SIZE = (400, 600)
RED, GREEN, BLUE = (95, 65, 65), (60, 90, 60), (190, 190, 230)


def painted() -> NDArray[np.uint8]:
    """A road with a vertical crack, two crossing joints over it, and a rectangle of paint."""
    rng = np.random.default_rng(5)
    image = (140 + rng.normal(0, 3, SIZE))[..., None].repeat(3, axis=-1)
    image[100:250, 350:500] = BLUE
    image[:, 180:185] = RED
    image[60:66] = GREEN
    image[:, 540:546] = GREEN
    return np.rint(image).astype(np.uint8)


def write_road(folder: Path, image: NDArray[np.uint8]) -> None:
    folder.mkdir()
    height, width, _ = image.shape
    profile = {"driver": "GTiff", "height": height, "width": width, "count": 3, "dtype": "uint8"}
    transform = from_origin(500_000, 5_400_000, 0.001, 0.001)
    with rasterio.open(folder / "road.tif", "w", crs="EPSG:25832", transform=transform, **profile) as target:
        target.write(np.moveaxis(image, -1, 0))


@pytest.fixture(scope="module")
def survey(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("colours") / "survey"
    write_road(folder, painted())
    return folder


def made(survey: Path, out: Path, weights: Path, **config: object) -> Path:
    run(Request((survey,), out, Config(weights=str(weights), **config), serial=True))  # type: ignore[arg-type]
    return out


@pytest.fixture(scope="module")
def finished(survey: Path) -> Path:
    weights = save_colour_weights(survey.parent / "colours.safetensors")
    return made(survey, survey.parent / "out", weights)


def test_mask_holds_the_class_and_probability_is_its_own(finished: Path) -> None:
    group = zarr.open_group(finished / "masks.zarr" / "road.tif", mode="r")
    mask, probability = np.asarray(group["mask"]), np.asarray(group["probability"])
    assert mask[200, 182] == 1 and mask[63, 300] == 2 and mask[180, 400] == 3 and mask[350, 50] == 0
    assert (mask[:, 181:184][[20, 200, 390]] == 1).all()
    assert (probability[mask > 0] >= 127).all() and (probability[mask == 0] < 127).all()
    assert group["mask"].attrs["flag_meanings"] == "sound crack joint lane_paint not_inspected"
    assert group["probability"].attrs["long_name"] == "probability of the most probable class"


def test_lines_have_the_class_of_their_mask(finished: Path) -> None:
    table = gpd.read_parquet(finished / "cracks.parquet")
    length = table.groupby("class").length_m.sum()
    assert set(length.index) == {"crack", "joint"}  # paint is an area
    # one crack, the joint across it bridged; a joint along and one across
    assert length["crack"] == pytest.approx(0.400, abs=0.004)
    assert length["joint"] == pytest.approx(0.400 + 0.600, abs=0.010)
    networks = table.groupby("network_id")["class"].nunique()
    assert (networks == 1).all() and len(networks) == 2


def test_only_cracks_have_widths_and_count(finished: Path) -> None:
    table = gpd.read_parquet(finished / "cracks.parquet")
    cracks, joints = table[table["class"] == "crack"], table[table["class"] == "joint"]
    assert cracks.width_mm.between(4.0, 6.0).all()
    assert joints.width_mm.isna().all() and joints.width_class.isna().all()
    assert joints.orientation_deg.notna().all()
    [row] = gpd.read_parquet(finished / "images.parquet").to_dict("records")
    assert row["crack_length_m"] == pytest.approx(cracks.length_m.sum(), abs=1e-12)
    record = json.loads((finished / "run.json").read_text())
    assert form_faults(record) == []
    assert record["counts"]["cracks"] == len(cracks)
    assert record["counts"]["length_m"] == pytest.approx(cracks.length_m.sum(), abs=1e-3)
    found = record["classes"]
    assert list(found) == list(CLASSES)
    assert found["joint"]["rows"] == len(joints) and found["joint"]["kind"] == "line"
    assert found["lane_paint"]["mask_m2"] == pytest.approx(0.150 * 0.150, rel=0.02)
    assert found["lane_paint"]["rows"] == 0


def test_any_cut_gives_the_same_bytes(survey: Path, finished: Path, tmp_path: Path) -> None:
    """Chunks of another size hold the same values; tables are the same to the byte."""
    weights = survey.parent / "colours.safetensors"
    cut = made(survey, tmp_path / "out", weights, block_cores=1, unit_tiles=1)
    for table in ("cracks.parquet", "images.parquet"):
        assert tree_hash(cut)[table] == tree_hash(finished)[table]
    whole = Window(0, 0, *SIZE)
    one, other = (read_window(out / "masks.zarr" / "road.tif", whole) for out in (cut, finished))
    assert (one[0] == other[0]).all() and (one[1] == other[1]).all()


def test_renamed_weights_have_one_name_in_all_of_a_result(survey: Path, tmp_path: Path) -> None:
    """Nothing is done again, for the network is the same."""
    first = save_colour_weights(tmp_path / "first.safetensors")
    out = made(survey, tmp_path / "out", first)
    made(survey, out, first.rename(tmp_path / "second.safetensors"))
    assert set(gpd.read_parquet(out / "cracks.parquet").weights) == {"second"}
    record = json.loads((out / "run.json").read_text())
    assert (record["weights"]["name"], record["counts"]["images_run"]) == ("second", 0)


def test_kinds_decide_what_counts(survey: Path, tmp_path: Path) -> None:
    """The same network whose metadata call joints cracks: they are measured and counted too."""
    weights = save_colour_weights(tmp_path / "w.safetensors", kinds=("crack", "crack", "area"))
    out = made(survey, tmp_path / "out", weights)
    table = gpd.read_parquet(out / "cracks.parquet")
    assert table[table["class"] == "joint"].width_mm.notna().any()
    [row] = gpd.read_parquet(out / "images.parquet").to_dict("records")
    assert row["crack_length_m"] == pytest.approx(table.length_m.sum(), abs=1e-12)


def test_paint_beside_a_crack_is_no_pavement_to_measure_it_against(tmp_path: Path) -> None:
    image = np.full((300, 200, 3), 140.0) + np.random.default_rng(6).normal(0, 3, (300, 200, 1))
    image[:, 100:104] = RED
    image[:, 105:160] = BLUE
    weights = save_colour_weights(tmp_path / "w.safetensors")
    write_road(tmp_path / "survey", np.rint(image).astype(np.uint8))
    out = made(tmp_path / "survey", tmp_path / "out", weights)
    assert gpd.read_parquet(out / "cracks.parquet").width_mm.tolist() == pytest.approx([4.0], abs=0.3)


def test_contrast_is_that_of_cracks(survey: Path, finished: Path) -> None:
    """Windows along 0.4 m of crack, none along 1 m of joints."""
    weights = str(survey.parent / "colours.safetensors")
    contrast = calibrate([survey], Config(weights=weights), places=1).contrast
    assert contrast is not None and 5 <= contrast.stretches <= 9


def numbers(line: Line) -> tuple[int, int, int, int]:
    return line.network, line.start_node, line.end_node, line.mask_value


def test_lines_of_another_class_share_no_network_and_no_node() -> None:
    line = line_of(0, (0, 0), (0, 0))
    before = [line, replace(line, network=1, start_node=4, end_node=3)]
    [moved] = numbered_on([line], before, 2)
    assert numbers(moved) == (2, 5, 6, 2)
    assert [numbers(one) for one in numbered_on(before, [], 1)] == [numbers(one) for one in before]


def test_one_class_of_several_by_eye() -> None:
    mask = np.array([[0, 1, 2], [255, 2, 3]], np.uint8)
    probability = np.array([[9, 200, 210], [255, 220, 230]], np.uint8)
    own, of_own = values.of_classes(mask, probability, [2])
    assert own.tolist() == [[0, 0, 2], [255, 2, 0]]
    assert of_own.tolist() == [[9, 0, 210], [255, 220, 0]]


# ---- where images meet


def staged(
    folder: Path, image_id: str, down_m: float, class_name: str, line: list[tuple[int, int]]
) -> Staged:
    image = survey_image(image_id, UTM32, transform_at(0, -down_m))
    width = SMALL if class_name == "crack" else UNMEASURED
    piece = Piece(
        vertices=np.array(line, float),
        network=0,
        closes_cell=False,
        width=width,
        confidence=0.9,
        bridged_px=0.0,
        class_name=class_name,
    )
    write_rows(crack_rows([piece], image, weights="w"), folder / f"{image_id}.parquet")
    frame = Frame(image.footprint, image.height_px, image.width_px, image.ground_matrix)
    return Staged(image_id, folder / f"{image_id}.parquet", frame, "survey", "w")


@pytest.mark.parametrize("second", ["crack", "joint"])
def test_a_line_goes_on_only_in_one_of_its_class(tmp_path: Path, second: str) -> None:
    """Two images of 1 m, the second 0.6 m further down; one line down through both."""
    images = [
        staged(tmp_path, "a", 0.0, "crack", [(100, 500), (999, 500)]),
        staged(tmp_path, "b", 0.6, second, [(0, 500), (900, 500)]),
    ]
    corners = [each.frame.corners for each in images]
    figures = collect(images, corners, UTM32, tmp_path / "cracks.parquet")
    table = gpd.read_parquet(tmp_path / "cracks.parquet")
    assert sorted(table["class"]) == sorted(["crack", second])
    assert table.network_id.nunique() == (1 if second == "crack" else 2)
    counted = sum(each.crack_length_m for each in figures.values())
    assert counted == pytest.approx(table[table["class"] == "crack"].length_m.sum(), abs=1e-12)
    assert counted == pytest.approx(1.4 if second == "crack" else 0.715, abs=0.02)
