"""However an image is cut into blocks, its lines and profiles are the same bytes.

Every drawn image is done once as a whole and once in blocks: an irregular grid with blocks from one pixel up,
in random order, with halos at or above the bound.
"""

from dataclasses import fields
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from crackpipe.model.render.picture import render_window
from crackpipe.model.render.scenes import random_scene
from crackpipe.pipeline.config import Config
from crackpipe.pipeline.geometry.grid import Window
from crackpipe.pipeline.tasks.lines import _around, _windows_in
from crackpipe.pipeline.tasks.picture import trace_options
from crackpipe.pipeline.trace.lines import Line, trace_lines
from crackpipe.pipeline.trace.skeleton import Skeleton, join, skeleton_halo_px, skeleton_of_block
from crackpipe.pipeline.width import profiles as width_profiles
from crackpipe.pipeline.width.windows import paths_of, windows_of

Image = tuple[np.ndarray, np.ndarray]


def cut(shape: tuple[int, int], rng: np.random.Generator, typical_px: int) -> list[Window]:
    """Blocks that partition an image, their sides anything around `typical_px`, in random order."""
    edges = []
    for size in shape:
        inner = rng.integers(1, max(size, 2), rng.poisson(size / typical_px))
        edges.append(np.unique(np.concatenate([[0, size], inner[inner < size]])).tolist())
    blocks = [
        Window(row, col, row_stop - row, col_stop - col)
        for row, row_stop in zip(edges[0], edges[0][1:], strict=False)
        for col, col_stop in zip(edges[1], edges[1][1:], strict=False)
    ]
    return [blocks[index] for index in rng.permutation(len(blocks))]


def skeleton_in(image: Image, blocks: list[Window], cap_px: float, more_halo_px: int) -> Skeleton:
    mask, probability = image
    whole = Window(0, 0, *mask.shape)
    parts = []
    for core in blocks:
        outer = core.padded(skeleton_halo_px(cap_px) + more_halo_px).clipped(*mask.shape)
        part = outer.within(whole)
        parts.append(skeleton_of_block(mask[part], probability[part], outer, core, cap_px=cap_px))
    return join(parts)


def lines_in(image: Image, blocks: list[Window], cap_px: float, more_halo_px: int = 0) -> list[Line]:
    whole = Window(0, 0, *image[0].shape)
    return trace_lines(
        skeleton_in(image, blocks, cap_px, more_halo_px),
        lambda window: image[1][window.within(whole)],
        (whole.height, whole.width),
        trace_options(Config(), min_length_px=12.0),
    )


def bytes_of(value: Any) -> Any:
    """Everything in a dataclass, arrays as bytes with their type and shape."""
    if isinstance(value, np.ndarray):
        return value.dtype.str, value.shape, value.tobytes()
    if isinstance(value, list | tuple):
        return [bytes_of(each) for each in value]
    if hasattr(value, "__dataclass_fields__"):
        return [bytes_of(getattr(value, field.name)) for field in fields(value)]
    return value


def drawn(rng: np.random.Generator, shape: tuple[int, int]) -> Image:
    """Anything a mask can hold: lines, rings, staircases, slabs, holes, wide regions, noise, lost pixels."""
    level = np.zeros(shape)
    rows, cols = np.mgrid[: shape[0], : shape[1]]
    for _ in range(rng.integers(1, 9)):
        (r, c), (turn, size) = rng.uniform((-10, -10), np.array(shape) + 10), rng.uniform((0, 1), (6.3, 60))
        across = abs((rows - r) * np.cos(turn) - (cols - c) * np.sin(turn))
        along = abs((rows - r) * np.sin(turn) + (cols - c) * np.cos(turn))
        far = np.hypot(rows - r, cols - c)
        width_px = rng.choice([0.7, 1.0, 2.0, 3.5, 8.0, 20.0])
        kind = rng.choice(
            ["line", "ring", "disk", "hole", "stairs", "edge"], p=[0.4, 0.15, 0.1, 0.1, 0.15, 0.1]
        )
        if kind == "line":
            level[(across <= width_px / 2) & (along <= 1.5 * size)] = 1
        elif kind == "ring":
            level[abs(far - size / 2) <= width_px / 2] = 1
        elif kind == "disk":
            level[far <= size / 3] = 1
        elif kind == "hole":
            level[far <= size / 6] = 0
        elif kind == "stairs":
            step = int(rng.integers(1, 5))
            level[
                abs(rows // step - cols // step + int(c) // step - int(r) // step) * step <= width_px / 2
            ] = 1
        else:
            level[: int(width_px)] = level[:, -int(width_px + 0.5) :] = 1
    if rng.random() < 0.6:
        level = ndimage.gaussian_filter(level, 0.8) + rng.choice([0.05, 0.3]) * ndimage.gaussian_filter(
            rng.normal(size=shape), rng.choice([0.0, 1.0])
        )
    probability = np.rint(254 * np.clip(level, 0, 1)).astype(np.uint8)
    mask = (probability >= 127).astype(np.uint8)
    if rng.random() < 0.3:
        lost = (rng.random(shape) < 0.002) | (rows - cols > 0.7 * max(shape))
        mask[lost] = probability[lost] = 255
    return mask, probability


@settings(deadline=None, max_examples=60)
@given(
    seed=st.integers(0, 10**9),
    shape=st.tuples(st.integers(1, 170), st.integers(1, 170)),
    typical_px=st.integers(9, 120),
    cap_px=st.sampled_from([3.0, 6.5, 12.0, 25.0]),
    more_halo_px=st.integers(0, 9),
)
def test_lines_are_the_same_bytes_for_any_cut(
    seed: int, shape: tuple[int, int], typical_px: int, cap_px: float, more_halo_px: int
) -> None:
    rng = np.random.default_rng(seed)
    image = drawn(rng, shape)
    whole = [Window(0, 0, *shape)]
    blocks = cut(shape, rng, typical_px)
    expected = skeleton_in(image, whole, cap_px, 0)
    assert bytes_of(skeleton_in(image, blocks, cap_px, more_halo_px)) == bytes_of(expected)
    found, as_whole = lines_in(image, blocks, cap_px, more_halo_px), lines_in(image, whole, cap_px)
    assert bytes_of(found) == bytes_of(as_whole)


def test_a_halo_below_the_bound_can_be_too_small() -> None:
    """The test above can fail: a third of the halo is not enough for a wide region."""
    mask = np.zeros((90, 90), np.uint8)
    mask[20:70, 5:85] = 1
    mask[44, 40] = 0
    whole, core, cap_px = Window(0, 0, 90, 90), Window(45, 0, 45, 90), 80.0
    (expected,) = [skeleton_of_block(mask, 254 * mask, whole, whole, cap_px=cap_px)]
    kept = expected.pixels[expected.pixels[:, 0] >= 45].tolist()
    for halo_px, enough in ((skeleton_halo_px(cap_px), True), (4, False)):
        outer = core.padded(halo_px).clipped(90, 90)
        part = mask[outer.within(whole)]
        # the rows beyond a halo that is too small are blank, as for a block that was not read
        short = np.zeros_like(mask)
        short[outer.within(whole)] = part
        found = skeleton_of_block(short, 254 * short, whole, core, cap_px=cap_px)
        assert (found.pixels.tolist() == kept) == enough


def rendered(seed: int, shape: tuple[int, int]) -> tuple[Image, np.ndarray]:
    """A rendered road, and mask and probability as a network that knows the truth would give them."""
    rgb, truth = render_window(random_scene(seed, *shape, gsd_mm=1.0, with_cracks=True), 0, 0, *shape)
    noise = np.random.default_rng(seed).normal(size=shape)
    level = 1.1 * ndimage.gaussian_filter(truth.astype(np.float64), 0.8) + 0.3 * ndimage.gaussian_filter(
        noise, 1
    )
    probability = np.rint(254 * np.clip(level, 0, 1)).astype(np.uint8)
    return ((probability >= 127).astype(np.uint8), probability), rgb


def profiles_in(lines: list[Line], rgb: np.ndarray, blocks: list[Window]) -> width_profiles.Profiles:
    """Grey profiles across lines, measured block by block."""
    paths = paths_of([line.vertices for line in lines], [line.vertex_half_width_px for line in lines])
    windows = windows_of(paths, 50.0)
    margin_px = width_profiles.margin_px(50.0, float(windows.half_width_px.max()), 0.7)
    whole, measured = Window(0, 0, *rgb.shape[:2]), []
    for block in blocks:
        index = _windows_in(windows, block)
        if len(index):
            outer = _around(windows.center[index], margin_px).clipped(*rgb.shape[:2])
            part = rgb[outer.within(whole)]
            valid = np.ones(part.shape[:2], np.bool_)
            profiles = width_profiles.measure(
                paths, windows.part(index), part, valid, outer, sigma_psf_px=0.7, tone="linear"
            )
            measured.append((index, profiles))
    return width_profiles.Profiles.joined(measured, len(windows.line))


@pytest.mark.parametrize("seed", [1, 2, 3, 4, 5, 6])
def test_rendered_roads_give_the_same_lines_and_profiles_for_any_cut(seed: int) -> None:
    shape, rng = (420, 380), np.random.default_rng(seed)
    image, rgb = rendered(seed, shape)
    whole = [Window(0, 0, *shape)]
    lines = lines_in(image, whole, cap_px=60.0)
    assert lines
    profiles = bytes_of(profiles_in(lines, rgb, whole))
    for typical_px in (40, 150):
        blocks = cut(shape, rng, typical_px)
        assert bytes_of(lines_in(image, blocks, cap_px=60.0)) == bytes_of(lines)
        assert bytes_of(profiles_in(lines, rgb, blocks)) == profiles
