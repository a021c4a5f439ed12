"""Skeletons: blocks give what the whole image gives, bit for bit; regions that are no lines are counted."""

import numpy as np
import pytest
from drawn import mask_of, skeleton_of, strip
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from crackpipe.pipeline.geometry.grid import Window
from crackpipe.pipeline.trace.skeleton import Skeleton, join, skeleton_halo_px, skeleton_of_block


def in_blocks(mask: np.ndarray, probability: np.ndarray, side: tuple[int, int], cap_px: float) -> Skeleton:
    parts = []
    for row in range(0, mask.shape[0], side[0]):
        for col in range(0, mask.shape[1], side[1]):
            core = Window(row, col, *side).clipped(*mask.shape)
            outer = core.padded(skeleton_halo_px(cap_px)).clipped(*mask.shape)
            part = outer.within(Window(0, 0, *mask.shape))
            parts.append(skeleton_of_block(mask[part], probability[part], outer, core, cap_px=cap_px))
    return join(parts[::-1])


def assert_equal(one: Skeleton, other: Skeleton) -> None:
    for name, array in vars(one).items():
        if name == "area_px":
            assert array == other.area_px
        else:
            assert array.dtype == getattr(other, name).dtype
            np.testing.assert_array_equal(array, getattr(other, name), err_msg=name)


def random_image(
    seed: int, shape: tuple[int, int], blur: float, share: float
) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    noise = ndimage.gaussian_filter(rng.normal(size=shape), blur)
    probability = np.rint(254 * (noise - noise.min()) / max(np.ptp(noise), 1e-9)).astype(np.uint8)
    mask = (probability > np.quantile(probability, share)).astype(np.uint8)
    lost = rng.random(shape) > 0.999
    mask[lost] = probability[lost] = 255
    return mask, probability


@settings(deadline=None, max_examples=60)
@given(
    seed=st.integers(0, 10**6),
    shape=st.tuples(st.integers(1, 120), st.integers(1, 120)),
    blur_and_share=st.tuples(st.sampled_from([0.0, 1.0, 2.0, 5.0]), st.floats(0.0, 0.98)),
    side=st.tuples(st.integers(7, 130), st.integers(7, 130)),
    cap_px=st.sampled_from([2.0, 3.3, 8.0, 15.0, 40.0]),
)
def test_blocks_give_what_the_whole_image_gives(
    seed: int,
    shape: tuple[int, int],
    blur_and_share: tuple[float, float],
    side: tuple[int, int],
    cap_px: float,
) -> None:
    mask, probability = random_image(seed, shape, *blur_and_share)
    assert_equal(in_blocks(mask, probability, side, cap_px), skeleton_of(mask, probability, cap_px))


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 10**6), blur=st.sampled_from([1.0, 3.0, 6.0]), cap_px=st.floats(3.0, 30.0))
def test_half_width_and_area_by_plain_distance_transforms(seed: int, blur: float, cap_px: float) -> None:
    mask, probability = random_image(seed, (70, 90), blur, 0.6)
    skeleton = skeleton_of(mask, probability, cap_px)
    halo = skeleton_halo_px(cap_px)
    crack = np.pad((mask == 1), halo, mode="reflect")
    depth = ndimage.distance_transform_edt(crack)
    fits = depth > cap_px / 2
    wide = ndimage.distance_transform_edt(~fits) <= cap_px / 2 if fits.any() else fits
    inner = slice(halo, -halo)
    assert skeleton.area_px == wide[inner, inner].sum()
    at = tuple(skeleton.pixels.T)
    assert not wide[inner, inner][at].any()
    np.testing.assert_allclose(skeleton.half_width_px, depth[inner, inner][at] - 0.5, rtol=1e-6)


def test_what_is_not_inspected_is_sound() -> None:
    mask = np.full((20, 20), 255, np.uint8)
    skeleton = skeleton_of(mask, mask.copy())
    assert len(skeleton.pixels) == 0
    assert skeleton.area_px == 0


def test_every_class_is_crack() -> None:
    mask = np.zeros((9, 30), np.uint8)
    mask[3:6, 5:15], mask[3:6, 15:25] = 1, 2
    skeleton = skeleton_of(mask, np.where(mask > 0, 254, 0).astype(np.uint8))
    assert set(skeleton.pixels[:, 0].tolist()) == {4}
    assert np.ptp(skeleton.pixels[:, 1]) >= 16


def test_a_wide_region_is_no_line_but_counted() -> None:
    rows, cols = np.mgrid[:160, :200]
    hole = (rows - 80) ** 2 + (cols - 80) ** 2 <= 50**2
    mask = (hole | ((abs(rows - 80) <= 1) & (cols > 80) & (cols < 190))).astype(np.uint8)
    skeleton = skeleton_of(mask, cap_px=60.0)
    assert abs(skeleton.area_px - np.pi * 50**2) < 0.02 * np.pi * 50**2
    assert set(skeleton.pixels[:, 0].tolist()) == {80}
    assert skeleton.pixels[:, 1].min() >= 130
    assert skeleton.half_width_px.max() <= 1.5


def test_a_crack_leaves_the_image_straight() -> None:
    mask = np.zeros((60, 40), np.uint8)
    mask[:, 14:25] = 1
    skeleton = skeleton_of(mask)
    assert skeleton.pixels.tolist() == [[row, 19] for row in range(60)]
    np.testing.assert_array_equal(skeleton.half_width_px, 5.5)


def test_a_crack_cut_by_the_edge_of_the_image_is_kept() -> None:
    mask = mask_of("""
##############
##############
..............
..............
""")
    assert set(skeleton_of(mask).pixels[:, 0].tolist()) == {0}


@pytest.mark.parametrize("shift", [0.0, 0.25, 0.5])
@pytest.mark.parametrize("width_px", [1.0, 2.0, 4.0, 9.0, 16.0])
def test_offsets_lie_on_the_ridge(shift: float, width_px: float) -> None:
    probability = strip([(25 + shift, 5), (25 + shift, 95)], width_px=width_px, shape=(51, 100))
    skeleton = skeleton_of((probability >= 127).astype(np.uint8), probability)
    middle = np.abs(skeleton.pixels[:, 1] - 50) < 20
    row = (skeleton.pixels + skeleton.offset_px)[middle, 0]
    assert np.abs(row - 25 - shift).max() <= 0.1
    assert np.abs(skeleton.offset_px[middle, 1]).max() <= 0.01


def test_no_parts_make_an_empty_skeleton() -> None:
    assert len(join([]).pixels) == 0
