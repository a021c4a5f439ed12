"""A thin crack survives when a mask is made smaller."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from crackpipe.pipeline.export.rasters.ranks import halved, reduced


def test_a_class_goes_before_sound_road_and_that_before_not_inspected() -> None:
    mask = np.array(
        [
            [0, 0, 255, 255, 255],
            [0, 1, 255, 0, 255],
            [255, 2, 0, 0, 1],
        ],
        np.uint8,
    )
    assert halved(mask).tolist() == [[1, 0, 255], [2, 0, 1]]


@given(
    arrays(
        np.uint8, array_shapes(min_dims=2, max_dims=2, max_side=33), elements=st.sampled_from([0, 1, 2, 255])
    )
)
def test_the_highest_is_never_lost(mask: np.ndarray) -> None:
    small = reduced(mask, 6)
    assert small.shape == (1, 1)
    order = [255, 0, 1, 2]
    assert order.index(int(small[0, 0])) == max(order.index(value) for value in np.unique(mask).tolist())
