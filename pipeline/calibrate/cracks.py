"""How dark the cracks of a camera's images are, measured at a few places.

Network, mask, lines and profiles are made as in a run. Each block is treated as if it were a whole image.
"""

from dataclasses import dataclass

import numpy as np

from crackpipe.pipeline.geometry.arrays import Floats
from crackpipe.pipeline.geometry.grid import Window
from crackpipe.pipeline.masks import values
from crackpipe.pipeline.tasks import looks
from crackpipe.pipeline.tasks.job import Job, UnitFigures
from crackpipe.pipeline.tasks.network import Network
from crackpipe.pipeline.tasks.open_block import Canvas
from crackpipe.pipeline.tasks.picture import lines_of
from crackpipe.pipeline.tasks.unit import Computing
from crackpipe.pipeline.width import contrast, profiles, windows

_LEAST_IMAGES = 3
_LEAST_WINDOWS = 5


@dataclass(frozen=True)
class CrackContrast:
    """Darkening of cracks wide enough to show it."""

    grey: float
    """Contrast in grey values of linear light, 0 to 255, at the median brightness of the pavement."""
    sd_grey: float
    """Standard deviation of `grey`."""
    stretches: int
    """Number of stretches of crack on which it was measured."""
    image_sd: float | None
    """Relative standard deviation from image to image; None if there are fewer than three images."""


def profiles_of(canvas: Canvas, network: Network, job: Job) -> profiles.Profiles:
    """Grey profiles across the cracks that the network finds on one block."""
    looks.look_coarsely(job, network, canvas)
    computing = Computing(job, network, UnitFigures())
    for _ in (*computing.complete_after(canvas), *computing.finish()):
        pass  # the only block that comes out is `canvas` itself
    mask, probability = canvas.classified(job.threshold)
    valid = canvas.valid
    if len(job.classes) > 1:
        valid = valid & ~values.is_any(mask, job.values_of("line", "area"))
        mask, probability = values.of_classes(mask, probability, job.values_of("crack"))
    lines = lines_of(mask, probability, canvas.image.gsd_mm, job.config)
    view = canvas.image.view
    paths = windows.paths_of(
        [line.vertices for line in lines],
        [line.vertex_half_width_px for line in lines],
        view=None if view is None else view.part(canvas.window),
    )
    config = job.config
    whole = Window(0, 0, *mask.shape)
    return profiles.measure(
        paths,
        windows.windows_of(paths, config.window_px),
        np.ascontiguousarray(canvas.rgb[canvas.window.within(canvas.outer)]),
        valid,
        whole,
        sigma_psf_px=config.sigma_psf_px,
        tone=config.tone,
    )


def contrast_of(parts: dict[str, list[profiles.Profiles]], sigma_psf_px: float) -> CrackContrast | None:
    """Contrast over the profiles of all blocks, given by image_id; None if too few cracks are wide."""
    pooled = _measured([part for of_image in parts.values() for part in of_image], sigma_psf_px)
    if pooled is None:
        return None
    found, ln_sd = pooled
    each = [one[0] for of_image in parts.values() if (one := _measured(of_image, sigma_psf_px)) is not None]
    middles = np.log([np.median(one) for one in each])
    spread = float(np.std(middles, ddof=1)) if len(each) >= _LEAST_IMAGES else None
    grey = float(np.median(found))
    return CrackContrast(grey, grey * ln_sd, len(found), spread)


def _measured(parts: list[profiles.Profiles], sigma_psf_px: float) -> tuple[Floats, float] | None:
    """Contrasts (W,) of the wide windows of these profiles, and the standard deviation of ln(median)."""
    counts = np.cumsum([0, *(len(part.bin_px) for part in parts)])
    places = [np.arange(counts[k], counts[k + 1]) for k in range(len(parts))]
    joined = profiles.Profiles.joined(list(zip(places, parts, strict=True)), int(counts[-1]))
    _, found = contrast.wide_contrasts(joined, sigma_psf_px=sigma_psf_px)
    if len(found) < _LEAST_WINDOWS:
        return None
    # The median of normal samples has pi / 2 times the variance of their mean.
    return found, float(np.sqrt(np.pi / 2 / len(found)) * np.std(np.log(found)))
