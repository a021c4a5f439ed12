"""The sentences in the column `message` of an image that is done.

They tell doubts and what was not inspected.
"""

from collections.abc import Mapping
from typing import Any

from crackpipe.pipeline.image import SurveyImage


def message_of(image: SurveyImage, marker: Mapping[str, Any]) -> str | None:
    """All sentences about an image that is done, joined by `; `; None if there is nothing to say.

    `marker` may hold a `message` of its own. It tells what was noticed while the pixels were read.
    """
    noticed = marker.get("message")
    said = [*image.all_warnings, *_plan_view(image), *([noticed] if noticed else []), *_too_wide(marker)]
    return "; ".join(said) or None


def _plan_view(image: SurveyImage) -> list[str]:
    if image.view is None:
        return []
    return [
        f"it is a plan view of a camera that looks ahead: its pixels are {image.gsd_mm:.3g} mm, the camera's "
        f"own within it up to {image.worst_gsd_mm:.3g} mm long (gsd_mm)"
    ]


def _too_wide(marker: Mapping[str, Any]) -> list[str]:
    area_m2 = marker["too_wide_m2"]
    return [f"crack regions of {area_m2:.3g} m2 are too wide to be lines and not counted"] if area_m2 else []
