"""Ways of cracks on a rendered road."""

import numpy as np
import pytest

from crackpipe.model.render.cameras.ways import Region, random_ways


@pytest.mark.parametrize("px_mm", [0.6, 2.0, 5.0])
def test_a_camera_of_any_gsd_shows_wide_cracks_and_thin_ones(px_mm: float) -> None:
    region = Region(
        along_mm=640 * px_mm, across_mm=640 * px_mm, step_mm=1.2 * px_mm, coarse_mm=px_mm, row_mm=px_mm
    )
    widest_px = np.array(
        [
            max(
                (way.width_mm.mean() / px_mm for way in random_ways(np.random.default_rng(seed), region)),
                default=0,
            )
            for seed in range(60)
        ]
    )
    assert np.mean(widest_px > 4) > 0.2
    assert np.mean(widest_px < 3) > 0.2
    assert widest_px.max() < 60
