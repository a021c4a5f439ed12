"""Which networks of an image are kept before its neighbours are known."""

import numpy as np

from crackpipe.pipeline.tasks.lines import long_or_leaving
from crackpipe.pipeline.trace.lines import Line


def line(network: int, *vertices: tuple[float, float]) -> Line:
    points = np.array(vertices, float)
    return Line(
        vertices=points,
        vertex_half_width_px=np.ones(len(points)),
        network=network,
        start_node=0,
        end_node=1,
        start_free=True,
        end_free=True,
        confidence=0.9,
        half_width_px=1.0,
        bridged_px=0.0,
    )


def test_short_networks_stay_where_they_leave_the_image() -> None:
    long = line(0, (50, 50), (80, 50))
    short = line(1, (50, 10), (60, 10))
    together = [line(2, (20, 20), (35, 20)), line(2, (35, 20), (35, 35))]
    leaving = [line(3, (-0.3, 70), (9, 70)), line(4, (90, 80), (99.4, 80)), line(5, (50, 88), (50, 98))]
    kept = long_or_leaving([long, short, *together, *leaving], (100, 100), 25.0)
    assert [each.network for each in kept] == [0, 2, 2, 3, 4, 5]
