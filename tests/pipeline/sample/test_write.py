"""Rendered surveys on disk: where the images lie, what they show, and the truth beside them."""

import hashlib
from dataclasses import replace
from pathlib import Path

import geopandas
import numpy as np
import pytest
import rasterio
from affine import Affine
from paths import ROOT
from pyproj import CRS

from crackpipe.model.render.cracks import Crack
from crackpipe.model.render.picture import Scene, clean_scene, render_window
from crackpipe.pipeline.errors import OutputNotWritableError, UsageError
from crackpipe.pipeline.geometry.grid import Window
from crackpipe.pipeline.geometry.ground import ground_matrix, gsd_mm_of, world_of_pixel
from crackpipe.pipeline.sample.files import ground_transform, write_image
from crackpipe.pipeline.sample.truth import TruthImage, clip_crack, truth_table
from crackpipe.pipeline.sample.write import Frame, demo_frames, write_frame, write_survey, write_truth
from crackpipe.pipeline.survey.sidecars import prj, world_files

UTM = CRS.from_epsg(25832)
UTM_1_MM = Affine(0.001, 0, 500000, 0, -0.001, 5500000)
PLACES = [(25832, 9.94, 53.57), (2263, -73.84, 40.73), (4326, 9.94, 53.57), (3857, 9.94, 53.57)]


def scene_with_crack(height_px: int = 120, width_px: int = 160) -> Scene:
    crack = Crack(np.array([[60.0, -20.0], [60.0, 300.0]]), np.array([2.0, 4.0]), 60.0)
    return clean_scene(height_px, width_px, 1, (crack,))


def digest(folder: Path) -> dict[str, str]:
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    return {p.relative_to(folder).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


# ---- where images lie


@pytest.mark.parametrize(("epsg", "lon", "lat"), PLACES)
@pytest.mark.parametrize("heading_deg", [0.0, 38.0, 200.0])
def test_pixels_have_their_size_on_the_ground(epsg: int, lon: float, lat: float, heading_deg: float) -> None:
    crs = CRS.from_epsg(epsg)
    transform = ground_transform(crs, lon, lat, 0.8, size_px=(3000, 2000), heading_deg=heading_deg)
    ground = ground_matrix(transform, crs, 3000, 2000)
    angle = np.deg2rad(heading_deg)
    rows_step, cols_step = [-np.sin(angle), -np.cos(angle)], [np.cos(angle), -np.sin(angle)]
    assert ground == pytest.approx(0.0008 * np.column_stack([rows_step, cols_step]), abs=1e-8)


def test_the_world_file_and_prj_say_the_same_as_the_transform(tmp_path: Path) -> None:
    transform = ground_transform(UTM, 9.94, 53.57, 1.0, size_px=(120, 160), heading_deg=30.0)
    write_image(tmp_path / "a.jpg", scene_with_crack(), crs=UTM, transform=transform)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.jgw", "a.jpg", "a.prj"]
    assert world_files.read_world_file(tmp_path / "a.jgw").transform.almost_equals(transform, 1e-9)
    assert prj.read_prj(tmp_path / "a.prj") == UTM


# ---- what files show


def test_a_deflated_tiff_holds_the_scene_and_its_mask(tmp_path: Path) -> None:
    scene = scene_with_crack()
    write_image(tmp_path / "a.tif", scene, crs=UTM, transform=UTM_1_MM, mask_path=tmp_path / "m/a.tif")
    rgb, mask = render_window(scene, 0, 0, 120, 160)
    with rasterio.open(tmp_path / "a.tif") as image, rasterio.open(tmp_path / "m/a.tif") as truth:
        assert np.array_equal(image.read(), rgb[..., :1].transpose(2, 0, 1))
        assert np.array_equal(truth.read(1), mask)
        assert image.transform == truth.transform == UTM_1_MM
        assert image.crs == truth.crs == rasterio.crs.CRS.from_epsg(25832)
        assert image.block_shapes == [(160, 160)]


def test_a_window_of_a_scene_lies_where_it_was_cut(tmp_path: Path) -> None:
    scene = scene_with_crack()
    write_image(tmp_path / "a.tif", scene, crs=None, transform=None, window=Window(50, 20, 40, 70))
    with rasterio.open(tmp_path / "a.tif") as image:
        assert np.array_equal(image.read(1), render_window(scene, 50, 20, 40, 70)[0][..., 0])
        assert image.crs is None


def test_a_colour_jpeg_in_a_tiff_is_near_the_scene(tmp_path: Path) -> None:
    scene = scene_with_crack()
    scene = replace(scene, camera=replace(scene.camera, grey=False))
    write_image(tmp_path / "a.tif", scene, crs=UTM, transform=UTM_1_MM, compression="jpeg")
    rgb, _ = render_window(scene, 0, 0, 120, 160)
    with rasterio.open(tmp_path / "a.tif") as image:
        assert image.count == 3
        assert image.compression.name == "jpeg"
        assert np.abs(image.read().transpose(1, 2, 0).astype(int) - rgb).mean() < 6


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputNotWritableError, match=r"file/a\.tif"):
        write_image(tmp_path / "file/a.tif", scene_with_crack(), crs=None, transform=None)


# ---- truth


def test_a_crack_is_cut_at_the_edge_of_the_outer_pixels() -> None:
    # columns -20 to 300 with widths 2 to 4: cut at -0.5 and 159.5
    ((points, width_px),) = clip_crack(
        np.array([[60.0, -20.0], [60.0, 300.0]]), np.array([2.0, 4.0]), Window(0, 0, 120, 160)
    )
    assert points.tolist() == [[60.0, -0.5], [60.0, 159.5]]
    assert width_px == pytest.approx([2 + 2 * 19.5 / 320, 2 + 2 * 179.5 / 320])


def test_a_crack_that_leaves_and_returns_is_two() -> None:
    path = np.array([[2.0, 5.0], [-3.0, 5.0], [-3.0, 9.0], [2.0, 9.0], [4.0, 9.0]])
    parts = clip_crack(path, np.ones(5), Window(0, 0, 20, 20))
    assert [points.tolist() for points, _ in parts] == [
        [[2.0, 5.0], [-0.5, 5.0]],
        [[-0.5, 9.0], [2.0, 9.0], [4.0, 9.0]],
    ]
    ((moved, _),) = clip_crack(path, np.ones(5), Window(3, 4, 10, 10))
    assert moved.tolist() == [[-0.5, 5.0], [1.0, 5.0]]


@pytest.mark.parametrize(("epsg", "lon", "lat"), PLACES)
def test_truth_is_in_millimetres_and_metres_on_the_ground(epsg: int, lon: float, lat: float) -> None:
    crs = CRS.from_epsg(epsg)
    transform = ground_transform(crs, lon, lat, 2.0, size_px=(120, 160), heading_deg=25.0)
    image = TruthImage("a.tif", scene_with_crack(), Window(0, 0, 120, 160), crs, transform)
    table = truth_table([image], crs)
    assert table.length_m[0] == pytest.approx(0.320, rel=1e-4)
    assert table.width_mm[0] == pytest.approx([4 + 4 * 19.5 / 320, 4 + 4 * 179.5 / 320], rel=1e-4)
    assert np.array(table.geometry[0].coords)[0] == pytest.approx(
        world_of_pixel(transform, np.array([[60.0, -0.5]]))[0]
    )


def test_truth_of_several_crss_is_in_the_commonest(tmp_path: Path) -> None:
    zone_31 = CRS.from_epsg(25831)
    frames = []
    for name, crs in (("a.tif", zone_31), ("b.tif", UTM), ("c.tif", UTM)):
        transform = ground_transform(crs, 6.0, 50.0, 1.0, size_px=(120, 160))
        frames.append(
            Frame(
                name=name,
                scene=scene_with_crack(),
                window=Window(0, 0, 120, 160),
                crs=crs,
                transform=transform,
            )
        )
    frames.append(replace(frames[0], name="lost.tif", crs=None, transform=None))
    write_truth(frames, tmp_path)
    table = geopandas.read_parquet(tmp_path / "cracks.parquet")
    assert table.crs.to_epsg() == 25832
    assert table.image_id.tolist() == ["a.tif", "b.tif", "c.tif"]
    first, second = (np.array(table.geometry[i].coords) for i in (0, 1))
    assert first == pytest.approx(second, abs=0.02)


# ---- surveys


def test_a_strip_has_the_size_and_gsd_asked_for_and_the_same_bytes_again(tmp_path: Path) -> None:
    for name in ("a", "b"):
        survey = write_survey(
            tmp_path / name, seed=4, kind="strip", size_px=(600, 200), gsd_mm=1.5, epsg=25833
        )
        assert survey == tmp_path / name / "survey"
    assert digest(tmp_path / "a") == digest(tmp_path / "b")
    assert list(digest(tmp_path / "a")) == [
        "survey/strip.tif",
        "truth/cracks.parquet",
        "truth/masks/strip.tif",
    ]
    with rasterio.open(tmp_path / "a/survey/strip.tif") as image:
        assert (image.height, image.width, image.crs.to_epsg()) == (600, 200, 25833)
        ground = ground_matrix(image.transform, CRS.from_epsg(25833), 600, 200)
    assert gsd_mm_of(ground) == pytest.approx(1.5, rel=1e-6)


def test_options_that_the_demo_does_not_take(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--kind strip"):
        write_survey(tmp_path, kind="demo", gsd_mm=2.0)


def test_a_survey_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "survey").mkdir()
    (tmp_path / "survey" / "mine.tif").touch()
    with pytest.raises(OutputNotWritableError, match="not empty"):
        write_survey(tmp_path, kind="strip", size_px=(64, 64))


def test_the_demo_shows_every_form_a_survey_comes_in() -> None:
    frames = {frame.name: frame for frame in demo_frames(7)}
    placed = [frame for frame in frames.values() if frame.crs is not None]
    assert len(placed) == len(frames) - 1  # one for the quarantine
    assert {frame.crs.axis_info[0].unit_name for frame in placed if frame.crs} == {"metre", "US survey foot"}
    assert sum(name.endswith(".jpg") for name in frames) == 1
    assert sum(abs(frame.transform.b) > 1e-4 for frame in placed if frame.transform) >= 1
    assert max(frame.window.height / frame.window.width for frame in placed) == 5
    assert sum(frame.window.height * frame.window.width for frame in frames.values()) < 25e6


@pytest.mark.slow
def test_the_committed_sample_is_what_the_command_makes(tmp_path: Path) -> None:
    sample = ROOT / "sample_data"
    frames = demo_frames(7)
    committed = [*(sample / "survey").rglob("*"), *(sample / "truth").rglob("*")]  # not what a demo run made
    assert sum(p.stat().st_size for p in committed if p.is_file()) < 8e6
    frame = next(frame for frame in frames if frame.name == "lane2/no_crs.tif")
    write_frame(frame, tmp_path / "survey", tmp_path / "truth")
    write_truth(frames, tmp_path / "truth")
    with (
        rasterio.open(tmp_path / "survey" / frame.name) as made,
        rasterio.open(sample / "survey" / frame.name) as kept,
    ):
        # another processor may round a grey value the other way
        assert np.abs(made.read().astype(int) - kept.read()).mean() < 0.1
    made, kept = (geopandas.read_parquet(p / "truth/cracks.parquet") for p in (tmp_path, sample))
    assert made.image_id.tolist() == kept.image_id.tolist()
    assert made.length_m.to_numpy() == pytest.approx(kept.length_m.to_numpy(), rel=1e-6)
    assert np.concatenate(made.width_mm) == pytest.approx(np.concatenate(kept.width_mm), rel=1e-6)
