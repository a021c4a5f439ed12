"""What the rooms find in the plan view of a drawn frame, against what was drawn."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from ahead import CONTRAST, PAVEMENT, Points, Slot, Spot, frame_of, in_plan
from crackpipe.pipeline.config import Config
from crackpipe.pipeline.frames.files.oblique import Oblique
from crackpipe.pipeline.frames.oblique.decode import packed
from crackpipe.pipeline.frames.oblique.rectify import rectified
from crackpipe.pipeline.frames.oblique.view import View, view_of
from crackpipe.pipeline.geometry.grid import Window
from crackpipe.pipeline.tasks.picture import lines_in
from crackpipe.pipeline.width.contrast import contrast_of_image
from crackpipe.pipeline.width.profiles import measure
from crackpipe.pipeline.width.row_width import RowWidth
from crackpipe.pipeline.width.stretches import Limits, stretches_of
from crackpipe.pipeline.width.widths import widths_of
from crackpipe.pipeline.width.windows import paths_of, windows_of

LIMITS = Limits(tiny_below_mm=1.0, small_below_mm=3.0, class_run_mm=1e6, certain_from=0.8, shape_sd=0.11)


@dataclass(frozen=True)
class Drawn:
    """A plan view of a drawn frame, and what lies wholly in its inspected part."""

    plan: NDArray[np.uint8]
    valid: NDArray[np.bool_]
    view: View
    things: list[Slot | Spot]


def drawn(
    camera: Oblique,
    size_px: tuple[int, int],
    things: Sequence[Slot | Spot],
    *,
    margin_px: int,
    **noise: float,
) -> Drawn:
    """`margin_px`: so far from what is not inspected a thing lies that counts."""
    view = view_of(camera, size_px, "camera.toml")
    window = Window(0, 0, *view.plan.shape)
    frame = frame_of(camera, size_px, things, **noise)  # type: ignore[arg-type]
    (plan,), valid = rectified(packed(frame[None]), view.view, window)
    deep = gaussian_filter(valid.astype(float), margin_px / 3, mode="constant") > 0.995

    def counts(each: Slot | Spot) -> bool:
        points = each.middle[None] if isinstance(each, Spot) else each.line
        at = np.rint(in_plan(points, view.plan)).astype(int)
        inside = ((at >= 0) & (at < np.array(plan.shape))).all(axis=1)
        return bool(inside.all() and deep[tuple(at.T)].all())

    return Drawn(plan, valid, view, [each for each in things if counts(each)])


def spots_off_px(found: Drawn) -> Points:
    """How far (N,) the middle of each spot lies from its true place, px of the plan view."""
    off = []
    for spot in found.things:
        if not isinstance(spot, Spot):
            continue
        (true,) = in_plan(spot.middle[None], found.view.plan)
        reach = int(2 * spot.radius_m * 1000 / found.view.plan.gsd_mm) + 4
        low = np.rint(true).astype(int) - reach
        part = found.plan[low[0] : low[0] + 2 * reach + 1, low[1] : low[1] + 2 * reach + 1]
        bright = np.clip(part - (PAVEMENT + 1), 0, None)
        row, col = np.indices(part.shape)
        off.append(
            np.hypot(
                (row * bright).sum() / bright.sum() + low[0] - true[0],
                (col * bright).sum() / bright.sum() + low[1] - true[1],
            )
        )
    return np.array(off)


def lengths_ratio(found: Drawn) -> Points:
    """Length of the lines that are traced along each slot over its own, (N,)."""
    dark = np.clip((PAVEMENT - gaussian_filter(found.plan.astype(float), 1.0)) / CONTRAST, 0.0, 1.0)
    probability = np.where(found.valid, np.rint(254 * dark), 255).astype(np.uint8)
    step_m = found.view.plan.gsd_mm / 1000
    lines = [shapely.LineString(line.vertices) for line in lines_in(probability, 76, found.view.plan.gsd_mm)]
    ratios = []
    for slot in found.things:
        if isinstance(slot, Slot):
            near = shapely.LineString(in_plan(slot.line, found.view.plan)).buffer(slot.width_m / step_m + 4)
            ratios.append(sum(line.length for line in lines if near.covers(line)) * step_m / slot.length_m)
    return np.array(ratios)


def widths(found: Drawn, *, told: bool = True) -> list[tuple[Slot, RowWidth]]:
    """The width of each slot along its true line. `told`: the width room knows how the plan view was made."""
    slots = [each for each in found.things if isinstance(each, Slot)]
    step_m = found.view.plan.gsd_mm / 1000
    paths = paths_of(
        [in_plan(slot.line, found.view.plan) for slot in slots],
        [slot.width_m / step_m / 2 + 1 for slot in slots],
        view=found.view.view if told else None,
    )
    config, windows = Config(), windows_of(paths, Config.window_px)
    psf, whole = config.sigma_psf_px, Window(0, 0, *found.plan.shape)
    image = found.plan.astype(np.float32)
    profiles = measure(paths, windows, image, found.valid, whole, sigma_psf_px=psf, tone="linear")
    contrast = contrast_of_image(
        profiles, windows.line, sigma_psf_px=psf, contrast_sd=config.contrast_sd, default=CONTRAST
    )
    lines = stretches_of(windows, widths_of(profiles, contrast, sigma_psf_px=psf), np.eye(2) * step_m, LIMITS)
    return [(slot, of_line[0].width) for slot, of_line in zip(slots, lines, strict=True)]


def slots_in(widths_mm: Sequence[float], near_m: float, far_m: float, *, seed: int) -> list[Slot]:
    """Slots of each width, bent by some degrees: across the view and along it, from near to far."""
    rng, slots = np.random.default_rng(seed), []
    columns = np.linspace(-0.9, 0.9, len(widths_mm))
    for right_m, width_mm in zip(columns, rng.permutation(widths_mm), strict=True):
        for ahead_m in np.arange(near_m, far_m, 0.8):
            turn = rng.uniform(-0.2, 0.2, 2)
            for way, place in (((0.34, 0.0), (-0.17, 0.0)), ((0.0, 0.45), (0.0, 0.2))):
                start = np.array([right_m, ahead_m]) + place
                side = np.array([-way[1], way[0]])
                middle = start + np.array(way) / 2 + side * turn[0]
                end = start + np.array(way) + side * turn[1]
                slots.append(Slot(np.stack([start, middle, end]), width_mm / 1000))
    return slots
