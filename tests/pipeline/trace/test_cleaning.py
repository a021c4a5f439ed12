"""What of a skeleton is no line: spurs, prongs, holes, short networks."""

import numpy as np
import pytest
from drawn import SHAPE, close, degrees, ends_at, length_px, mask_of, trace, trace_strip


def test_a_spur_is_pruned_and_the_line_stays_whole() -> None:
    lines = trace(
        mask_of("""
...........................
.............#.............
.............#.............
.............#.............
###########################
...........................
""")
    )
    assert len(lines) == 1
    assert length_px(lines[0]) == pytest.approx(27, abs=1.0)


def test_a_branch_longer_than_a_spur_stays() -> None:
    trunk, branch = [(60.0, 20.0), (60.0, 200.0)], [(60.0, 110.0), (85.0, 130.0)]
    assert len(trace_strip(trunk, branch, width_px=3, shape=SHAPE)) == 3
    assert len(trace_strip(trunk, branch, width_px=3, shape=SHAPE, spur_px=40.0)) == 1


def test_prongs_at_an_end_leave_one_line_to_the_tip() -> None:
    lines = trace(
        mask_of("""
#.............................
.#............................
..#...........................
...###########################
..#...........................
.#............................
""")
    )
    assert len(lines) == 1
    assert lines[0].vertices[:, 1].min() <= 1.0


def test_a_hole_in_a_crack_is_no_second_line() -> None:
    lines = trace(
        mask_of("""
........................
########################
##########...###########
########################
........................
""")
    )
    assert len(lines) == 1


def test_an_island_between_two_cracks_is_kept() -> None:
    lines = trace(
        mask_of("""
.........##############.........
........#..............#........
.......#................#.......
#######..................#######
.......#................#.......
........#..............#........
.........##############.........
""")
    )
    assert degrees(lines) == [1, 1, 3, 3]


def test_a_wide_region_gives_no_line() -> None:
    rows, cols = np.mgrid[:220, :220]
    hole = ((rows - 110) ** 2 + (cols - 90) ** 2 <= 50**2) | ((abs(rows - 110) <= 1) & (cols > 90))
    (line,) = trace(hole.astype(np.uint8), cap_px=60.0)
    assert close(ends_at(line), [[110, 141], [110, 219.5]], within=3)


def test_short_networks_are_dropped_as_a_whole() -> None:
    y = [[(110, 110), (110, 128)], [(110, 110), (125, 98)], [(110, 110), (95, 98)]]
    alone = [(20.0, 20.0), (20.0, 45.0)]
    lines = trace_strip(*y, alone, width_px=2, shape=SHAPE, min_length_px=40.0)
    assert degrees(lines) == [1, 1, 1, 3]
    assert not trace_strip(*y, alone, width_px=2, shape=SHAPE, min_length_px=70.0)
