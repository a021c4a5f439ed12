"""Black and white collars that nobody declared, and what only looks like one."""

import io

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from crackpipe.pipeline.geometry.grid import Window
from crackpipe.pipeline.raster.validity import collar, fill, spoilt
from crackpipe.pipeline.raster.validity.collar import Ground, collars_of
from crackpipe.pipeline.raster.windows import Pixels

Picture = NDArray[np.uint8]
SHAPE = (600, 700)
RNG = np.random.default_rng(0)
ROAD = RNG.integers(90, 150, (*SHAPE, 3), dtype=np.uint8)
ROW, COL = np.indices(SHAPE)


def picture(where: NDArray[np.bool_], value: int | NDArray[np.integer]) -> Picture:
    return np.where(where[..., None], value, ROAD).astype(np.uint8)


def found_in(rgb: Picture, *, lossy: bool = False, gsd_mm: float = 1.0) -> NDArray[np.bool_]:
    """Pixels in a collar, bool (h, w)."""
    height, width = rgb.shape[:2]
    whole = Window(0, 0, height, width)

    def read(window: Window) -> Pixels:
        part = rgb[window.within(whole)]
        return part, np.zeros(part.shape[:2], np.uint8)

    result = np.zeros((height, width), bool)
    for each in collars_of(Ground(height, width, gsd_mm, lossy, read)):
        pixels = each.read(whole)
        assert pixels is not None
        result |= pixels
    return result


CORNER = 2 * ROW + COL < 200
OPPOSITE = ROW + 3 * COL > 2300
TURNED = (np.abs(ROW - 300) * 0.99 + np.abs(COL - 350) * 0.12 > 297) | (COL + 0.12 * ROW < 36)


def rimmed(where: NDArray[np.bool_], rim_px: int = collar.MIXED_PX) -> NDArray[np.bool_]:
    side_px = 2 * rim_px + 1
    return np.asarray(ndimage.binary_dilation(where, np.ones((side_px, side_px))))


SIDE = COL < 60
LINE = COL < 2
MARGIN = (COL < 30) | (COL > 660) | (ROW < 40) | (ROW > 570)


@pytest.mark.parametrize("where", [CORNER, OPPOSITE, CORNER | OPPOSITE, SIDE, LINE, MARGIN])
@pytest.mark.parametrize("value", [0, 3, 253, 255])
def test_a_collar_is_found_to_the_pixel_with_its_mixed_edge(where: NDArray[np.bool_], value: int) -> None:
    # a narrow white strip along a side is paint
    gsd_mm = 200.0 if value > 200 and where is not MARGIN else 1.0
    assert np.array_equal(found_in(picture(where, value), gsd_mm=gsd_mm), rimmed(where))


def noise(deviation: float) -> NDArray[np.integer]:
    return np.clip(np.rint(np.random.default_rng(1).normal(0, deviation, (*SHAPE, 1))), 0, 255).astype(int)


@pytest.mark.parametrize(
    "rgb",
    [
        ROAD,
        picture((COL > 300) & (COL < 450), 255),
        picture(COL < 150, 255),
        picture(COL > 600, 255),
        picture((COL < 120) & (ROW > 80), 255),
        picture(np.abs(COL - 500 - ROW / 3) < 40, 255),
        picture((COL > 300) & (COL < 312), 0),
        picture((np.abs(ROW - COL) < 5) & (ROW > 20), 0),
        picture(ROW > 500, noise(3.0)),
        picture(np.hypot(ROW - 600, COL - 350) < 300, noise(2.0)),
        picture(ROW < 300, np.clip((ROW[..., None] - 150) // 2, 0, 90)),
        picture(np.full(SHAPE, True), np.clip(255 - (ROW + COL)[..., None] // 6, 0, 255)),
        picture((ROW < 20) & (COL < 20), 0),
    ],
    ids=[
        "road", "lane line", "lane line at the side", "lane line at the other side", "part of a lane line",
        "lane line through a corner", "joint", "black crack",
        "bonnet", "round shadow", "shadow that fades", "glare that fades", "black spot in the corner",
    ],
)  # fmt: skip
def test_what_is_no_collar(rgb: Picture) -> None:
    assert not found_in(rgb).any()


def overexposed(deviation_grey: float, slope: float) -> Picture:
    """A road of grains of some px that grows brighter to the right, up to far beyond white."""
    grains = ndimage.gaussian_filter(np.random.default_rng(2).normal(0, 1, SHAPE), 1.5)
    grey = 150 + slope * COL + deviation_grey * grains / grains.std()
    return picture(np.full(SHAPE, True), np.clip(grey[..., None], 0, 255).astype(np.uint8))


@pytest.mark.parametrize("lossy", [False, True])
@pytest.mark.parametrize("deviation_grey", [10.0, 30.0])
@pytest.mark.parametrize("slope", [0.2, 1.0])
def test_overexposed_road_is_no_collar(deviation_grey: float, slope: float, lossy: bool) -> None:
    rgb = overexposed(deviation_grey, slope)
    assert (rgb == 255).mean() > 0.05
    assert not found_in(as_jpeg(rgb) if lossy else rgb, lossy=lossy).any()


@pytest.mark.parametrize("lossy", [False, True])
def test_white_road_with_cracks_is_no_collar(lossy: bool) -> None:
    cracks = (np.abs(COL - 300 - 30 * np.sin(ROW / 50)) < 2) | (np.abs(ROW - 200 - COL / 5) < 1)
    rgb = np.where(cracks[..., None], ROAD, 255).astype(np.uint8)
    assert not found_in(as_jpeg(rgb) if lossy else rgb, lossy=lossy).any()


def as_jpeg(rgb: Picture) -> Picture:
    file = io.BytesIO()
    Image.fromarray(rgb).save(file, "JPEG", quality=85)
    return np.asarray(Image.open(file))


STAIRS = COL < 80 + ROW // 40 * 8
RAGGED = (80 + ROW // 8 + np.random.default_rng(3).integers(-5, 6, SHAPE[0])[:, None]) > COL


@pytest.mark.parametrize("lossy", [False, True])
@pytest.mark.parametrize("value", [0, 255])
@pytest.mark.parametrize("where", [STAIRS, RAGGED, CORNER], ids=["stairs", "ragged", "corner"])
def test_an_outline_may_be_ragged_and_half_of_the_road_in_shadow(
    where: NDArray[np.bool_], value: int, lossy: bool
) -> None:
    light = np.where(ROW + COL < 650, 0.35, 1.0)[..., None]
    rgb = np.where(where[..., None], value, ROAD * light).astype(np.uint8)
    gsd_mm = 5.0 if value == 255 else 1.0  # a narrow white strip is paint
    found = found_in(as_jpeg(rgb) if lossy else rgb, lossy=lossy, gsd_mm=gsd_mm)
    assert found[where].mean() > 0.999
    if not lossy:
        assert np.array_equal(found, rimmed(where))
    assert not found[~rimmed(where, 20)].any()


def test_a_black_picture_is_all_collar() -> None:
    assert found_in(np.zeros((*SHAPE, 3), np.uint8)).all()


@pytest.mark.parametrize("tile_px", [16, 37, 64, 128])
def test_a_collar_does_not_depend_on_tiles(tile_px: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A spiral comes back to tiles that were filled before."""
    spiral = MARGIN | ((COL > 100) & (COL < 110) & (ROW < 500)) | ((ROW > 490) & (ROW < 500) & (COL > 100))
    rgb = picture(spiral, 0)
    expected = found_in(rgb)
    assert np.array_equal(expected, rimmed(spiral))
    monkeypatch.setattr(fill, "TILE_PX", tile_px)
    assert np.array_equal(found_in(rgb), expected)


def test_values_that_lossy_compression_left_around_a_collar_belong_to_it() -> None:
    rgb = picture(SIDE, 0)
    rgb[:, 52:60] = np.where(RNG.random((SHAPE[0], 8, 1)) < 0.5, 20, rgb[:, 52:60])
    assert not found_in(rgb)[:, 52:60].all()
    assert np.array_equal(found_in(rgb, lossy=True), rimmed(SIDE, spoilt.RIM_PX))


def test_good_frames_pay_for_their_corners_only() -> None:
    asked: list[Window] = []

    def read(window: Window) -> Pixels:
        asked.append(window)
        part = ROAD[window.within(Window(0, 0, *SHAPE))]
        return part, np.zeros(part.shape[:2], np.uint8)

    assert collars_of(Ground(*SHAPE, 1.0, False, read)) == []
    side_px = collar.CORNER_PX
    assert asked == [Window(row, col, side_px, side_px) for row in (0, 568) for col in (0, 668)]
