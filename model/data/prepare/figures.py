"""What a step did to the labels of a set, in a few numbers."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt
from skimage.morphology import skeletonize

from crackpipe.model.data.pairs import NOT_LABELLED_GREY
from crackpipe.model.data.prepare.ridges import F32
from crackpipe.model.data.prepare.tight import CRACK_GREY

WRONG_SHARE = 0.25
"""If more of a set than this turns to 127, the step does not fit the set."""

_FOUND_WITHIN_PX = 5.0
_RING_PX = (3.0, 8.0)


@dataclass(frozen=True, kw_only=True)
class PictureFigures:
    """One picture, before and after."""

    inspected_px: int
    """Pixels that were not 127."""
    doubtful_px: int
    """How many of these are 127 now."""
    label_px: int
    label_doubtful_px: int
    """Pixels of the label that are 127 now."""
    length_px: int
    """Pixels of the label's centreline."""
    lost_px: int
    """How many of these have no crack within 5 px any more."""
    width_px: tuple[float, float]
    """Label pixels per pixel of centreline, before and after; nan without a label."""
    contrast: tuple[float, float]
    """How much darker the centreline is than the sound ring 3 to 8 px off the label, in standard deviations
    of that ring, before and after; nan without a label."""


def compare(grey: F32, before: NDArray[np.uint8], after: NDArray[np.uint8]) -> PictureFigures:
    """Figures of one picture: `grey` (H, W), 0..255; masks (H, W) of 0, 127 and 255."""
    was, now = before == CRACK_GREY, after == CRACK_GREY
    middle = skeletonize(was)
    lost = middle & (_distance_to(now) > _FOUND_WITHIN_PX)
    doubtful = (after == NOT_LABELLED_GREY) & (before != NOT_LABELLED_GREY)
    (width_before, contrast_before), (width_after, contrast_after) = _shape(grey, before), _shape(grey, after)
    return PictureFigures(
        inspected_px=int((before != NOT_LABELLED_GREY).sum()),
        doubtful_px=int(doubtful.sum()),
        label_px=int(was.sum()),
        label_doubtful_px=int((doubtful & was).sum()),
        length_px=int(middle.sum()),
        lost_px=int(lost.sum()),
        width_px=(width_before, width_after),
        contrast=(contrast_before, contrast_after),
    )


def _distance_to(marked: NDArray[np.bool_]) -> NDArray[np.float64]:
    if not marked.any():
        return np.full(marked.shape, np.inf)
    return np.asarray(distance_transform_edt(~marked))


def _shape(grey: F32, mask: NDArray[np.uint8]) -> tuple[float, float]:
    """Width, px, and contrast of the label of a mask; nan without one or without a ring."""
    crack = mask == CRACK_GREY
    middle = skeletonize(crack)
    if not middle.any():
        return float("nan"), float("nan")
    far = _distance_to(crack)
    ring = grey[(far >= _RING_PX[0]) & (far <= _RING_PX[1]) & (mask == 0)]
    width = crack.sum() / middle.sum()
    if len(ring) < 2:
        return float(width), float("nan")
    return float(width), float((ring.mean() - grey[middle].mean()) / max(float(ring.std()), 1e-6))


def table(sets: dict[str, Sequence[PictureFigures]]) -> list[str]:
    """Figures of every set as lines of a Markdown table, and a line for each that does not fit its step."""
    rows = [
        "| set | pictures | 127, of all | of labels | length without a core | width px | contrast |",
        "|---|---|---|---|---|---|---|",
    ]
    doubts = []
    for name, pictures in sets.items():
        share = _ratio(pictures, "doubtful_px", "inspected_px")
        lost = _ratio(pictures, "lost_px", "length_px")
        rows.append(
            f"| {name} | {len(pictures)} | {share:.1%} "
            f"| {_ratio(pictures, 'label_doubtful_px', 'label_px'):.1%} "
            f"| {lost:.1%} | {_medians(pictures, 'width_px', 1)} | {_medians(pictures, 'contrast', 2)} |"
        )
        if share > WRONG_SHARE:
            doubts.append(
                f"{name}: {share:.0%} of what was inspected turned to 127, more than {WRONG_SHARE:.0%}: the "
                "step is wrong for this set. Look at its masks, and do not train on them"
            )
        if lost > WRONG_SHARE:
            doubts.append(
                f"{name}: along {lost:.0%} of the labelled length no core was found; it is 127 and "
                "trains nothing"
            )
    return rows + doubts


def _ratio(pictures: Sequence[PictureFigures], part: str, whole: str) -> float:
    of = sum(getattr(picture, whole) for picture in pictures)
    return sum(getattr(picture, part) for picture in pictures) / of if of else 0.0


def _medians(pictures: Sequence[PictureFigures], field: str, digits: int) -> str:
    """Medians over the pictures that have a label, before and after."""
    values = np.array([getattr(picture, field) for picture in pictures])
    known = [column[~np.isnan(column)] for column in values.T]
    return " -> ".join(f"{np.median(column):.{digits}f}" if len(column) else "-" for column in known)
