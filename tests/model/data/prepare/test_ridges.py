import numpy as np

from crackpipe.model.data.prepare import ridges


def pavement(shape: tuple[int, int] = (80, 100)) -> ridges.F32:
    """Grey 120 with noise of 4 grey values."""
    return np.random.default_rng(1).normal(120, 4, shape).astype(np.float32)


def test_a_dark_line_stands_out_and_is_one_pixel_wide() -> None:
    grey = pavement()
    grey[40:42, 10:90] -= 30
    strength = ridges.ridge_strength(grey)
    assert strength[40:42, 20:80].min() > 5
    assert np.median(strength[:30]) < 1.5
    found = ridges.lines(strength, 2.5, 5.0, 20)
    assert found[38:44, 15:85].any(axis=0).all()
    assert found[38:44].sum() <= 110
    assert not found[:30].any()
    assert not found[50:].any()


def test_a_bright_line_and_the_edge_of_paint_are_no_dark_ridges() -> None:
    grey = pavement()
    grey[:, 50:] += 60
    grey[20:23, :25] += 40
    found = ridges.lines(ridges.ridge_strength(grey), 2.5, 5.0, 10)
    assert not found.any()


def test_a_flat_picture_has_no_ridges() -> None:
    assert ridges.ridge_strength(np.full((30, 40), 255, np.float32)).max() < 1e-3


def test_short_lines_are_left_out() -> None:
    thin = np.zeros((6, 12), bool)
    thin[1, :9] = True
    thin[4, :4] = True
    assert np.array_equal(ridges.longer_than(thin, 5), thin & (np.arange(6)[:, None] == 1))
    assert not ridges.longer_than(thin, 10).any()


def test_the_mean_nearby_is_a_mean() -> None:
    spot = np.zeros((81, 81), np.float32)
    spot[40, 40] = 1
    spread = ridges.mean_nearby(spot, 6.0)
    rows = np.arange(81) - 40
    assert abs(spread.sum() - 1) < 1e-4
    assert abs((spread.sum(axis=1) * rows**2).sum() ** 0.5 - 6.0) < 0.2
