"""Ways of cracks on a rendered road."""

import numpy as np
import pytest
from scipy.spatial import cKDTree

from crackpipe.model.render.cameras.ways import Region, Way, broken_corners, crumbled, mesh, random_ways


@pytest.mark.parametrize("px_mm", [0.6, 2.0, 5.0])
def test_a_camera_of_any_gsd_shows_wide_cracks_and_thin_ones(px_mm: float) -> None:
    region = Region(
        along_mm=640 * px_mm, across_mm=640 * px_mm, step_mm=1.2 * px_mm, coarse_mm=px_mm, row_mm=px_mm
    )
    seen = [random_ways(np.random.default_rng(seed), region) for seed in range(60)]
    widths_px = [[way.width_mm.mean() / px_mm for way in ways] for ways in seen if ways]
    widest_px = np.array([max(picture) for picture in widths_px])
    assert np.mean(widest_px > 4) > 0.2
    assert np.mean([np.median(picture) < 3 for picture in widths_px]) > 0.4
    assert widest_px.max() < 60


def test_corners_break_out_where_cracks_of_a_mesh_end() -> None:
    region = Region(along_mm=3000, across_mm=3000, step_mm=5, coarse_mm=4, row_mm=8)
    starts = np.random.default_rng(1).uniform(0, 3000, (100, 1, 2))
    mesh = [Way(start + np.array([[0.0, 0.0], [0.0, 50.0]]), np.full(2, 4.0)) for start in starts]
    corners = broken_corners(np.random.default_rng(2), region, mesh)
    assert 5 <= len(corners) <= 40
    for corner in corners:
        assert np.hypot(*(starts[:, 0] - corner.path.mean(axis=0)).T).min() < 30
        assert 1 < corner.width_mm.max() / region.coarse_mm < 12


def test_the_share_of_edges_that_are_closed_is_missing() -> None:
    region = Region(along_mm=3000, across_mm=3000, step_mm=5, coarse_mm=4, row_mm=8)
    middle, radius = np.array([1500.0, 0.0]), np.array([900.0, 900.0])
    found = [
        len(
            mesh(
                np.random.default_rng(3),
                region,
                middle,
                radius,
                cell=(60.0, 60.0),
                width_mm=4.0,
                closed=closed,
            )
        )
        for closed in (0.0, 0.6)
    ]
    assert 0.35 < found[1] / found[0] < 0.45


def test_a_coarse_oblique_camera_shows_crumbled_asphalt_as_short_marks_a_few_px_apart() -> None:
    region = Region(along_mm=8000, across_mm=3500, step_mm=5, coarse_mm=4, row_mm=12)
    for seed in range(20):
        ways = crumbled(np.random.default_rng(seed), region)
        px = np.array([region.row_mm, region.coarse_mm])
        middles = np.array([way.path.mean(axis=0) for way in ways]) / px
        length_px = [np.ptp(way.path[:, 1]) / region.coarse_mm for way in ways]
        apart_px = cKDTree(middles).query(middles, k=2)[0][:, 1]
        assert np.median(length_px) < 10
        assert np.median(apart_px) < 6
