"""What a person is told about the part of an image that is not inspected."""

import numpy as np

from crackpipe.pipeline.raster.validity.reasons import DECLARED, NEVER_WRITTEN, pixels_by_reason, told


def test_pixels_are_counted_by_reason() -> None:
    reasons = np.array([[0, DECLARED, DECLARED], [NEVER_WRITTEN, 0, 0]], np.uint8)
    assert pixels_by_reason(reasons) == {"declared": 2, "never-written": 1}
    assert pixels_by_reason(np.zeros((2, 3), np.uint8)) == {}


def test_the_message_sums_up_blocks() -> None:
    message, remedy = told([{"declared": 5}, {}, {"declared": 5, "never-written": 20}], 1000)
    assert message == (
        "3 % of its pixels are not inspected: declared as no data (1 %), blocks that were never written (2 %)"
    )
    assert remedy == "Write the file again."


def test_an_image_that_is_inspected_has_no_message() -> None:
    assert told([{}, {}], 1000) == (None, None)
