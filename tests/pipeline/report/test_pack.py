"""What a page unpacks: whole numbers in bytes, lines as differences, one plane in metres."""

import base64
import itertools

import numpy as np
import pytest
import shapely
from pyproj import CRS, Geod, Transformer

from crackpipe.pipeline.report.packing import pack
from crackpipe.pipeline.report.packing.plane import plane_around


def read_varints(content: bytes) -> list[int]:
    """Plainly, a byte at a time."""
    found, value, shift = [], 0, 0
    for byte in content:
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            found.append(-((value + 1) // 2) if value % 2 else value // 2)
            value, shift = 0, 0
    return found


def test_small_numbers_take_one_byte() -> None:
    assert pack.varints(np.array([0, -1, 1, -2, 63, -64])) == bytes([0, 1, 2, 3, 126, 127])
    assert pack.varints(np.array([64])) == bytes([0x80, 0x01])
    assert pack.varints(np.zeros(0, np.int64)) == b""


def test_any_number_comes_back() -> None:
    rng = np.random.default_rng(1)
    values = (rng.integers(-(2**52), 2**52, 500) >> rng.integers(0, 52, 500)).astype(np.int64)
    assert read_varints(pack.varints(values)) == values.tolist()


def test_lines_come_back_within_a_step() -> None:
    lines = [[(10.0, 5.0), (10.5, 5.2), (11.0, 4.0)], [(-3.0, 2.0), (-3.0, 9.0)]]
    packed = pack.lines(np.array([shapely.LineString(line) for line in lines], object))
    counts = np.frombuffer(base64.b64decode(packed["vertices"]["data"]), "<u4")
    assert counts.tolist() == [3, 2]
    steps = np.array(read_varints(base64.b64decode(packed["steps"]))).reshape(-1, 2)
    first = np.zeros(2)
    starts = [0, 3, 5]
    for line, (low, high) in zip(lines, itertools.pairwise(starts), strict=True):
        first = first + steps[low]
        vertices = np.vstack([first, first + np.cumsum(steps[low + 1 : high], axis=0)])
        assert np.abs(vertices * pack.STEP_M - np.array(line)).max() <= pack.STEP_M / 2


def test_no_lines_are_packed_too() -> None:
    assert pack.lines(np.zeros(0, object))["count"] == 0


def test_values_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="do not fit into uint8"):
        pack.column(np.array([0, 256]), "uint8")


def test_missing_values_have_a_number_of_their_own() -> None:
    width = np.frombuffer(base64.b64decode(pack.hundredths(np.array([1.234, np.nan, 900.0]))["data"]), "<u2")
    assert width.tolist() == [123, 65535, 65534]
    share = np.frombuffer(base64.b64decode(pack.percent(np.array([0.5, np.nan]))["data"]), "u1")
    assert share.tolist() == [50, 255]


@pytest.mark.parametrize("code", [25832, 4326, 2263, 3857])
def test_the_plane_has_metres_in_every_crs(code: int) -> None:
    lon, lat = {25832: (9.0, 50.0), 4326: (9.0, 50.0), 2263: (-74.0, 40.7), 3857: (9.0, 60.0)}[code]
    geod = Geod(ellps="WGS84")
    there = geod.fwd(lon, lat, 37.0, 1000.0)[:2]
    to_crs = Transformer.from_crs(4326, code, always_xy=True)
    line = shapely.LineString([to_crs.transform(lon, lat), to_crs.transform(*there)])
    plane = plane_around(np.array([line], object), CRS.from_epsg(code))
    (placed, nothing) = plane.place(np.array([line, None], object))
    assert nothing is None
    assert placed.length == pytest.approx(1000.0, rel=2e-5)
    east, north = np.diff(shapely.get_coordinates(placed), axis=0)[0]
    assert np.degrees(np.arctan2(east, north)) == pytest.approx(37.0, abs=0.02)
