"""The sentences in the column `message` of an image that is done: doubts, and what was not inspected."""

from collections.abc import Mapping
from typing import Any

from crackpipe.pipeline.image import SurveyImage


def message_of(image: SurveyImage, marker: Mapping[str, Any]) -> str | None:
    """All sentences about an image that is done, joined by `; `; None where there is nothing to say.

    `marker` may hold a `message` of its own: what was noticed while the pixels were read.
    """
    sentences = [*image.warnings, *_uninspected(image, marker), *_too_wide(marker)]
    noticed = marker.get("message")
    return "; ".join([*sentences, *([noticed] if noticed else [])]) or None


def _uninspected(image: SurveyImage, marker: Mapping[str, Any]) -> list[str]:
    hidden_m2 = marker["uninspected_m2"]
    if not hidden_m2:
        return []
    share = hidden_m2 / (hidden_m2 + marker["inspected_m2"])
    causes = ", ".join(_possible_causes(image))
    return [f"{100 * share:.3g} % of its pixels are not inspected" + (f" ({causes})" if causes else "")]


def _possible_causes(image: SurveyImage) -> list[str]:
    """What the header says that hides pixels."""
    said = {
        "blocks that were never written": image.has_missing_blocks,
        "nodata": image.nodata is not None,
        "alpha": image.layout.alpha is not None,
        "transparent colours": image.layout.palette,
        "mask beside it": image.mask is not None,
        "outside the region": image.region is not None,
    }
    return [cause for cause, there in said.items() if there]


def _too_wide(marker: Mapping[str, Any]) -> list[str]:
    area_m2 = marker["too_wide_m2"]
    return [f"crack regions of {area_m2:.3g} m2 are too wide to be lines and not counted"] if area_m2 else []
