"""Masks to lines, on drawn bands of known centreline and on drawn cracks."""

import math

import numpy as np
import pytest
from drawn import (
    CAP_PX,
    OPTIONS,
    SHAPE,
    close,
    distance_rms_px,
    ends_at,
    length_px,
    mask_of,
    trace,
    trace_strip,
    whole,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter

from crackpipe.pipeline.geometry.grid import Window
from crackpipe.pipeline.trace.lines import Line, trace_lines
from crackpipe.pipeline.trace.skeleton import join, skeleton_halo_px, skeleton_of_block


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
