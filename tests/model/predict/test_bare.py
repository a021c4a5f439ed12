"""The bare network's yardsticks."""

import math

from crackpipe.model.predict.bare import matrix_rate


def test_a_machine_too_busy_for_a_second_product_still_has_a_rate() -> None:
    rate = matrix_rate("cpu", "fp32", seconds=0.0)
    assert 0 < rate < math.inf
