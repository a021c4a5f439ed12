"""Blur and crack contrast of one's own camera, measured on a sample of its images.

The story:

    places_of       choose blocks, spread evenly over the images, the same ones each time     places.py
    find_edges      fit the straight edges of each block                                      edges.py
    profiles_of     find the cracks of each block and take their profiles                     cracks.py
    Calibration     holds the blur of the sharpest edges and the contrast of all wide cracks
    write_values    write both into crackpipe.toml                                            toml_file.py

One block is in memory at a time. Only the fits of its edges and the profiles of its cracks are kept.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from crackpipe.pipeline.calibrate.cracks import CrackContrast, contrast_of, profiles_of
from crackpipe.pipeline.calibrate.edges import Edges, find_edges, in_camera_px, sharp_blur, sharp_blur_sd
from crackpipe.pipeline.calibrate.places import canvases, places_of
from crackpipe.pipeline.config import Config
from crackpipe.pipeline.console.log import log
from crackpipe.pipeline.errors import NoReadableImageError, UsageError
from crackpipe.pipeline.request import Request, make_job
from crackpipe.pipeline.survey.load import load_survey
from crackpipe.pipeline.tasks.network import predictor_of, threads_of
from crackpipe.pipeline.width.profiles import Profiles
from crackpipe.pipeline.width.samples import luma_tables

_BLOCK_CORES = 3
LEAST_EDGES = 10
_ALONG_AXIS = np.cos(np.deg2rad(30.0))

EDGES_WANTED = (
    f"at least {LEAST_EDGES} straight, sharp edges of 30 grey values and more are needed: lane paint (not "
    "clipped at white), kerbs, patches. Take images of freshly painted road, at the height and speed of the "
    "survey, not resampled to a mosaic"
)
CRACKS_WANTED = (
    "at least 5 stretches of crack of 3 px and more are needed. Take images of badly cracked road; without, "
    "each run takes the contrast of its own images or that of the weights"
)


@dataclass(frozen=True)
class AxisBlur:
    """Blur of edges that lie across one direction."""

    sigma_px: float
    sd_px: float
    """Standard deviation of `sigma_px`."""
    edges: int


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """What was measured."""

    blur: AxisBlur | None
    """Standard deviation of the camera's blur. If both directions are known, it is their root mean square."""
    down: AxisBlur | None
    """Blur down the image, from row to row. This is the direction of travel if images run along the road."""
    across: AxisBlur | None
    """Blur across the image, from column to column."""
    contrast: CrackContrast | None
    places: int
    """Number of blocks that were looked at."""
    images: int
    """Number of images in which these blocks lie."""

    def values(self) -> dict[str, float]:
        """Keys of `crackpipe.toml` and their values."""
        found: dict[str, float] = {}
        if self.blur is not None:
            found["sigma_psf_px"] = round(self.blur.sigma_px, 3)
        if self.contrast is not None:
            found["contrast"] = round(self.contrast.grey, 1)
        return found


def calibrate(sources: Sequence[Path], config: Config, *, places: int = 40) -> Calibration:
    """Measure blur and contrast on about `places` blocks of the images of `sources`.

    Raises UsageError if a source does not exist, or if neither blur nor contrast can be measured. Raises
    NoReadableImageError if no image can be read, and ConfigurationError if the weights cannot be used.
    """
    found = load_survey(sources, config)
    if not found.images:
        why = f": {found.rejected[0].image_id}: {found.rejected[0].message}" if found.rejected else ""
        raise NoReadableImageError(f"no readable image in {', '.join(str(each) for each in sources)}{why}")
    for rejected in found.rejected:
        log.warning(f"{rejected.image_id} is left out: {rejected.message}")
    job = make_job(Request(tuple(sources), Path(), replace(config, block_cores=_BLOCK_CORES), serial=True))
    edges: list[Edges] = []
    profiles: dict[str, list[Profiles]] = {}
    with threads_of(job):  # as in a run, since the number of threads changes how sums are rounded
        network = predictor_of(job)
        for image, blocks in places_of(found.images, job, places):
            log.info(f"{image.image_id}: {len(blocks)} places")
            for canvas in canvases(image, blocks, job):
                inner = canvas.rgb[canvas.window.within(canvas.outer)]
                found_edges = find_edges(_light(inner, config.tone), canvas.valid)
                view = None if image.view is None else image.view.part(canvas.window)
                edges.append(in_camera_px(found_edges, view))
                profiles.setdefault(image.image_id, []).append(profiles_of(canvas, network, job))
    down, across, blur = blur_of(Edges.joined(edges))
    contrast = contrast_of(profiles, blur.sigma_px if blur else config.sigma_psf_px)
    if blur is None and contrast is None:
        raise UsageError(
            f"nothing to measure in {len(edges)} places. For the blur, {EDGES_WANTED}. For the "
            f"contrast, {CRACKS_WANTED}."
        )
    return Calibration(
        blur=blur, down=down, across=across, contrast=contrast, places=len(edges), images=len(profiles)
    )


def _light(rgb: NDArray[np.uint8], tone: str) -> NDArray[np.float32]:
    """Luma in linear light, float32 (h, w), 0 to 255. Widths are measured on the same values."""
    red, green, blue = luma_tables(tone)
    return np.asarray(red[rgb[..., 0]] + green[rgb[..., 1]] + blue[rgb[..., 2]], np.float32)


def blur_of(edges: Edges) -> tuple[AxisBlur | None, AxisBlur | None, AxisBlur | None]:
    """Blur down the image, blur across it, and the one blur that widths are fitted with."""
    normal = np.abs(edges.normal)
    down, across = (_axis_blur(edges, normal[:, axis] >= _ALONG_AXIS) for axis in (0, 1))
    if down is None or across is None:
        return down, across, _axis_blur(edges, np.ones(len(normal), bool))
    sigma = float(np.sqrt((down.sigma_px**2 + across.sigma_px**2) / 2))
    pull = np.hypot(down.sigma_px * down.sd_px, across.sigma_px * across.sd_px) / 2
    return down, across, AxisBlur(sigma, float(pull / max(sigma, 0.1)), len(normal))


def _axis_blur(edges: Edges, chosen: NDArray[np.bool_]) -> AxisBlur | None:
    sigma, sd = edges.sigma_px[chosen], edges.sd_px[chosen]
    if len(sigma) < LEAST_EDGES:
        return None
    return AxisBlur(sharp_blur(sigma, sd), sharp_blur_sd(sigma, sd), len(sigma))
