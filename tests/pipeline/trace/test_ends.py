"""Lines that reach the edge of the image."""

import math

import numpy as np
import pytest
from drawn import SHAPE, degrees, distance_rms_px, trace_strip


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
