"""What is said of an image that is accepted, and which georeferences and pixels are not."""

import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from affine import Affine
from rasterio.enums import ColorInterp
from rasters.survey_files import GREY, RGB, SECRET, UTM_1_MM, look, refusal, write

from crackpipe.pipeline.config import Config
from crackpipe.pipeline.survey.load import load_survey


def test_a_geotiff_is_described(tmp_path: Path) -> None:
    path = write(tmp_path / "a #?! ü.tif", tiled=True, blockxsize=16, blockysize=16)
    image = look(path)
    assert (image.driver, image.height_px, image.width_px, image.bands) == ("GTiff", 40, 60, 3)
    assert (image.dtype, image.nodata, image.mask, image.acquired) == ("uint8", None, None, None)
    assert image.transform == UTM_1_MM
    assert image.gsd_mm == pytest.approx(1 / 0.9996, rel=1e-6)
    assert image.ground_matrix == pytest.approx(np.array([[0, 1], [-1, 0]]) * 0.001 / 0.9996, abs=1e-8)
    assert image.footprint[2].tolist() == pytest.approx([500000.06, 5499999.96])
    assert image.size_bytes == path.stat().st_size
    assert not image.has_missing_blocks
    assert image.warnings == ()
    assert pickle.loads(pickle.dumps(image)) == image


@pytest.mark.parametrize(("driver", "name"), [("JPEG", "a.jpg"), ("JPEG", "a.jpeg"), ("PNG", "a.png")])
@pytest.mark.parametrize("world", ["{0}gw", "wld", "{1}w", "{0}GW"])
def test_jpeg_and_png_have_a_world_file_and_a_prj(tmp_path: Path, driver: str, name: str, world: str) -> None:
    path = write(tmp_path / name, driver=driver, crs=None, transform=None)
    ending = world.format(name[2], name[2:])
    world_file = path.with_suffix("." + (ending.upper() if "GW" in ending else ending))
    # the CENTRE of the first pixel
    world_file.write_text("0.001\n0.0\n0.0\n-0.001\n500000.0005\n5499999.9995\n")
    assert look(path, assume_crs="25832").crs_wkt == look(path, assume_crs="EPSG:25832").crs_wkt
    path.with_suffix(".prj").write_text(rasterio.crs.CRS.from_epsg(25832).to_wkt(version="WKT1_ESRI"))
    image = look(path)
    assert image.driver == driver
    assert tuple(image.transform) == pytest.approx(tuple(UTM_1_MM), abs=1e-9)
    assert image.gsd_mm == pytest.approx(1 / 0.9996, rel=1e-6)


def test_a_plain_tiff_may_have_a_world_file(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tif", crs=None, transform=None)
    path.with_suffix(".tfw").write_text("0.0 0.001 0.001 0.0 500000 5500000")
    image = look(path, assume_crs="EPSG:25832")
    assert tuple(image.transform)[:6] == pytest.approx((0, 0.001, 499999.9995, 0.001, 0, 5499999.9995))


def test_the_georeference_inside_a_file_beats_its_neighbours(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tif")
    path.with_suffix(".tfw").write_text("0.001 0 0 -0.001 500000.5005 5499999.9995")
    Path(f"{path}.aux.xml").write_text("<PAMDataset><SRS>EPSG:4326</SRS></PAMDataset>")
    path.with_suffix(".prj").write_text(rasterio.crs.CRS.from_epsg(3857).to_wkt())
    image = look(path)
    assert image.transform == UTM_1_MM
    assert "UTM zone 32N" in image.crs_wkt
    assert [" ".join(warning.split()[:3]) for warning in image.warnings] == [
        "a.tif.aux.xml holds a",
        "a.tfw disagrees by",
    ]
    assert "500 px" in image.warnings[1]
    path.with_suffix(".tfw").write_text("0.001 0 0 -0.001 500000.0005 5499999.9995")
    assert len(look(path).warnings) == 1


@pytest.mark.parametrize(
    ("crs", "transform", "gsd_mm"),
    [
        ("EPSG:2263", Affine(0.003, 0, 1e6, 0, -0.003, 2e5), 0.914404),  # US survey feet
        ("EPSG:4326", Affine(1.349e-8, 0, 11.5, 0, -8.993e-9, 48.1), 1.0025),  # degrees
        ("EPSG:3857", Affine(0.0015, 0, 1280174, 0, -0.0015, 6124000), 1.0025),  # Web Mercator
        ("EPSG:25832", UTM_1_MM @ Affine.rotation(30), 1.0004),  # rotated
        ("EPSG:25832", UTM_1_MM @ Affine.shear(10, 0), 1.0004),
        ("EPSG:25832", UTM_1_MM @ Affine.scale(1, -1), 1.0004),  # mirrored
        ("EPSG:5555", UTM_1_MM, 1.0004),  # with heights
    ],
)
def test_gsd_is_true_on_the_ground(tmp_path: Path, crs: str, transform: Affine, gsd_mm: float) -> None:
    image = look(write(tmp_path / "a.tif", crs=crs, transform=transform))
    assert image.gsd_mm == pytest.approx(gsd_mm, rel=2e-3)
    assert tuple(image.transform) == pytest.approx(tuple(transform), rel=1e-12)


def test_assume_gsd_corrects_the_pixel_size(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tif", transform=Affine(1, 0, 500000, 0, -1, 5500000))
    assert refusal(path).reason == "gsd-out-of-range"
    image = look(path, assume_gsd_mm=1.5)
    assert image.gsd_mm == pytest.approx(1.5, rel=1e-9)
    assert (image.transform.c, image.transform.f) == (500000, 5500000)


def test_assume_gsd_leaves_a_trusted_pixel_size_alone(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tif")
    assert look(path, assume_gsd_mm=2.0).transform == UTM_1_MM
    # a narrower range is the way to correct one that is plausible and wrong all the same
    assert look(path, assume_gsd_mm=2.0, gsd_min_mm=1.5).gsd_mm == pytest.approx(2.0, rel=1e-9)


@pytest.mark.parametrize("limit_mm", [0.25, 6.0])
def test_a_gsd_may_be_assumed_at_either_end_of_the_range(tmp_path: Path, limit_mm: float) -> None:
    for number, turn_deg in enumerate(range(0, 90, 15)):
        transform = Affine(0.03, 0, 500000, 0, -0.03, 5500000) @ Affine.rotation(turn_deg)
        path = write(tmp_path / f"{number}.tif", transform=transform)
        assert look(path, assume_gsd_mm=limit_mm).gsd_mm == pytest.approx(limit_mm, rel=1e-6)


@pytest.mark.parametrize(
    ("values", "colours", "layout"),
    [
        (GREY, None, ((1, 1, 1), None)),
        (GREY.repeat(2, 0), ["gray", "alpha"], ((1, 1, 1), 2)),
        (RGB, None, ((1, 2, 3), None)),
        (RGB, ["blue", "green", "red"], ((3, 2, 1), None)),
        (GREY.repeat(4, 0), ["red", "green", "blue", "alpha"], ((1, 2, 3), 4)),
        (GREY.repeat(5, 0), ["undefined", "red", "green", "blue", "alpha"], ((2, 3, 4), 5)),
    ],
)
def test_bands_are_chosen_by_their_meaning(tmp_path: Path, values: Any, colours: Any, layout: Any) -> None:
    kinds = [ColorInterp[name] for name in colours] if colours else None
    image = look(write(tmp_path / "a.tif", values, colorinterp=kinds))
    assert (image.layout.colour, image.layout.alpha) == layout


def test_a_mask_beside_the_image_is_taken_as_geotiff_only(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tif")
    mask = Path(f"{path}.msk")
    write(mask, GREY)
    found = look(path).mask
    assert found is not None
    assert found.path == mask
    write(mask, GREY[:, :20])
    assert refusal(path).reason == "mask-unreadable"
    mask.write_text('<VRTDataset rasterXSize="60" rasterYSize="40"></VRTDataset>')
    assert "not a GeoTIFF" in refusal(path).message
    mask.unlink()
    mask.symlink_to(path)
    assert "it is a link" in refusal(path).message


@pytest.mark.parametrize(
    ("name", "beside"),
    [
        ("a.tif", "a.tif.MSK"),
        ("A.TIF", "a.tif.msk"),
        ("m\u00fcde.tif", "mu\u0308de.tif.msk"),  # as macOS writes it
    ],
)
def test_a_mask_is_found_in_any_spelling(tmp_path: Path, name: str, beside: str) -> None:
    path, mask = write(tmp_path / name), write(tmp_path / beside, GREY)
    found = look(path).mask
    assert found is not None
    assert found.path == mask
    mask.rename(tmp_path / "elsewhere.tif")
    mask.symlink_to("elsewhere.tif")
    assert "it is a link" in refusal(path).message


def test_a_mask_of_an_image_in_another_case_is_not_taken(tmp_path: Path) -> None:
    upper, lower = write(tmp_path / "A.tif"), write(tmp_path / "a.tif")
    write(tmp_path / "a.tif.msk", GREY)
    assert look(upper).mask is None
    assert look(lower).mask is not None


@pytest.mark.parametrize("name", ["a.jgw", "a.prj"])
def test_messages_never_quote_a_neighbour(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / "a.jpg", driver="JPEG", crs=None, transform=None)
    path.with_suffix(".jgw").write_text("0.001 0 0 -0.001 500000 5500000")
    (tmp_path / name).unlink(missing_ok=True)
    (tmp_path / "passwd").write_text(SECRET)
    (tmp_path / name).symlink_to(tmp_path / "passwd")
    error = refusal(path, assume_crs=None if name == "a.prj" else "EPSG:25832")
    assert error.reason in ("world-file-unusable", "crs-unusable")
    assert "root" not in error.message + error.remedy
    assert error.__cause__ is None


@pytest.mark.parametrize(
    "content", ["1 2 3 4 5", "1 2 3 4 5 6 7", "a b c d e f", "nan 0 0 1 0 0", "0 0 0 0 1 1", "", "1 " * 9000]
)
def test_unusable_world_files(tmp_path: Path, content: str) -> None:
    path = write(tmp_path / "a.jpg", driver="JPEG", crs=None, transform=None)
    path.with_suffix(".jgw").write_text(content)
    assert refusal(path, assume_crs="EPSG:25832").reason in ("world-file-unusable", "transform-unusable")


@pytest.mark.parametrize(
    ("profile", "reason"),
    [
        ({"crs": None}, "no-crs"),
        ({"transform": None}, "no-transform"),
        ({"crs": None, "transform": None}, "no-crs"),
        ({"transform": Affine(0.001, 0, float("nan"), 0, -0.001, 5500000)}, "transform-unusable"),
        ({"transform": Affine(0.01, 0, 5e5, 0, -0.01, 5.5e6)}, "gsd-out-of-range"),
        ({"transform": Affine(1e-4, 0, 5e5, 0, -1e-4, 5.5e6)}, "gsd-out-of-range"),
        ({"crs": "EPSG:4326"}, "crs-unusable"),  # coordinates of another CRS
        ({"crs": 'LOCAL_CS["site",UNIT["metre",1]]'}, "crs-unusable"),
    ],
)
def test_georeferences_that_cannot_be_used(tmp_path: Path, profile: dict[str, Any], reason: str) -> None:
    path = write(tmp_path / "a.tif", **profile)
    assert refusal(path).reason == reason
    if reason == "gsd-out-of-range":
        assert look(path, allow_gsd=True).image_id == "a.tif"


@pytest.mark.parametrize(
    ("values", "profile", "reason"),
    [
        (GREY.repeat(2, 0), {}, "bands-unsupported"),
        (GREY.repeat(7, 0), {"photometric": "minisblack"}, "bands-unsupported"),
        (RGB.astype(np.float32), {}, "dtype-unsupported"),
        (RGB.astype(np.int16), {}, "dtype-unsupported"),
        ((GREY > 200).astype(np.uint8), {"nbits": 1}, "dtype-unsupported"),
    ],
)
def test_pixels_that_are_no_photograph(
    tmp_path: Path, values: Any, profile: dict[str, Any], reason: str
) -> None:
    assert refusal(write(tmp_path / "a.tif", values, **profile)).reason == reason


def test_a_rejection_keeps_what_is_known(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tif", transform=Affine(0.01, 0, 5e5, 0, -0.01, 5.5e6))
    (rejected,) = load_survey([tmp_path], Config()).rejected
    assert (rejected.height_px, rejected.width_px) == (40, 60)
    assert rejected.gsd_mm == pytest.approx(10.004, rel=1e-4)
    assert rejected.size_bytes == path.stat().st_size
    footprint = rejected.footprint
    assert footprint is not None
    assert footprint[2].tolist() == pytest.approx([500000.6, 5499999.6])
    assert "10 mm" in rejected.message
    assert pickle.loads(pickle.dumps(rejected)) == rejected


def test_one_text_for_a_crs_whatever_was_opened_before() -> None:
    """In a process whose first CRS came out of a file, and in one whose first came out of the registry."""
    script = (
        "import sys; from pyproj import CRS; from crackpipe.pipeline.geometry.crs import horizontal_crs\n"
        "from rasterio.crs import CRS as FileCRS\n"
        "if sys.argv[1] == 'registry': CRS.from_epsg(25832).to_wkt()\n"
        "print(horizontal_crs(FileCRS.from_epsg(25832).to_wkt()).to_wkt())"
    )
    texts = {
        subprocess.run(
            [sys.executable, "-c", script, first], capture_output=True, text=True, check=True
        ).stdout
        for first in ("file", "registry")
    }
    assert len(texts) == 1
