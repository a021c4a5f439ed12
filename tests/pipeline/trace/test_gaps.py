"""Which gaps are bridged, and along which way."""

import math
from typing import Any

import numpy as np
import pytest
from drawn import OPTIONS, SHAPE, close, distance_rms_px, length_px, skeleton_of, trace, trace_strip, whole

from crackpipe.pipeline.geometry.grid import Window
from crackpipe.pipeline.trace.lines import trace_lines


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
