"""Masks to lines, on masks checked by eye and on drawn bands of known centreline."""

import math
from typing import Any

import numpy as np
import pytest
from drawn import CAP_PX, OPTIONS, distance_rms_px, length_px, mask_of, skeleton_of, trace, trace_strip, whole
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter

from crackpipe.pipeline.geometry.grid import Window
from crackpipe.pipeline.trace.lines import Line, trace_lines
from crackpipe.pipeline.trace.skeleton import join, skeleton_halo_px, skeleton_of_block

SHAPE = (220, 220)


def ends_at(line: Line) -> list[list[float]]:
    return line.vertices[[0, -1]].tolist()


def close(points: Any, expected: Any, within: float) -> bool:
    return bool(np.abs(np.asarray(points) - np.asarray(expected)).max() <= within)


def degrees(lines: list[Line]) -> list[int]:
    ends = [node for line in lines for node in (line.start_node, line.end_node)]
    return sorted(ends.count(node) for node in set(ends))


def test_line() -> None:
    (line,) = trace(
        mask_of("""
....................
....................
....................
....................
..################..
....................
....................
....................
....................
""")
    )
    assert close(ends_at(line), [[4, 1.5], [4, 17.5]], within=0.5)
    assert line.start_free
    assert line.end_free
    assert (line.network, line.bridged_px, line.confidence) == (0, 0.0, 1.0)
    assert line.half_width_px == pytest.approx(0.5)
    assert len(line.vertex_half_width_px) == len(line.vertices)


def test_t() -> None:
    lines = trace(
        mask_of("""
#########################
............#............
............#............
............#............
............#............
............#............
............#............
............#............
............#............
............#............
............#............
............#............
............#............
............#............
""")
    )
    assert degrees(lines) == [1, 1, 1, 3]
    assert {line.network for line in lines} == {0}
    junction = max(lines, key=lambda line: line.vertices[:, 0].max()).vertices[0]
    assert close(junction, [0, 12], within=0.8)


def test_y() -> None:
    arms = [(110 + 80 * math.sin(a), 110 + 80 * math.cos(a)) for a in np.deg2rad([90, 210, 330])]
    lines = trace_strip(*[[(110, 110), arm] for arm in arms], width_px=3, shape=SHAPE)
    assert degrees(lines) == [1, 1, 1, 3]
    assert sum(map(length_px, lines)) == pytest.approx(240, rel=0.01)


@pytest.mark.parametrize("width_px", [1.5, 3.0, 6.0])
@pytest.mark.parametrize("angle_deg", [60, 75, 90])
def test_x_is_one_junction(angle_deg: float, width_px: float) -> None:
    directions = [np.array([math.sin(a), math.cos(a)]) for a in np.deg2rad([12, 12 + angle_deg])]
    centre = np.array([110.2, 109.7])
    lines = trace_strip(
        *[(centre - 90 * d, centre + 90 * d) for d in directions], width_px=width_px, shape=SHAPE
    )
    assert degrees(lines) == [1, 1, 1, 1, 4]
    assert sum(map(length_px, lines)) == pytest.approx(360, rel=0.01)


@pytest.mark.parametrize("width_px", [1.5, 4.0, 8.0])
@pytest.mark.parametrize("angle_deg", [30, 40, 50])
def test_x_at_a_small_angle_is_one_junction_in_the_right_place(angle_deg: float, width_px: float) -> None:
    directions = [np.array([math.sin(a), math.cos(a)]) for a in np.deg2rad([7, 7 + angle_deg])]
    centre = np.array([110.2, 109.7])
    lines = trace_strip(
        *[(centre - 90 * d, centre + 90 * d) for d in directions], width_px=width_px, shape=SHAPE
    )
    assert degrees(lines) == [1, 1, 1, 1, 4]
    ends = np.concatenate([line.vertices[[0, -1]] for line in lines])
    assert np.sort(np.hypot(*(ends - centre).T))[:4].max() <= 1.5


def test_branches_on_both_sides_of_a_line_are_no_crossing() -> None:
    trunk = [(110.0, 10.0), (110.0, 210.0)]
    branches = [(110.0, 100.0), (40.0, 100.0)], [(110.0, 112.0), (180.0, 112.0)]
    assert degrees(trace_strip(trunk, *branches, width_px=2.0, shape=SHAPE)) == [1, 1, 1, 1, 3, 3]


def test_ring() -> None:
    turn = np.linspace(0, 2 * np.pi, 200)
    (line,) = trace_strip(
        np.column_stack([110 + 50 * np.sin(turn), 110 + 50 * np.cos(turn)]), width_px=4, shape=SHAPE
    )
    assert line.start_node == line.end_node
    assert not line.start_free
    assert not line.end_free
    assert line.vertices[0].tolist() == line.vertices[-1].tolist() == min(line.vertices.tolist())
    assert length_px(line) == pytest.approx(100 * np.pi, rel=0.01)


def test_figure_eight() -> None:
    lines = trace(
        mask_of("""
..############..
.#............#.
#..............#
#..............#
#..............#
.#............#.
..############..
.#............#.
#..............#
#..............#
#..............#
.#............#.
..############..
""")
    )
    assert degrees(lines) == [3, 3]
    assert len({(line.start_node, line.end_node) for line in lines}) == 1


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


def dashed(gap_px: float, aside_px: float = 0.0, turn_deg: float = 0.0) -> list[Any]:
    start, turn = 100 + gap_px, math.radians(turn_deg)
    second = (110 + aside_px, start), (110 + aside_px + 80 * math.sin(turn), start + 80 * math.cos(turn))
    return [[(110.0, 20.0), (110.0, 100.0)], list(second)]


@pytest.mark.parametrize("width_px", [1.5, 3.0, 8.0])
@pytest.mark.parametrize("gap_px", [4, 15, 27])
def test_a_gap_is_bridged(gap_px: int, width_px: float) -> None:
    (line,) = trace_strip(*dashed(gap_px), width_px=width_px, shape=SHAPE)
    assert line.bridged_px == pytest.approx(gap_px, abs=4)
    assert length_px(line) == pytest.approx(160 + gap_px, abs=2)
    assert distance_rms_px(line, [(110, 20), (110, 200)]) <= 0.35


def test_what_is_not_bridged() -> None:
    def count(*lines: Any, **options: Any) -> int:
        return len(trace_strip(*lines, width_px=3, shape=SHAPE, **options))

    assert count(*dashed(36)) == 2, "too far"
    assert count(*dashed(20), gap_px=10.0) == 2, "farther than allowed"
    assert count(*dashed(20), gap_px=0.0) == 2, "not at all"
    assert count(*dashed(15, aside_px=20)) == 2, "side by side"
    assert count(*dashed(15, turn_deg=45)) == 2, "they point elsewhere"
    assert count(*dashed(15, turn_deg=20)) == 1


def test_a_bridge_follows_the_probability() -> None:
    seen = np.zeros(SHAPE, np.uint8)
    seen[109:112, 20:100] = seen[109:112, 120:200] = 254
    seen[107:109, 100:120] = 90
    (line,) = trace((seen >= 127).astype(np.uint8), seen)
    row = np.interp([90, 105, 110, 115, 130], line.vertices[:, 1], line.vertices[:, 0])
    assert close(row, [110, 108, 108, 108, 110], within=0.6)
    assert line.confidence < 1


def test_a_bridge_does_not_run_across_another_line() -> None:
    across = [(60.0, 110.0), (160.0, 110.0)]
    lines = trace_strip(*dashed(20), across, width_px=3, shape=SHAPE)
    assert len(lines) == 3
    assert all(line.bridged_px == 0 for line in lines)


def test_each_end_is_bridged_once_the_best_first() -> None:
    one, near = dashed(10)
    far = [(122.0, 112.0), (150.0, 180.0)]
    lines = trace_strip(one, near, far, width_px=3, shape=SHAPE)
    assert len(lines) == 2
    assert max(lines, key=lambda line: line.bridged_px).bridged_px == pytest.approx(10, abs=4)


def test_side_by_side_each_goes_on_in_itself() -> None:
    """The ends of one and the other are nearer to each other than the ends of one gap."""
    one = [(100.0, 20.0), (100.0, 90.0)], [(100.0, 108.0), (100.0, 200.0)]
    other = [(108.0, 20.0), (108.0, 104.0)], [(108.0, 122.0), (108.0, 200.0)]
    lines = trace_strip(*one, *other, width_px=2.0, shape=SHAPE)
    assert sorted(round(float(line.vertices[0, 0])) for line in lines) == [100, 108]
    assert all(np.ptp(line.vertices[:, 0]) <= 1.5 for line in lines)


def test_a_speck_in_a_gap_does_not_keep_it_open() -> None:
    mask = np.zeros((60, 200), np.uint8)
    mask[29:32, 10:90] = mask[29:32, 110:190] = mask[31:33, 98:100] = 1
    (line,) = trace(mask, min_length_px=25.0)
    assert line.bridged_px == pytest.approx(20, abs=3)


def test_a_ring_with_a_gap_is_closed() -> None:
    turn = np.linspace(0.1, 2 * np.pi - 0.1, 200)
    (line,) = trace_strip(
        np.column_stack([110 + 80 * np.sin(turn), 110 + 80 * np.cos(turn)]), width_px=3, shape=SHAPE
    )
    assert line.start_node == line.end_node
    assert not line.start_free
    assert length_px(line) == pytest.approx(160 * np.pi, rel=0.02)


def test_a_wide_region_gives_no_line() -> None:
    rows, cols = np.mgrid[:220, :220]
    hole = ((rows - 110) ** 2 + (cols - 90) ** 2 <= 50**2) | ((abs(rows - 110) <= 1) & (cols > 90))
    (line,) = trace(hole.astype(np.uint8), cap_px=60.0)
    assert close(ends_at(line), [[110, 141], [110, 219.5]], within=3)


def test_a_line_reaches_the_edge_of_the_image() -> None:
    (line,) = trace_strip([(-30.0, 100.0), (260.0, 130.0)], width_px=6, shape=SHAPE)
    assert line.vertices[0, 0] == -0.5
    assert line.vertices[-1, 0] == SHAPE[0] - 0.5
    assert distance_rms_px(line, [(-30.0, 100.0), (260.0, 130.0)]) <= 0.35


@pytest.mark.parametrize("slant_deg", [20, 40, 60])
def test_a_wide_line_leaves_at_a_slant(slant_deg: float) -> None:
    """Its mirror image makes a corner of it, which the line must not cut."""
    direction = np.array([math.cos(math.radians(slant_deg)), math.sin(math.radians(slant_deg))])
    truth = np.array([110.0, 110.0]) - 150 / direction[0] * direction, np.array([110.0, 110.0])
    (line,) = trace_strip(truth, width_px=10, shape=SHAPE)
    assert line.vertices[0].min() == -0.5
    off = (line.vertices[0] - 110.0) @ np.array([-direction[1], direction[0]])
    assert abs(off) <= 1.0


def test_a_short_way_out_of_the_image_is_no_spur() -> None:
    lines = trace_strip([(6.0, 10.0), (6.0, 200.0)], [(6.0, 100.0), (-9.0, 100.0)], width_px=1, shape=SHAPE)
    assert degrees(lines) == [1, 1, 1, 3]


def test_short_networks_are_dropped_as_a_whole() -> None:
    y = [[(110, 110), (110, 128)], [(110, 110), (125, 98)], [(110, 110), (95, 98)]]
    alone = [(20.0, 20.0), (20.0, 45.0)]
    lines = trace_strip(*y, alone, width_px=2, shape=SHAPE, min_length_px=40.0)
    assert degrees(lines) == [1, 1, 1, 3]
    assert not trace_strip(*y, alone, width_px=2, shape=SHAPE, min_length_px=70.0)


def test_nothing_gives_nothing() -> None:
    assert trace(np.zeros((30, 40), np.uint8)) == []
    assert trace(np.eye(1, dtype=np.uint8)) == []


@pytest.mark.parametrize("width_px", [1.0, 2.0, 3.0, 5.0, 8.0, 12.0])
def test_straight_lines_at_20_angles(width_px: float) -> None:
    for number in range(20):
        angle, centre = math.radians(9 * number + 1), np.array([109.3, 110.1])
        direction = np.array([math.sin(angle), math.cos(angle)])
        truth = centre - 100 * direction, centre + 100 * direction
        (line,) = trace_strip(truth, width_px=width_px, shape=SHAPE)
        assert length_px(line) == pytest.approx(200, rel=0.01), number
        assert distance_rms_px(line, truth) <= 0.35


@pytest.mark.parametrize(
    ("radius_px", "width_px"), [(r, w) for r in (30.0, 60.0, 95.0) for w in (1.0, 3.0, 8.0) if r > 5 * w]
)
def test_arcs(radius_px: float, width_px: float) -> None:
    turn = np.linspace(0.3, 0.3 + 1.6 * np.pi, 300)
    truth = np.column_stack([110.3 + radius_px * np.sin(turn), 109.8 + radius_px * np.cos(turn)])
    (line,) = trace_strip(truth, width_px=width_px, shape=SHAPE)
    assert length_px(line) == pytest.approx(1.6 * np.pi * radius_px, rel=0.01)
    assert distance_rms_px(line, truth) <= 0.35


def test_simplification_moves_a_line_by_no_more_than_it_may() -> None:
    turn = np.linspace(0, 4, 300)
    truth = np.column_stack([110 + 60 * np.sin(turn), 110 + 60 * np.cos(turn)])
    full, few = (trace_strip(truth, width_px=3, shape=SHAPE, simplify_px=px)[0] for px in (0.0, 0.5))
    assert len(few.vertices) < len(full.vertices) / 5
    assert set(map(tuple, few.vertices.tolist())) <= set(map(tuple, full.vertices.tolist()))
    assert distance_rms_px(full, few.vertices) <= 0.5


def random_cracks(seed: int, shape: tuple[int, int], noise: float) -> tuple[np.ndarray, np.ndarray]:
    """Walks with gaps, forks and crossings, and their probability."""
    rng = np.random.default_rng(seed)
    drawn = np.zeros(shape)
    for _ in range(5):
        heading = rng.uniform(0, 6.3) + np.cumsum(rng.normal(0, 0.15, 150))
        walk = rng.uniform((0, 0), shape) + np.cumsum(np.column_stack([np.sin(heading), np.cos(heading)]), 0)
        rows, cols = np.rint(walk).astype(int).T
        keep = (rows >= 0) & (rows < shape[0]) & (cols >= 0) & (cols < shape[1])
        drawn[rows[keep], cols[keep]] = rng.uniform(2, 6)
    probability = gaussian_filter(drawn + rng.normal(0, noise, shape), 1.2)
    probability = np.rint(254 * np.clip(probability, 0, 1)).astype(np.uint8)
    return (probability >= 127).astype(np.uint8), probability


def same(one: Line, other: Line) -> bool:
    return all(
        np.array_equal(value, getattr(other, name))
        if isinstance(value, np.ndarray)
        else value == getattr(other, name)
        for name, value in vars(one).items()
    )


@settings(deadline=None, max_examples=25)
@given(
    seed=st.integers(0, 10**6),
    shape=st.tuples(st.integers(20, 160), st.integers(20, 160)),
    noise=st.sampled_from([0.0, 0.5]),
    side=st.integers(16, 120),
)
def test_lines_do_not_depend_on_blocks(seed: int, shape: tuple[int, int], noise: float, side: int) -> None:
    mask, probability = random_cracks(seed, shape, noise)
    parts = []
    for row in reversed(range(0, shape[0], side)):
        for col in range(0, shape[1], side):
            core = Window(row, col, side, side).clipped(*shape)
            outer = core.padded(skeleton_halo_px(CAP_PX)).clipped(*shape)
            cut = outer.within(whole(mask))
            parts.append(skeleton_of_block(mask[cut], probability[cut], outer, core, cap_px=CAP_PX))
    lines = trace_lines(join(parts), lambda window: probability[window.within(whole(mask))], shape, OPTIONS)
    expected = trace(mask, probability)
    assert len(lines) == len(expected)
    assert all(same(line, other) for line, other in zip(lines, expected, strict=True))


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 10**6), noise=st.sampled_from([0.0, 0.5]))
def test_every_result_is_sound(seed: int, noise: float) -> None:
    mask, probability = random_cracks(seed, (150, 130), noise)
    lines = trace(mask, probability, min_length_px=12.0)
    ends: dict[int, set[tuple[float, ...]]] = {}
    network: dict[int, int] = {}
    for line in lines:
        assert line.vertices.shape[0] >= 2
        assert (line.vertices >= -0.5).all()
        assert (line.vertices <= np.array(mask.shape) - 0.5).all()
        assert line.vertices.tolist() <= line.vertices[::-1].tolist()
        assert 0 < line.confidence <= 1
        assert 0 <= line.bridged_px <= length_px(line) + 1e-9
        for node, vertex, free in zip(
            (line.start_node, line.end_node), line.vertices[[0, -1]].tolist(),
            (line.start_free, line.end_free), strict=True,
        ):  # fmt: skip
            ends.setdefault(node, set()).add(tuple(vertex))
            assert network.setdefault(node, line.network) == line.network
            meeting = sum((other.start_node == node) + (other.end_node == node) for other in lines)
            assert free == (meeting == 1)
    assert all(len(places) == 1 for places in ends.values())
    for number in {line.network for line in lines}:
        assert sum(length_px(line) for line in lines if line.network == number) >= 12.0


def test_a_quarter_turn_changes_lengths_little() -> None:
    """Thinning is not quite symmetric: now and then a spur is just long enough one way and not the other."""
    lengths = []
    for seed in range(20):
        mask, probability = random_cracks(seed, (150, 130), noise=0.0)
        turned = trace(np.rot90(mask).copy(), np.rot90(probability).copy())
        lengths.append((sum(map(length_px, trace(mask, probability))), sum(map(length_px, turned))))
    total, total_turned = np.sum(lengths, axis=0)
    assert total_turned == pytest.approx(total, rel=0.01)
    assert sum(abs(one - other) <= 0.02 * one + 3 for one, other in lengths) >= 15


def test_same_input_same_lines() -> None:
    mask, probability = random_cracks(3, (200, 200), 0.5)
    assert all(map(same, trace(mask, probability), trace(mask, probability)))


def test_only_the_surroundings_of_gaps_are_read() -> None:
    mask = np.zeros((100, 400), np.uint8)
    mask[49:52, 10:150] = mask[49:52, 165:390] = 1
    read: list[Window] = []

    def read_probability(window: Window) -> np.ndarray:
        read.append(window)
        return 254 * mask[window.within(whole(mask))]

    lines = trace_lines(skeleton_of(mask), read_probability, (100, 400), OPTIONS)
    assert len(lines) == 1
    assert len(read) == 1
    assert read[0].height * read[0].width <= 40 * 40
