"""The camera over the road: ground becomes picture and picture becomes ground."""

import numpy as np
import pytest

from crackpipe.model.render.cameras.view import Ground, View, random_view

OBLIQUE = View(200, gsd_mm=2.0, far=2.0, stretch=2.5, heading=0.0)


def test_a_point_of_the_ground_is_seen_where_the_picture_shows_it() -> None:
    rows, cols = np.array([0.0, 57.0, 199.0]), np.array([3.0, 99.5, 180.0])
    ahead, right = OBLIQUE.ground(rows, cols)
    points = np.stack([np.broadcast_to(ahead, right.shape), right], axis=-1).reshape(-1, 2)
    seen = OBLIQUE.picture(points).reshape(3, 3, 2)
    assert np.allclose(seen[..., 0], rows[:, None])
    assert np.allclose(seen[..., 1], cols)


def test_gsd_doubles_from_the_lowest_row_to_the_highest() -> None:
    assert OBLIQUE.gsd_at(np.array([200.0, 0.0])) == pytest.approx([2.0, 4.0])


def test_a_raster_of_the_ground_is_seen_in_the_cameras_perspective() -> None:
    ground = Ground(OBLIQUE)
    row_mm, col_mm = ground.step_mm
    ahead = OBLIQUE.ahead_mm - np.arange(ground.shape[0])[:, None] * row_mm
    right = (np.arange(ground.shape[1]) - (ground.shape[1] - 1) / 2)[None, :] * col_mm
    layers = [np.broadcast_to(layer, ground.shape).astype(np.float32) for layer in (ahead, right)]
    seen = ground.seen(layers)
    at = np.arange(200.0)
    expected = OBLIQUE.ground(at, at)
    assert np.abs(seen[0] - expected[0])[2:-2].max() < 0.02 * row_mm
    assert np.abs(seen[1] - expected[1])[2:-2].max() < 0.02 * col_mm


def test_the_road_turns_about_the_middle_of_the_picture() -> None:
    ground = Ground(View(200, 1.0, 1.01, 1.0, heading=np.pi / 2))
    middle = np.array([ground.view.ahead_mm / 2, 0.0])
    assert np.allclose(ground.turned(middle[None]), middle)
    ahead, right = np.array([[50.0, 0.0]]), np.array([[0.0, 50.0]])
    assert np.allclose(ground.turned(middle + ahead), middle + right)


def test_views_reach_from_half_a_millimetre_to_six() -> None:
    rng = np.random.default_rng(1)
    views = [random_view(rng, 640) for _ in range(400)]
    middle = np.array([view.gsd_at(np.array([320.0]))[0] for view in views])
    assert 0.45 < middle.min() < 0.6
    assert 5.0 < middle.max() < 7.0
    assert 0.4 < np.mean([view.far > 1.2 for view in views]) < 0.6
