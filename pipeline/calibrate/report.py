"""What a calibration found, told to a person."""

from pathlib import Path

import numpy as np

from crackpipe.pipeline.calibrate.calibrate import (
    CRACKS_WANTED,
    EDGES_WANTED,
    LEAST_EDGES,
    AxisBlur,
    Calibration,
)
from crackpipe.pipeline.calibrate.cracks import CrackContrast

_DIFFERENT_SHARE, _DIFFERENT_SDS = 0.15, 3.0


def lines(found: Calibration, file: Path) -> list[str]:
    """The result for a person."""
    return [
        f"Looked at {found.places} places of {found.images} images.",
        *_blur_lines(found),
        *_contrast_lines(found.contrast),
        f"Written to {file}: " + ", ".join(f"{key} = {value}" for key, value in found.values().items()),
    ]


def _blur_lines(found: Calibration) -> list[str]:
    if found.blur is None:
        return [f"Blur: not measured; {EDGES_WANTED}."]
    names = (("down the image (rows)", found.down), ("across the image (columns)", found.across))
    parts = [
        f"  {name}: {_shown(axis)}" if axis else f"  {name}: fewer than {LEAST_EDGES} edges"
        for name, axis in names
    ]
    return [f"Blur: {_shown(found.blur)}", *parts, *_motion_lines(found)]


def _motion_lines(found: Calibration) -> list[str]:
    down, across = found.down, found.across
    if down is None or across is None:
        return []
    apart, sd = abs(down.sigma_px - across.sigma_px), float(np.hypot(down.sd_px, across.sd_px))
    if apart <= max(_DIFFERENT_SHARE * min(down.sigma_px, across.sigma_px), _DIFFERENT_SDS * sd):
        return []
    return ["  The two differ (motion blur, or resampling): widths are surest for cracks at 45 degrees."]


def _shown(axis: AxisBlur) -> str:
    return f"{axis.sigma_px:.2f} +- {axis.sd_px:.2f} px from {axis.edges} edges"


def _contrast_lines(found: CrackContrast | None) -> list[str]:
    if found is None:
        return [f"Contrast: not measured; {CRACKS_WANTED}."]
    spread = "" if found.image_sd is None else f", {found.image_sd:.0%} from image to image"
    return [
        f"Contrast: {found.grey:.0f} +- {found.sd_grey:.1f} grey values from {found.stretches} stretches of "
        f"crack{spread}"
    ]
