"""Only ground inside the polygons of --region is inspected, in whatever CRS polygons and images are."""

from dataclasses import replace
from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import rasterio
import shapely
from frames import ORIGIN, UTM32, survey_image, transform_at
from helpers import crack, tree_hash
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj import CRS, Transformer
from rasterio.transform import from_origin
from scipy import ndimage

from crackpipe.model.predict.predictor import Predictor
from crackpipe.model.render.picture import clean_scene, render_window
from crackpipe.pipeline.config import Config
from crackpipe.pipeline.errors import ConfigurationError
from crackpipe.pipeline.geometry.grid import Grid, Window
from crackpipe.pipeline.image import SurveyImage
from crackpipe.pipeline.masks import group
from crackpipe.pipeline.raster.reader import ImageReader
from crackpipe.pipeline.request import Request
from crackpipe.pipeline.run import run
from crackpipe.pipeline.survey import region
from crackpipe.pipeline.survey.region import Region, is_outside, limit, read_region

IMAGE = survey_image("a.tif", UTM32, transform_at(0.0, 0.0))  # 1 m to the east and south of ORIGIN


def square(east_m: float, north_m: float, east_stop_m: float, north_stop_m: float) -> shapely.Polygon:
    return shapely.transform(shapely.box(east_m, north_m, east_stop_m, north_stop_m), lambda xy: xy + ORIGIN)


def region_of(*polygons: shapely.Polygon, crs: CRS = UTM32) -> Region:
    return Region(Path("roads.gpkg"), crs, np.array(polygons, dtype=object))


def drawn(image: SurveyImage, block_cores: int = 8) -> np.ndarray:
    """The pixels inside, put together block by block."""
    grid, whole = Grid(image.height_px, image.width_px, 32, block_cores), Window(0, 0, 1000, 1000)
    pixels = np.zeros((image.height_px, image.width_px), np.bool_)
    for block in grid.blocks():
        inside = region.inside(image, block, grid.cores(block))
        pixels[block.within(whole)] = True if inside is None else inside
    return pixels


def test_pixels_whose_centre_is_inside() -> None:
    (image,) = limit([IMAGE], region_of(square(0.2503, -0.75, 2.0, -0.5)))
    expected = np.zeros((1000, 1000), np.bool_)
    expected[500:750, 250:] = True  # the centre of column 250 lies 0.2505 m from the edge
    assert np.array_equal(drawn(image), expected)


def test_all_and_nothing() -> None:
    region = region_of(square(-1, -2, 3, 1))
    beside = survey_image("b.tif", UTM32, transform_at(5.0, 0.0))
    all_inside, outside = limit([IMAGE, beside], region)
    assert all_inside == IMAGE
    assert is_outside(outside)
    assert not is_outside(all_inside)
    assert drawn(all_inside).all()
    assert not drawn(outside).any()


def test_a_region_that_ends_with_the_image_is_all_of_it() -> None:
    assert limit([IMAGE], region_of(square(0, -1, 1, 0)))[0].region is None


@pytest.mark.parametrize("crs", ["EPSG:4326", "EPSG:3857", "EPSG:25833", "EPSG:3035"])
@pytest.mark.parametrize("turned_deg", [0.0, 33.0])
def test_the_region_may_be_in_any_crs(crs: str, turned_deg: float) -> None:
    """The same ground, given in other coordinates: only pixels at the border may differ.

    PROJ's way to EPSG:3035 and back ends up to a tenth of a millimetre, a tenth of a pixel, aside.
    """
    image = survey_image("a.tif", UTM32, transform_at(0.0, 0.0, turned_deg=turned_deg))
    here = shapely.segmentize(square(0.2, -0.9, 0.7, -0.3), 0.05)
    to = Transformer.from_crs(UTM32, CRS(crs), always_xy=True)
    there = shapely.transform(here, lambda xy: np.column_stack(to.transform(*xy.T)))
    pixels = [drawn(limit([image], given)[0]) for given in (region_of(here), region_of(there, crs=CRS(crs)))]
    assert pixels[0].sum() > 100_000
    border = ndimage.binary_dilation(pixels[0]) & ~ndimage.binary_erosion(pixels[0])
    assert not (pixels[0] ^ pixels[1])[~border].any()


@settings(deadline=None, max_examples=25)
@given(
    corners=st.lists(st.tuples(st.integers(-50, 1050), st.integers(-50, 1050)), min_size=3, max_size=8),
    block_cores=st.integers(1, 3),
)
def test_pixels_do_not_depend_on_the_blocks(corners: list[tuple[int, int]], block_cores: int) -> None:
    hull = shapely.MultiPoint(np.array(corners)).convex_hull.buffer(0.3, join_style="mitre")
    image = replace(IMAGE, region=shapely.to_wkb(hull))
    assert np.array_equal(drawn(image, block_cores), drawn(image))


def test_a_polygon_of_many_corners_is_the_same_in_pieces(tmp_path: Path) -> None:
    angle = np.linspace(0, 2 * np.pi, 5000, endpoint=False)
    radius_m = 0.4 + 0.05 * np.sin(40 * angle)
    star = shapely.Polygon(
        np.column_stack([0.5 + radius_m * np.cos(angle), -0.5 + radius_m * np.sin(angle)]) + ORIGIN,
        [shapely.get_coordinates(square(0.4, -0.6, 0.6, -0.4))],
    )
    gpd.GeoDataFrame(geometry=[star], crs=UTM32).to_file(tmp_path / "star.gpkg")
    read = read_region(tmp_path / "star.gpkg")
    assert len(read.pieces) > 10
    assert np.array_equal(drawn(limit([IMAGE], read)[0]), drawn(limit([IMAGE], region_of(star))[0]))


def test_a_region_may_be_geoparquet(tmp_path: Path) -> None:
    gpd.GeoDataFrame({"name": ["road"]}, geometry=[square(0, -1, 1, 0)], crs=UTM32).to_parquet(
        tmp_path / "roads.parquet"
    )
    region = read_region(tmp_path / "roads.parquet")
    assert region.crs == UTM32
    assert limit([IMAGE], region)[0].region is None


def write(path: Path, geometry: list[shapely.Geometry], crs: object = UTM32, **options: str) -> Path:
    gpd.GeoDataFrame(geometry=geometry, crs=crs).to_file(path, **options)
    return path


def test_lines_are_no_region(tmp_path: Path) -> None:
    file = write(tmp_path / "roads.gpkg", [shapely.LineString([(0, 0), (1, 1)])])
    with pytest.raises(ConfigurationError, match=r"roads\.gpkg holds no polygon, but LineString .*Buffer"):
        read_region(file)


@pytest.mark.filterwarnings("ignore:'crs' was not provided")
def test_a_region_without_a_crs_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"roads\.gpkg names no CRS.*ogr2ogr -a_srs"):
        read_region(write(tmp_path / "roads.gpkg", [shapely.box(0, 0, 1, 1)], crs=None))


def test_several_layers_are_refused(tmp_path: Path) -> None:
    for layer in ("roads", "parcels"):
        file = write(tmp_path / "all.gpkg", [shapely.box(0, 0, 1, 1)], layer=layer)
    with pytest.raises(ConfigurationError, match=r"2 layers with geometries \(roads, parcels\)"):
        read_region(file)


@pytest.mark.parametrize("content", [None, b"", b"not a map"])
def test_what_cannot_be_read_is_named(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "roads.gpkg"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ConfigurationError, match=r"region .*roads\.gpkg cannot be read"):
        read_region(file)


def test_a_region_elsewhere_says_where_both_are() -> None:
    with pytest.raises(
        ConfigurationError, match=r"none of the 1 images: it spans x 500100 .* a\.tif lies at"
    ):
        limit([IMAGE], region_of(square(100, 100, 101, 101)))


# ---- a real run: one image in UTM zone 32, one in feet, one beside the region

FEET = CRS("EPSG:2229")  # California zone 5, US survey feet


def write_image(path: Path, corner: tuple[float, float], pixel: float, crs: CRS, seed: int) -> None:
    scene = clean_scene(800, 800, seed=seed, cracks=(crack(60, 80, 740, 700, 4.0),))
    rgb, _ = render_window(scene, 0, 0, 800, 800)
    profile = {
        "driver": "GTiff", "height": 800, "width": 800, "count": 3, "dtype": "uint8", "crs": crs.to_wkt(),
        "transform": from_origin(*corner, pixel, pixel), "tiled": True, "blockxsize": 256, "blockysize": 256,
    }  # fmt: skip
    path.parent.mkdir(parents=True, exist_ok=True)
    with rasterio.open(path, "w", **profile) as target:
        target.write(np.moveaxis(rgb, -1, 0))


@pytest.fixture(scope="module")
def survey(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("region") / "survey"
    write_image(folder / "utm.tif", (500_000.0, 5_400_000.0), 0.001, UTM32, 1)
    write_image(folder / "feet.tif", (6_500_000.0, 1_900_000.0), 0.001 * 3937 / 1200, FEET, 2)
    write_image(folder / "far.tif", (500_100.0, 5_400_000.0), 0.001, UTM32, 3)
    return folder


def lonlat(polygon: shapely.Polygon, crs: CRS) -> shapely.Polygon:
    to = Transformer.from_crs(crs, "EPSG:4326", always_xy=True)
    return shapely.transform(
        shapely.segmentize(polygon, 0.1), lambda xy: np.column_stack(to.transform(*xy.T))
    )


FOOT = 3937 / 1200
ROADS = [
    lonlat(square(-1.0, -2.0, 0.390, 1.0), UTM32),  # columns 0 to 389: two columns of cores of three
    # rows 400 on: two rows of cores of three
    lonlat(shapely.box(6_499_990, 1_899_990, 6_500_010, 1_900_000 - 0.4 * FOOT), FEET),
]


def test_a_run_inspects_only_the_region(
    survey: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(Request((survey,), tmp_path / "all", Config(), serial=True))
    seen: list[int] = []
    read: set[str] = set()
    begin, read_window = Predictor.begin, ImageReader.read
    monkeypatch.setattr(Predictor, "begin", lambda self, t: (seen.append(len(t)), begin(self, t))[1])
    monkeypatch.setattr(
        ImageReader, "read", lambda self, w: (read.add(self.image.image_id), read_window(self, w))[1]
    )
    config = Config(region=str(write(tmp_path / "roads.gpkg", ROADS, crs="EPSG:4326")))
    summary = run(Request((survey,), tmp_path / "out", config, serial=True))
    figures = summary.figures
    assert (figures.tiles, figures.skipped, figures.coarse, sum(seen)) == (12, 15, 2, 12 + 2)
    assert read == {"utm.tif", "feet.tif"}
    inside = {"utm.tif": (slice(None), slice(390)), "feet.tif": (slice(400, None), slice(None))}
    for name, where in inside.items():
        mask, probability = group.read_window(tmp_path / "out" / "masks.zarr" / name, Window(0, 0, 800, 800))
        whole = group.read_window(tmp_path / "all" / "masks.zarr" / name, Window(0, 0, 800, 800))
        expected = np.full((2, 800, 800), 255)
        expected[(slice(None), *where)] = np.array(whole)[(slice(None), *where)]
        assert np.array_equal([mask, probability], expected)
        assert (mask == 1).any()
    far, _ = group.read_window(tmp_path / "out" / "masks.zarr" / "far.tif", Window(0, 0, 800, 800))
    assert (far == 255).all()
    images = gpd.read_parquet(tmp_path / "out" / "images.parquet").set_index("image_id")
    assert (images.status == "done").all()
    assert images.loc["utm.tif", "inspected_m2"] == pytest.approx(0.39 * 0.8, rel=1e-2)
    assert images.loc["feet.tif", "inspected_m2"] == pytest.approx(0.4 * 0.8, rel=1e-2)
    assert images.loc["far.tif", "inspected_m2"] == 0
    cracks = gpd.read_parquet(tmp_path / "out" / "cracks.parquet")
    assert set(cracks.image_id) == {"utm.tif", "feet.tif"}


def test_another_region_does_again_only_what_it_changes(survey: Path, tmp_path: Path) -> None:
    file = write(tmp_path / "roads.gpkg", ROADS, crs="EPSG:4326")
    request = Request((survey,), tmp_path / "out", Config(region=str(file)), serial=True)
    assert run(request).images_run == 3
    assert run(request).unchanged
    write(
        file, [ROADS[0], lonlat(shapely.box(6_499_990, 1_899_990, 6_500_010, 1_900_010), FEET)], "EPSG:4326"
    )
    assert run(request).images_run == 1
    changed = tree_hash(tmp_path / "out")
    run(
        Request(
            (survey,), tmp_path / "anew", Config(region=str(file), block_cores=8, unit_tiles=1), serial=True
        )
    )
    assert tree_hash(tmp_path / "anew") == changed
