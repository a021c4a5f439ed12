import numpy as np
import pytest

from crackpipe.model.data.prepare import snap


def pavement() -> np.ndarray:
    return np.random.default_rng(3).normal(120, 4, (80, 120)).astype(np.float32)


def label_at(row: int) -> np.ndarray:
    mask = np.zeros((80, 120), np.uint8)
    mask[row - 1 : row + 2, 5:-5] = 255
    return mask


@pytest.mark.parametrize("darker", [30, -30], ids=["dark", "bright"])
@pytest.mark.parametrize("beside_px", [-4, 0, 4])
def test_a_line_moves_onto_its_crack(beside_px: int, darker: int) -> None:
    """Dust makes a crack brighter than its road."""
    grey = pavement()
    grey[40:42] -= darker
    result = snap.snap(grey, label_at(40 + beside_px))
    assert (result[40:42, 10:-10] == 255).mean() > 0.95
    assert (result == 255)[[*range(38), *range(44, 80)]].sum() == 0
    old = label_at(40 + beside_px) == 255
    assert (result[old] != 0).all()
    assert (result[:30] == 0).all()


def test_a_line_without_a_crack_is_doubtful_within_five_pixels() -> None:
    result = snap.snap(pavement(), label_at(40))
    assert (result == 255).sum() == 0
    assert (result[35:46, 10:-10] == 127).all()
    assert (result[:33] == 0).all()
    assert (result[48:] == 0).all()


def test_a_crack_further_off_is_another_one() -> None:
    grey = pavement()
    grey[55:57] -= 30
    assert (snap.snap(grey, label_at(40)) == 255).sum() == 0


def test_lines_are_cut_at_junctions_and_ordered() -> None:
    thin = np.zeros((30, 30), bool)
    thin[15, 2:28] = True
    thin[2:15, 14] = True
    found = snap.paths_of(thin)
    assert len(found) == 3
    for path in found:
        assert np.abs(np.diff(path, axis=0)).max() == 1
    assert {tuple(path[0]) for path in found} | {tuple(path[-1]) for path in found} >= {
        (15, 2),
        (15, 27),
        (2, 14),
    }


def test_a_closed_line_is_one_path() -> None:
    ring = np.zeros((12, 12), bool)
    ring[2, 3:9] = ring[9, 3:9] = ring[3:9, 2] = ring[3:9, 9] = True
    (path,) = snap.paths_of(ring)
    assert len(path) == ring.sum()
    assert np.abs(np.diff(path, axis=0)).max() == 1


def test_the_strongest_row_is_followed() -> None:
    strength = np.zeros((20, 40), np.float32)
    strength[10, :20] = strength[11, 20:] = 5
    path = np.stack([np.full(40, 8.0), np.arange(40.0)], axis=1)
    moved, mean = snap.strongest_path(strength, path)
    assert np.array_equal(np.rint(moved[3:-3, 0]), np.where(np.arange(3, 37) < 20, 10, 11))
    assert mean.min() > 4
