"""Which image counts a piece of ground: the one that sees it deepest."""

import numpy as np
import pytest
import shapely
from frames import UTM32, frame, line, lines
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from crackpipe.pipeline.tables.overlaps.own_ground import own_parts
from crackpipe.pipeline.tables.overlaps.parts import cut
from crackpipe.pipeline.tables.overlaps.plane import Frame, areas_of

TOLERANCE_M = 0.03


def own(frames: list[Frame], *seen: tuple[int, shapely.LineString]) -> list[tuple[int, float, float]]:
    """(line, from, to) of what each image keeps, in metres."""
    areas = areas_of(frames, UTM32, 30.0)
    parts = own_parts(lines([each for _, each in seen]), np.array([image for image, _ in seen]), areas)
    metres = areas.per_metre[0]
    return list(zip(parts.line.tolist(), parts.start / metres, parts.stop / metres, strict=True))


def test_an_image_alone_keeps_everything() -> None:
    assert own([frame(0, 0)], (0, line((0.5, -0.1), (0.5, -0.9)))) == [(0, 0.0, pytest.approx(0.8, rel=1e-3))]


def test_the_seam_lies_midway_and_lines_go_on_for_half_a_tolerance() -> None:
    two = [frame(0, 0), frame(0, -0.4)]  # both see from 0.4 to 1.0 south; the seam is at 0.7
    found = own(two, (0, line((0.5, 0), (0.5, -1))), (1, line((0.5, -0.4), (0.5, -1.4))))
    assert found == [
        (0, 0.0, pytest.approx(0.7 + TOLERANCE_M / 2, abs=2e-3)),
        (1, pytest.approx(0.3 - TOLERANCE_M / 2, abs=2e-3), pytest.approx(1.0, rel=1e-3)),
    ]


def test_of_two_equal_images_both_keep_all() -> None:
    """Which of them counts is for `doubles` to say."""
    crack = line((0.1, -0.1), (0.9, -0.8))
    assert [each[0] for each in own([frame(0, 0), frame(0, 0)], (0, crack), (1, crack))] == [0, 1]


def test_what_an_image_did_not_inspect_is_not_its_ground() -> None:
    """The second image is masked but for its northernmost 100 px, where the first one is deeper."""
    masked = frame(0, -0.4, inspected="POLYGON ((0 0, 1000 0, 1000 100, 0 100, 0 0))")
    crack = line((0.5, -0.1), (0.5, -0.99))
    assert own([frame(0, 0), masked], (0, crack)) == [(0, 0.0, pytest.approx(0.89, rel=1e-3))]
    nothing = frame(0, -0.4, inspected="POLYGON EMPTY")
    assert own([frame(0, 0), nothing], (0, crack)) == [(0, 0.0, pytest.approx(0.89, rel=1e-3))]


def test_a_small_image_within_a_large_one_takes_nothing_from_its_middle() -> None:
    large, small = frame(0, 0, height_px=3000, width_px=3000), frame(1.3, -1.3, height_px=400, width_px=400)
    crack = line((0.1, -1.5), (2.9, -1.5))
    assert own([large, small], (0, crack), (1, line((1.3, -1.5), (1.7, -1.5))))[0][2] > 2.79


coordinates = st.floats(-0.6, 0.6)


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.tuples(coordinates, coordinates, st.floats(0, 90)), min_size=2, max_size=4),
    st.lists(st.tuples(coordinates, coordinates), min_size=2, max_size=4, unique=True),
)
def test_every_point_is_kept_by_the_deepest_image(
    places: list[tuple[float, float, float]], points: list[tuple[float, float]]
) -> None:
    frames = [frame(x, y, turned_deg=turn) for x, y, turn in places]
    areas = areas_of(frames, UTM32, 30.0)
    way = line(*points)
    seen = [shapely.intersection(way, polygon) for polygon in areas.polygons]
    pieces = [
        (image, part)
        for image, each in enumerate(seen)
        for part in shapely.get_parts(each)
        if part.geom_type == "LineString" and part.length > 1e-6
    ]
    assume(pieces)
    image, geometries = np.array([each[0] for each in pieces]), lines([each[1] for each in pieces])
    parts = own_parts(geometries, image, areas)
    kept = cut(geometries, parts, shapely.length(geometries))
    for index, polygon in enumerate(areas.polygons):
        mine = shapely.union_all(kept[image[parts.line] == index])
        for arc in np.linspace(0, way.length, 40):
            point = shapely.line_interpolate_point(way, arc)
            depths = [
                shapely.distance(each.boundary, point) * (1 if each.covers(point) else -1)
                for each in areas.polygons
            ]
            others = max(depth for other, depth in enumerate(depths) if other != index)
            margin = depths[index] - others
            if polygon.covers(point) and depths[index] > 1e-6 and margin > -TOLERANCE_M + 0.004:
                assert mine.distance(point) < 1e-6
            if others > 0.002 and margin < -TOLERANCE_M - 0.004:
                assert mine.is_empty or mine.distance(point) > 1e-6
