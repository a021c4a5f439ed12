"""Cracks of neighbouring images: counted once, and one network where they run on."""

import numpy as np
import pytest
import shapely
from frames import UTM32, frame, line, lines
from hypothesis import given, settings
from hypothesis import strategies as st

from crackpipe.pipeline.tables.crack_type import closing_cells
from crackpipe.pipeline.tables.overlaps.join import Joined, join
from crackpipe.pipeline.tables.overlaps.parts import cut
from crackpipe.pipeline.tables.overlaps.plane import Frame, areas_of

UPPER, LOWER = frame(0, 0), frame(0, -0.4)
"""Both see from 0.4 to 1.0 m south; the seam lies at 0.7."""
TILES = [frame(0, 0), frame(0, -1)]
"""They touch at 1.0 m south."""


def joined(frames: list[Frame], *seen: tuple[int, int, shapely.LineString]) -> tuple[Joined, float]:
    """What remains of (image, network, line), and its length in metres."""
    areas = areas_of(frames, UTM32, 30.0)
    image, network, geometries = (np.array([each[k] for each in seen]) for k in (0, 1, 2))
    found = join(lines(geometries.tolist()), image, network, areas)
    return found, float((found.parts.stop - found.parts.start).sum())


def networks(found: Joined, *of_lines: int) -> int:
    """Number of different networks of the lines that remain, given the networks of all lines."""
    return len({int(found.network[of_lines[each]]) for each in found.parts.line})


@pytest.mark.parametrize(
    ("along", "across"), [(0, 0), (0.01, 0), (-0.01, 0), (0, 0.01), (0, 0.025), (0.02, -0.02), (-0.028, 0.0)]
)
def test_a_crack_across_a_seam_counts_once_however_images_are_shifted(along: float, across: float) -> None:
    found, length = joined(
        [UPPER, LOWER],
        (0, 0, line((0.5, -0.1), (0.52, -0.999))),
        (1, 1, line((0.507 + across, -0.401 + along), (0.53 + across, -1.3 + along))),
    )
    assert length == pytest.approx(1.2 - along, abs=2e-3)
    assert networks(found, 0, 1) == 1 and len(found.parts.line) == 2
    assert found.nodes[0, 1] == found.nodes[1, 0]


@pytest.mark.parametrize("apart", [0.02, -0.02, 0.001])
def test_a_crack_along_a_seam_is_neither_lost_nor_doubled(apart: float) -> None:
    """Each image sees it on the other's side of the seam, or on its own."""
    found, length = joined(
        [UPPER, LOWER],
        (0, 0, line((0.2, -0.7 - apart / 2), (0.8, -0.7 - apart / 2))),
        (1, 1, line((0.205, -0.7 + apart / 2), (0.805, -0.7 + apart / 2))),
    )
    assert length == pytest.approx(0.6, abs=0.01)
    assert networks(found, 0, 1) == 1


def test_two_cracks_across_a_seam_stay_two() -> None:
    upper = [(0, k, line((x, -0.1), (x, -0.99))) for k, x in enumerate((0.3, 0.4))]
    lower = [(1, 2 + k, line((x, -0.41), (x, -1.3))) for k, x in enumerate((0.3, 0.4))]
    found, length = joined([UPPER, LOWER], *upper, *lower)
    assert length == pytest.approx(2.4, abs=2e-3)
    assert found.network.tolist() == [0, 1, 0, 1]


def test_a_crack_that_crosses_another_ones_is_no_double() -> None:
    """The later image alone sees the crack across, which meets the earlier one's in the band of the seam."""
    found, length = joined(
        [UPPER, LOWER],
        (0, 0, line((0.1, -0.7), (0.9, -0.7))),
        (1, 1, line((0.1, -0.7), (0.9, -0.7))),
        (1, 2, line((0.5, -0.6), (0.5, -1.2))),
    )
    # above the seam the upper image says that there is nothing
    assert length == pytest.approx(0.8 + 0.5 + 0.015, abs=2e-3)
    assert found.network.tolist() == [0, 0, 2]


@pytest.mark.parametrize("gap", [0.0, 0.0005, 0.003])
def test_tiles_that_touch_are_connected(gap: float) -> None:
    found, length = joined(
        [frame(0, 0), frame(0.0005, -1.0 - gap)],
        (0, 0, line((0.5, -0.1), (0.52, -0.9996))),
        (0, 1, line((0.2, -0.1), (0.2, -0.8))),
        (1, 2, line((0.5205, -1.0004 - gap), (0.54, -1.5))),
    )
    assert length == pytest.approx(0.9 + 0.7 + 0.5, rel=0.01)
    assert found.network.tolist() == [0, 1, 0]


def test_ends_that_point_elsewhere_are_not_connected() -> None:
    found, _ = joined(
        TILES,
        (0, 0, line((0.5, -0.5), (0.5, -0.999))),
        (1, 1, line((0.515, -1.001), (0.9, -1.02))),  # along the border
        (1, 2, line((0.6, -1.001), (0.6, -1.3))),  # too far
    )
    assert found.network.tolist() == [0, 1, 2]


def test_each_end_goes_on_in_one_other_the_nearest() -> None:
    found, _ = joined(
        TILES,
        (0, 0, line((0.5, -0.5), (0.5, -0.999))),
        (1, 1, line((0.512, -1.001), (0.512, -1.3))),
        (1, 2, line((0.495, -1.001), (0.495, -1.3))),
    )
    assert found.network.tolist() == [0, 1, 0]


@pytest.mark.parametrize("copies", [2, 3])
def test_the_same_ground_again_counts_once(copies: int) -> None:
    crack, ring = line((0.1, -0.2), (0.9, -0.8)), shapely.Point(500_000.3, 5_399_999.3).buffer(0.1).exterior
    ring = shapely.LineString(ring.coords)
    seen = [each for k in range(copies) for each in ((k, 2 * k, crack), (k, 2 * k + 1, ring))]
    found, length = joined([frame(0, 0)] * copies, *seen)
    assert found.parts.line.tolist() == [0, 1]
    assert length == pytest.approx(crack.length + ring.length)
    assert found.network.tolist() == [0, 1] * copies


def test_the_same_ground_a_little_shifted_counts_once() -> None:
    """Driven twice: another frame, another noise; what only one of them saw in the middle counts too."""
    crack = [(0.1, -0.2), (0.3, -0.33), (0.5, -0.5), (0.9, -0.8)]
    again = [(x + 0.008, y - 0.004) for x, y in crack]
    found, length = joined(
        [frame(0, 0), frame(0.02, 0.01)],
        (0, 0, line(*crack)),
        (1, 1, line(*again)),
        (1, 2, line((0.7, -0.2), (0.8, -0.2))),
    )
    assert length == pytest.approx(line(*crack).length + 0.1, abs=5e-3)
    assert found.network.tolist() == [0, 0, 2]


def test_a_fork_at_a_seam_keeps_its_branches() -> None:
    fork = [((0.5, -0.1), (0.5, -0.6)), ((0.5, -0.6), (0.2, -0.95)), ((0.5, -0.6), (0.8, -0.95))]
    stem = ((0.5, -0.41), (0.5, -0.6))
    seen = [(0, 0, line(*each)) for each in fork] + [(1, 1, line(*each)) for each in (stem, *fork[1:])]
    found, length = joined([UPPER, LOWER], *seen)
    assert length == pytest.approx(sum(line(*each).length for each in fork), abs=1e-3)
    assert networks(found, 0, 0, 0, 1, 1, 1) == 1


def test_where_lines_meet_in_a_bend_the_double_outside_is_no_piece() -> None:
    """The earlier image has two rows that meet in a corner, the later one a single line around it."""
    corner = [(0.2, -0.7), (0.5, -0.7), (0.5, -0.4)]
    outside = [(0.2, -0.72), (0.52, -0.72), (0.52, -0.4)]
    found, length = joined(
        [frame(0, 0), frame(0, 0)],
        (0, 0, line(*corner[:2])),
        (0, 0, line(*corner[1:])),
        (1, 1, line(*outside)),
    )
    assert found.parts.line.tolist() == [0, 1] and length == pytest.approx(0.6)


def test_a_cell_may_close_across_a_seam() -> None:
    upper = line((0.3, -0.9999), (0.3, -0.6), (0.7, -0.6), (0.7, -0.9999))
    lower = line((0.3, -1.0001), (0.3, -1.4), (0.7, -1.4), (0.7, -1.0001))
    found, _ = joined(TILES, (0, 0, upper), (1, 1, lower))
    assert closing_cells([(int(a), int(b)) for a, b in found.nodes]).tolist() == [True, True]


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0.3, 0.9), st.floats(0.0, 0.012))
def test_a_meandering_crack_through_many_frames(seed: int, step_m: float, shift_m: float) -> None:
    rng = np.random.default_rng(seed)
    north = np.arange(-0.05, -3.0, -0.02)
    east = 0.5 + np.clip(np.cumsum(rng.normal(0, 0.004, len(north))), -0.4, 0.4)
    way = line(*zip(east, north, strict=True))
    frames = [frame(0, -top) for top in np.arange(0, 2.5, step_m)]
    areas = areas_of(frames, UTM32, 30.0)
    seen = []
    for index, polygon in enumerate(areas.polygons):
        dx, dy = rng.uniform(-shift_m, shift_m, 2) / np.sqrt(2)
        for part in shapely.get_parts(shapely.intersection(way, polygon)):
            if part.length > 0.006:
                seen.append((index, len(seen), shapely.affinity.translate(part, dx, dy)))
    found, length = joined(frames, *seen)
    expected = shapely.intersection(way, shapely.union_all(areas.polygons)).length
    assert length == pytest.approx(expected, abs=0.005 * expected + 2 * shift_m)
    assert networks(found, *range(len(seen))) == 1


def test_what_remains_is_a_part_of_what_was_seen() -> None:
    seen = lines([line((0.5, -0.1), (0.52, -0.999)), line((0.51, -0.401), (0.53, -1.3))])
    found = join(seen, np.array([0, 1]), np.array([0, 1]), areas_of([UPPER, LOWER], UTM32, 30.0))
    assert found.parts.line.tolist() == [0, 1]
    for part, whole in zip(cut(seen, found.parts, shapely.length(seen)), seen[found.parts.line], strict=True):
        assert shapely.hausdorff_distance(shapely.intersection(whole, part.buffer(1e-6)), part) < 1e-5
