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
    return "; ".join([*image.all_warnings, *([noticed] if noticed else []), *_too_wide(marker)]) or None


def _too_wide(marker: Mapping[str, Any]) -> list[str]:
    area_m2 = marker["too_wide_m2"]
    return [f"crack regions of {area_m2:.3g} m2 are too wide to be lines and not counted"] if area_m2 else []
