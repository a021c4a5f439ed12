"""Thinning: what scikit-image does, but local by construction."""

import numpy as np
import pytest
from drawn import mask_of
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter, label
from skimage.morphology import skeletonize
from skimage.morphology import thin as thin_of_skimage

from crackpipe.pipeline.trace.thinning import thin


def image_of(pixels: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    image = np.zeros(shape, bool)
    image[tuple(pixels.T)] = True
    return image


def test_a_bar_becomes_a_line() -> None:
    bar = mask_of("""
.........
.#######.
.#######.
.#######.
.........
""").astype(bool)
    assert thin(bar, 10).tolist() == [[2, col] for col in range(2, 7)]


@settings(deadline=None, max_examples=60)
@given(
    seed=st.integers(0, 10**6),
    shape=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    blur=st.sampled_from([0.0, 0.7, 1.5, 3.0]),
    share=st.floats(0.05, 0.95),
    iterations=st.integers(1, 30),
)
def test_equal_to_scikit_image(
    seed: int, shape: tuple[int, int], blur: float, share: float, iterations: int
) -> None:
    noise = gaussian_filter(np.random.default_rng(seed).normal(size=shape), blur)
    mask = noise > np.quantile(noise, share)
    pixels = thin(mask, iterations)
    assert (image_of(pixels, mask.shape) == thin_of_skimage(mask, iterations)).all()
    assert pixels.tolist() == sorted(pixels.tolist())


@pytest.mark.parametrize("width", [2, 3, 4])
@pytest.mark.parametrize("flip", [False, True])
def test_diagonals_keep_their_length(width: int, flip: bool) -> None:
    mask = np.zeros((100, 100), bool)
    for offset in range(width):
        mask |= np.eye(100, k=offset, dtype=bool)
    mask[:10] = mask[-10:] = False
    mask = mask[:, ::-1] if flip else mask
    thinned = image_of(thin(mask, 10), mask.shape)
    assert label(thinned, np.ones((3, 3)))[1] == 1
    assert thinned.any(axis=1).sum() >= 79


def test_why_not_zhang() -> None:
    """Zhang and Suen's rule eats a diagonal of two pixels from one end, as far as it goes."""
    mask = np.eye(100, dtype=bool) | np.eye(100, k=1, dtype=bool)
    mask[:10] = mask[-10:] = False
    assert skeletonize(mask, method="zhang").any(axis=1).sum() < 50


def test_nothing_remains_of_nothing() -> None:
    assert thin(np.zeros((5, 7), bool), 3).shape == (0, 2)
