"""The vehicle's track from the places of images alone."""

import numpy as np
import pytest
from pyproj import CRS

from crackpipe.pipeline.errors import UsageError
from crackpipe.pipeline.sections.routes.track import routes_of
from crackpipe.pipeline.tables.overlaps.plane import Frame

UTM32 = CRS("EPSG:25832")


def north(*metres: float) -> list[Frame]:
    """Frames of 2 m, 1 mm a pixel, with their middles so far north of one place."""
    corners = np.array([(-1, 1), (1, 1), (1, -1), (-1, -1)]) + np.array([500_000.0, 5_400_000.0])
    ground = np.array([[0.0, 1e-3], [-1e-3, 0.0]])
    return [Frame(corners + np.array([0.0, each]), 2000, 2000, ground) for each in metres]


def ids(count: int) -> list[str]:
    return [f"drive/{index}.tif" for index in range(count)]


def test_frames_that_overlap_by_more_than_95_per_cent_make_a_track() -> None:
    """21 frames every 9 cm: 1.8 m from middle to middle, and half a frame at each end."""
    routes = routes_of(ids(21), north(*np.arange(21) * 0.09), UTM32)
    assert [part.ground_m[-1] for part in routes.parts] == pytest.approx([3.8], abs=0.01)
    assert not any("no track" in note for note in routes.notes)


def test_images_that_stand_still_lie_on_the_track() -> None:
    routes = routes_of(ids(5), north(0, 1.5, 1.55, 3, 3.02), UTM32)
    assert [part.ground_m[-1] for part in routes.parts] == pytest.approx([5], abs=0.01)
    assert not any("no track" in note for note in routes.notes)


def test_a_vehicle_that_only_stands_makes_no_track() -> None:
    with pytest.raises(UsageError, match="make no track"):
        routes_of(ids(3), north(0, 0.05, 0.02), UTM32)
