"""Drives side by side, each with an offset of its own."""

import numpy as np
import shapely
from years.two_years import Found, wandering

from crackpipe.pipeline.compare.flat.lines import Lines
from crackpipe.pipeline.compare.registration.layers import layered

LANES = wandering(1, 100, 100.0), [each.moved(np.array([0.0, 3.5])) for each in wandering(2, 100, 100.0)]
OFFSETS = np.array([0.3, 0.2]), np.array([-0.3, -0.4])


def lines(cracks: list[Found]) -> Lines:
    first = np.cumsum([0, *(len(each.line) for each in cracks)])
    return Lines(np.concatenate([each.line for each in cracks]), first)


def test_two_lanes_that_were_driven_by_themselves_have_two_offsets() -> None:
    # of the second lane there is less, so that the first field is that of the first lane
    older, newer = LANES[0] + LANES[1][:60], []
    for lane, offset in zip((LANES[0], LANES[1][:60]), OFFSETS, strict=True):
        newer += [each.moved(offset) for each in lane]
    found = layered(lines(older), lines(newer), 1.0)
    assert len(found.further) == 1
    away = np.hypot(*(found.moved(lines(older)).xy - lines(newer).xy).T)
    assert np.mean(away < 0.01) > 0.98


def test_one_drive_has_one_field_whatever_was_patched_and_is_new() -> None:
    older = LANES[0]
    newer = [each.moved(OFFSETS[0]) for each in [*older[:60], *wandering(3, 40, 100.0)]]
    found = layered(lines(older), lines(newer), 1.0)
    assert found.further == () and not found.layer.any()


def test_what_the_second_lane_lost_has_the_offset_of_its_lane() -> None:
    lost = Found(LANES[1][0].line + np.array([3.0, 0.0]), "lost")
    older = [*LANES[0], *LANES[1][:60], lost]
    newer = [each.moved(OFFSETS[0]) for each in LANES[0]] + [each.moved(OFFSETS[1]) for each in LANES[1][:60]]
    found = layered(lines(older), lines(newer), 1.0)
    np.testing.assert_allclose(found.moved(lines(older)).xy[-1], lost.line[-1] + OFFSETS[1], atol=0.02)


def test_points_and_inspected_ground_have_the_offset_of_the_cracks_there() -> None:
    older, newer = [*LANES[0], *LANES[1][:60]], [each.moved(OFFSETS[0]) for each in LANES[0]]
    newer += [each.moved(OFFSETS[1]) for each in LANES[1][:60]]
    found = layered(lines(older), lines(newer), 1.0)
    moved = found.moved(lines(older))
    there = np.array([[50.0, 1.0], [50.0, 6.0]])  # one in each lane
    np.testing.assert_allclose(found.back(there + OFFSETS, moved), there, atol=0.02)
    # each lane's own image, and one without a crack, which has the first field
    images = np.array([shapely.box(40, *y) for y in ((0, 60, 3.5), (3.5, 60, 7), (20, 60, 23.5))], object)
    by = [*OFFSETS, OFFSETS[0]]
    for image, seen, offset in zip(images, found.moved_areas(images, moved), by, strict=True):
        np.testing.assert_allclose(seen.bounds, np.add(image.bounds, [*offset, *offset]), atol=0.05)
