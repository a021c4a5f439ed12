"""Which road the figures of a node count for."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from crackpipe.pipeline.compare.flat.coverage import Inspected
from crackpipe.pipeline.compare.flat.ground import roads_of
from crackpipe.pipeline.compare.flat.lines import Lines
from crackpipe.pipeline.compare.laid import Options, lay
from crackpipe.pipeline.compare.years import Made, Year

# Cracks of 1 m, one each 2 m, along two roads that meet at (22, 22). The mean of their points,
# (25.75, 25.75), is the one node there, and lies in a square of 25 m without a crack.
STARTS = np.arange(20.0, 40.0, 2.0)
CORNER = np.array(
    [
        *([[x, 22.0], [x + 1.0, 22.0]] for x in STARTS),
        *([[22.0, y], [22.0, y + 1.0]] for y in STARTS),
    ]
)


def year(cracks: np.ndarray) -> Year:
    """A year of cracks (N, 2, 2) of two vertices each, of which nobody knows what was inspected."""
    lines = Lines(cracks.reshape(-1, 2), np.arange(0, 2 * len(cracks) + 1, 2))
    made = Made((), "lite", 1.0, frozenset(), (), (), {})
    return Year(Path("year"), pa.table({}), lines, Inspected.unknown(), made)


def test_a_node_beside_a_bend_counts_for_the_road_of_its_cracks() -> None:
    apart = CORNER + 400.0
    both = year(np.concatenate([CORNER, apart]))
    laid = lay(both, both, Options())
    np.testing.assert_allclose(laid.registration.field.nodes[0], [25.75, 25.75])
    assert laid.roads.count == 2
    assert laid.residual_m.tolist() == pytest.approx([0.0, 0.0], abs=1e-4)
    assert laid.registered.tolist() == [True, True]
    assert laid.newer_told.all() and laid.older_told.all()


def test_a_point_on_no_road_is_refused_and_not_given_another_road() -> None:
    roads = roads_of(np.array([[22.0, 22.0], [400.0, 400.0]]))
    assert roads.at(np.array([[24.0, 1.0], [401.0, 401.0]])).tolist() == [0, 1]
    for point in ([30.0, 30.0], [900.0, 900.0]):
        with pytest.raises(ValueError, match=r"lies in no cell of the 2 roads"):
            roads.at(np.array([[22.0, 22.0], point]))
