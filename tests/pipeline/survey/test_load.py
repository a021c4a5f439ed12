"""Every file that could be meant as an image is found once, and accepted or rejected with a reason."""

import os
import pickle
import struct
import subprocess
import sys
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from affine import Affine
from PIL import Image
from rasterio.enums import ColorInterp

from crackpipe.pipeline.config import Config
from crackpipe.pipeline.errors import ConfigurationError, ImageRejectedError, UsageError
from crackpipe.pipeline.image import SurveyImage
from crackpipe.pipeline.raster import gdal
from crackpipe.pipeline.survey.accept import inspect
from crackpipe.pipeline.survey.files.candidates import Candidate
from crackpipe.pipeline.survey.files.formats import SUPPORTED_SUFFIXES
from crackpipe.pipeline.survey.load import load_survey

UTM_1_MM = Affine(0.001, 0, 500000, 0, -0.001, 5500000)
GREY = np.full((1, 40, 60), 120, np.uint8)
RGB = np.full((3, 40, 60), 120, np.uint8)
SECRET = "root:x:0:0"


def write(path: Path, values: np.ndarray = RGB, **profile: Any) -> Path:
    """Write values (bands, h, w) as a GeoTIFF in UTM with 1 mm pixels, but for what `profile` says."""
    path.parent.mkdir(parents=True, exist_ok=True)
    bands, height, width = values.shape
    profile = {"driver": "GTiff", "crs": "EPSG:25832", "transform": UTM_1_MM, **profile}
    colours = profile.pop("colorinterp", None)
    tags = profile.pop("tags", {})
    with rasterio.open(
        path, "w", count=bands, height=height, width=width, dtype=values.dtype, **profile
    ) as dataset:
        if colours:
            dataset.colorinterp = colours
        dataset.update_tags(**tags)
        dataset.write(values)
    return path


def look(path: Path, **options: Any) -> SurveyImage:
    """Inspect one file as the only one of its folder."""
    return inspect(Candidate(path.name, path.parent.name, path, path.parent), Config(**options))


def refusal(path: Path, **options: Any) -> ImageRejectedError:
    with pytest.raises(ImageRejectedError) as caught:
        look(path, **options)
    assert caught.value.message and caught.value.remedy
    return caught.value


# ---- finding


def test_links_are_followed_inside_the_survey_only(tmp_path: Path) -> None:
    survey, outside = tmp_path / "survey", tmp_path / "outside"
    write(survey / "a.tif")
    write(outside / "secret.tif")
    (survey / "inside.tif").symlink_to("a.tif")
    (survey / "leaving.tif").symlink_to(outside / "secret.tif")
    (survey / "dangling.tif").symlink_to("absent.tif")
    (survey / "circle.tif").symlink_to("circle.tif")
    (survey / "folder").symlink_to(outside)
    (survey / "up").symlink_to("..")
    (survey / "loop").symlink_to(".")
    found = load_survey([survey], Config())
    assert [image.image_id for image in found.images] == ["a.tif"]
    assert {r.image_id: r.reason for r in found.rejected} == {
        "inside.tif": "duplicate",
        "circle.tif": "unreadable-file",
        "dangling.tif": "file-missing",
        "folder": "symlink-outside",
        "leaving.tif": "symlink-outside",
        "up": "symlink-outside",
    }


def test_names_that_are_not_utf8_are_rejected_by_a_printable_id(tmp_path: Path) -> None:
    with open(os.fsencode(tmp_path) + b"/stra\xdfe.tif", "wb") as file:  # noqa: PTH123 (Path has no bytes)
        file.write(b"II*\x00")
    (rejected,) = load_survey([tmp_path], Config()).rejected
    assert (rejected.image_id, rejected.reason) == ("stra\\udcdfe.tif", "name-not-utf8")


def test_survey_toml_gives_the_date(tmp_path: Path) -> None:
    write(tmp_path / "a.tif", tags={"TIFFTAG_DATETIME": "2024:12:31 23:59:59"})
    assert look(tmp_path / "a.tif").acquired == date(2024, 12, 31)
    (tmp_path / "survey.toml").write_text("acquired = 2025-05-01\n")
    assert load_survey([tmp_path], Config()).images[0].acquired == date(2025, 5, 1)
    (tmp_path / "survey.toml").write_text("acquired = 'yesterday'\n")
    with pytest.raises(ConfigurationError, match="'yesterday', but must be a date"):
        load_survey([tmp_path], Config())


def test_exif_gives_the_date_of_a_photograph(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0x9003] = "2023:06:15 08:30:00"  # DateTimeOriginal
    exif[0x0132] = "2024:01:01 00:00:00"  # DateTime, when it was last saved
    exif[0x010E] = b"Stra\xdfe"  # a description that is not UTF-8
    Image.new("RGB", (60, 40)).save(tmp_path / "a.jpg", exif=exif)
    (tmp_path / "a.jgw").write_text("0.001 0 0 -0.001 500000 5500000")
    assert look(tmp_path / "a.jpg", assume_crs="EPSG:25832").acquired == date(2023, 6, 15)


# ---- accepting


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


@pytest.mark.parametrize("suffix", sorted(SUPPORTED_SUFFIXES | {".TIF", ".Jpg"}))
def test_the_first_bytes_say_what_a_file_is_not_its_suffix(tmp_path: Path, suffix: str) -> None:
    assert look(write(tmp_path / f"a{suffix}")).driver == "GTiff"


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


# ---- rejecting


def _cut(path: Path, part: float) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * part)])


def test_files_that_are_no_images(tmp_path: Path) -> None:
    (tmp_path / "empty.tif").touch()
    (tmp_path / "text.jpg").write_text("hello")
    (tmp_path / "header.tif").write_bytes(b"II*\x00\x08\x00\x00\x00" + b"\xff" * 50)
    (tmp_path / "short.tif").write_bytes(b"II*\x00")
    (tmp_path / "scan.bmp").write_bytes(b"BM")
    (tmp_path / "folder.tif").mkdir()
    os.mkfifo(tmp_path / "pipe.tif")
    found = load_survey([tmp_path], Config())
    assert found.images == ()
    assert {r.image_id: r.reason for r in found.rejected} == {
        "empty.tif": "empty-file",
        "header.tif": "not-an-image",
        "pipe.tif": "not-a-file",
        "scan.bmp": "not-supported",
        "short.tif": "truncated",
        "text.jpg": "not-an-image",
    }


def test_damage_that_shows_only_when_the_header_is_asked_is_no_defect(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tif", gcps=[rasterio.control.GroundControlPoint(0, 0, 1, 2)], transform=None)
    sound, damaged = struct.pack("<4H", 1024, 0, 1, 1), struct.pack("<4H", 1024, 120, 1, 1)
    path.write_bytes(path.read_bytes().replace(sound, damaged))  # the key's value would lie in tag 120
    path.with_suffix(".wld").write_text("0.001 0 0 -0.001 500000 5500000")
    error = refusal(path, assume_crs="EPSG:25832")
    assert (error.reason, error.message) == (
        "not-an-image",
        "GDAL cannot open a.tif: Key 1024 of unknown type.",
    )


def test_vrt_disguised_as_tif_is_never_followed(tmp_path: Path) -> None:
    (tmp_path / "passwd").write_text(SECRET)
    vrt = f"""<VRTDataset rasterXSize="40" rasterYSize="40"><VRTRasterBand dataType="Byte" band="1"
        subClass="VRTRawRasterBand"><SourceFilename>{tmp_path}/passwd</SourceFilename></VRTRasterBand></VRTDataset>"""
    (tmp_path / "a.tif").write_text(vrt)
    assert refusal(tmp_path / "a.tif").reason == "not-an-image"


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


@pytest.mark.parametrize("part", [0.1, 0.5, 0.99])
@pytest.mark.parametrize(
    ("name", "profile"),
    [
        ("a.tif", {"compress": "deflate", "tiled": True, "blockxsize": 64, "blockysize": 64}),
        ("a.tif", {}),
        ("a.tif", {"interleave": "band", "BIGTIFF": "YES"}),
        ("a.jpg", {"driver": "JPEG", "transform": None}),
        ("a.png", {"driver": "PNG", "transform": None}),
    ],
)
def test_truncated_files(tmp_path: Path, name: str, profile: dict[str, Any], part: float) -> None:
    values = np.random.default_rng(1).integers(0, 255, (3, 300, 400), dtype=np.uint8)
    path = write(tmp_path / name, values, **profile)
    path.with_suffix(".jgw").write_text("0.001 0 0 -0.001 500000 5500000")
    path.with_suffix(".pgw").write_text("0.001 0 0 -0.001 500000 5500000")
    look(path, assume_crs="EPSG:25832")
    _cut(path, part)
    assert refusal(path, assume_crs="EPSG:25832").reason == "truncated"


def test_a_thumbnail_does_not_hide_that_a_jpeg_is_cut(tmp_path: Path) -> None:
    values = np.random.default_rng(1).integers(0, 255, (3, 300, 400), dtype=np.uint8)
    thumbnail = write(tmp_path / "thumb.jpg", RGB, driver="JPEG", transform=None).read_bytes()
    picture = write(tmp_path / "a.jpg", values, driver="JPEG", transform=None)
    picture.with_suffix(".jgw").write_text("0.001 0 0 -0.001 500000 5500000")
    segment = b"\xff\xe2" + (len(thumbnail) + 2).to_bytes(2, "big") + thumbnail
    content = picture.read_bytes()[:2] + segment + picture.read_bytes()[2:]
    # after the picture, cameras may append a preview longer than the end that is looked at first
    picture.write_bytes(content + bytes(200_000))
    look(picture, assume_crs="EPSG:25832")
    picture.write_bytes(content[:-1000])
    assert refusal(picture, assume_crs="EPSG:25832").reason == "truncated"


def test_a_file_whose_writer_was_killed_is_not_a_sound_road(tmp_path: Path) -> None:
    size = {"width": 256, "height": 256, "count": 3, "dtype": "uint8"}
    tiles = {"driver": "GTiff", "tiled": True, "blockxsize": 64, "blockysize": 64, "sparse_ok": True}
    profile: dict[str, Any] = {**size, **tiles, "crs": "EPSG:25832", "transform": UTM_1_MM}
    path = tmp_path / "a.tif"
    with rasterio.open(path, "w", **profile):
        pass
    error = refusal(path)
    assert error.reason == "never-written"
    assert "none of its 16 blocks" in error.message
    with rasterio.open(path, "w", **profile) as dataset:
        dataset.write(np.ones((3, 64, 64), np.uint8), window=rasterio.windows.Window(64, 0, 64, 64))
    assert look(path).has_missing_blocks


def test_bombs_are_refused_before_a_pixel_is_decoded(tmp_path: Path) -> None:
    common = {"driver": "GTiff", "count": 1, "dtype": "uint8", "crs": "EPSG:25832", "sparse_ok": True}
    with rasterio.open(
        tmp_path / "huge.tif", "w", width=65536, height=65536, tiled=True, transform=UTM_1_MM, **common
    ):
        pass
    tile = {"tiled": True, "blockxsize": 32768, "blockysize": 32768}
    with rasterio.open(
        tmp_path / "block.tif", "w", width=4000, height=4000, transform=UTM_1_MM, **tile, **common
    ):
        pass
    with rasterio.open(
        tmp_path / "thin.tif", "w", width=1, height=1_500_000, blockysize=50000, transform=UTM_1_MM, **common
    ):
        pass
    tile = {"tiled": True, "blockxsize": 16, "blockysize": 16}
    with rasterio.open(
        tmp_path / "many.tif", "w", width=40000, height=40000, transform=UTM_1_MM, **tile, **common
    ):
        pass
    assert refusal(tmp_path / "huge.tif").reason == "too-large"
    assert refusal(tmp_path / "thin.tif").reason == "too-large"
    assert refusal(tmp_path / "many.tif").reason == "too-many-blocks"
    assert refusal(tmp_path / "block.tif").reason == "block-too-large"


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


def test_a_wrong_assumed_crs_is_one_usage_error(tmp_path: Path) -> None:
    write(tmp_path / "a.tif", crs=None)
    with pytest.raises(UsageError, match="--assume-crs 'Utopia' cannot be used"):
        load_survey([tmp_path], Config(assume_crs="Utopia"))


def test_good_images_stand_beside_bad_ones(tmp_path: Path) -> None:
    write(tmp_path / "good.tif")
    (tmp_path / "bad.tif").touch()
    found = load_survey([tmp_path], Config())
    assert [image.image_id for image in found.images] == ["good.tif"]
    assert [rejected.image_id for rejected in found.rejected] == ["bad.tif"]


def test_gdal_has_no_driver_that_follows_references_in_a_fresh_process() -> None:
    lines = [
        "import rasterio",  # even before crackpipe
        "from crackpipe.pipeline.raster import reader as read",
        "with rasterio.Env() as environment:",
        "    print(*environment.drivers())",
    ]
    run = subprocess.run([sys.executable, "-c", "\n".join(lines)], check=True, capture_output=True, text=True)
    drivers = set(run.stdout.split())
    assert drivers >= {"GTiff", "JPEG", "PNG"}
    assert not drivers & {"VRT", "GTI", "DERIVED", "HTTP", "WMS", "WMTS", "WCS", "OGCAPI", "STACIT", "STACTA"}


def test_gdal_opens_nothing_but_three_formats(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="driver is 'VRT'"):
        gdal.open_raster(tmp_path / "a.tif", "VRT")
    with pytest.raises(ValueError, match="virtual file system"):
        gdal.open_raster(Path("/vsicurl/http://localhost/a.tif"), "GTiff")


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
