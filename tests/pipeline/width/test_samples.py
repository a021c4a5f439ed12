"""Which pixels lie beside which window: each once, at its true distance."""

import numpy as np
import pytest
import shapely

from crackpipe.pipeline.geometry.grid import Window
from crackpipe.pipeline.width.samples import luma_tables, owners_of, samples_of, with_grey
from crackpipe.pipeline.width.windows import paths_of, windows_of


def arc(radius_px: float) -> np.ndarray:
    """A quarter of a circle round (20, 20)."""
    angle = np.linspace(0.0, np.pi / 2, 200)
    return 20.0 + radius_px * np.column_stack([np.sin(angle), np.cos(angle)])


@pytest.mark.parametrize("angle_deg", [0, 10, 44, 45, 46, 90, 135, 200])
def test_every_pixel_of_a_straight_band_once(angle_deg: float) -> None:
    angle = np.radians(angle_deg)
    tangent = np.array([np.sin(angle), np.cos(angle)])
    line = np.array([100.3, 100.6]) + np.array([[-60.0], [60.0]]) * tangent
    paths = paths_of([line], [1.5])
    samples = samples_of(paths, windows_of(paths, 200.0), np.array([9.0]))
    pixels = list(zip(samples.row.tolist(), samples.col.tolist(), strict=True))
    assert len(set(pixels)) == len(pixels)
    # all pixels of the band, but for the ends, which are cut along the pixel grid
    row, col = np.mgrid[0:200, 0:200]
    along = (row - 100.3) * tangent[0] + (col - 100.6) * tangent[1]
    across = tangent[0] * (col - 100.6) - tangent[1] * (row - 100.3)
    inner = (np.abs(across) <= 9.0) & (np.abs(along) < 50.0)
    assert set(zip(row[inner].tolist(), col[inner].tolist(), strict=True)) <= set(pixels)
    assert np.allclose(samples.offset_px, across[samples.row, samples.col])


def test_distances_from_a_curve() -> None:
    line = arc(60.0)
    paths = paths_of([line], [1.5])
    samples = samples_of(paths, windows_of(paths, 1000.0), np.array([9.0]))
    points = shapely.points(samples.row, samples.col)
    true = shapely.distance(points, shapely.LineString(line))
    beside = np.isin(np.arange(len(true)), np.flatnonzero((samples.row > 21) & (samples.col > 21)))
    assert np.abs(np.abs(samples.offset_px) - true)[beside & (true < 4)].max() < 0.02
    assert np.abs(np.abs(samples.offset_px) - true)[beside].max() < 0.15


def test_pixels_near_two_lines_belong_to_none() -> None:
    lines = [np.array([[20.0, 5.0], [20.0, 60.0]]), np.array([[20.0, 60.0], [50.0, 60.0]])]
    paths = paths_of(lines, [1.0, 1.0])
    owner = owners_of(paths, Window(10, 0, 60, 100), 0.7)
    assert owner[10, 20] == 0  # (20, 20): on the first line
    assert owner[30, 60] == 1  # (40, 60): on the second
    assert owner[10, 60] == -2  # (20, 60): where they meet
    assert owner[0, 20] == -1


def test_what_is_outside_invalid_or_another_lines_is_left_out() -> None:
    lines = [np.array([[20.0, 5.0], [20.0, 60.0]]), np.array([[26.0, 5.0], [26.0, 60.0]])]
    paths = paths_of(lines, [1.0, 1.0])
    windows = windows_of(paths, 100.0)
    outer = Window(0, 0, 40, 50)
    valid = np.ones((40, 50), bool)
    valid[:, :10] = False
    image = np.full((40, 50, 3), 100, np.uint8)
    samples = samples_of(paths, windows, np.array([9.0, 9.0]))
    owner = owners_of(paths, outer, 0.7)
    found = with_grey(samples, windows.line, owner, outer, image=image, valid=valid, tone="linear")
    assert set(found.col.tolist()) == set(range(10, 50))
    first = found.row[found.window == 0]
    assert 20 in first and 26 not in first
    assert np.allclose(found.grey, 100.0, atol=1e-4)


def test_luma() -> None:
    assert luma_tables("linear").sum(axis=0)[[0, 128, 255]].tolist() == pytest.approx([0, 128, 255], abs=1e-3)
    # sRGB 128 is 21.6 % of white's light
    assert luma_tables("srgb").sum(axis=0)[[0, 128, 255]].tolist() == pytest.approx([0, 55.04, 255], abs=0.01)
    with pytest.raises(ValueError, match="linear or srgb"):
        luma_tables("gamma")
