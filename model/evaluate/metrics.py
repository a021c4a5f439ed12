"""How well a mask agrees with its label: pooled counts, and figures computed from sums of counts.

Legend: P predicted crack pixels, G labelled crack pixels; both lie within the inspected area, where a person
has labelled the pixel. Counts are added up over pictures (`a + b`), and figures are computed from the sum
(they are *pooled*). So a photograph with much crack weighs more than one with little, and a crack-free one
counts only through its false pixels.
"""

import math
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.morphology import skeletonize

from crackpipe.model.data.pairs import IGNORE

TOLERANCE_PX = 2.0
"""Two annotators of one photograph differ by about this much, in pixels (Euclidean)."""

LINE_TOLERANCE_PX = 3.0
"""Between two centrelines: that of a wide brush lies less exactly than the edge of a narrow one."""


@dataclass(frozen=True, kw_only=True)
class Counts:
    """Pixel counts of one image or, added up, of many."""

    true_px: int = 0
    """P and G."""
    predicted_px: int = 0
    """P."""
    labelled_px: int = 0
    """G."""
    near_label_px: int = 0
    """Pixels of P within `TOLERANCE_PX` of G."""
    near_prediction_px: int = 0
    """Pixels of G within `TOLERANCE_PX` of P."""
    skeleton_px: int = 0
    """Skeleton of P."""
    skeleton_in_label_px: int = 0
    """Skeleton of P inside G."""
    label_skeleton_px: int = 0
    """Skeleton of G."""
    label_skeleton_in_prediction_px: int = 0
    """Skeleton of G inside P."""
    line_px: int = 0
    """Skeleton of the whole prediction, where a person has labelled."""
    line_near_label_px: int = 0
    """Those within `LINE_TOLERANCE_PX` of the skeleton of G."""
    label_line_near_px: int = 0
    """Skeleton of G within `LINE_TOLERANCE_PX` of the skeleton of the whole prediction."""
    inspected_px: int = 0
    """Pixels whose label is not `IGNORE`."""

    def __add__(self, other: "Counts") -> "Counts":
        """Pool two counts."""
        return Counts(**{f.name: getattr(self, f.name) + getattr(other, f.name) for f in fields(self)})


@dataclass(frozen=True, kw_only=True)
class Scores:
    """Figures in 0..1 of pooled counts; NaN where nothing was there to judge.

    Where cracks are labelled and nothing is found, precision is not defined, but every F1 is 0, as IoU and
    Dice are.
    """

    f1_line: float
    """F1 of lines: a skeleton pixel is right if the other skeleton lies within 3 px. It does not depend on
    how wide a brush the labels were drawn with."""
    precision_line: float
    recall_line: float
    """Share of the labelled length that is found."""
    iou: float
    dice: float
    precision: float
    recall: float
    f1: float
    f1_2px: float
    """F1 where a pixel is right if a counterpart lies within 2 px."""
    precision_2px: float
    recall_2px: float
    cldice: float
    """Centreline Dice: harmonic mean of skeleton precision and skeleton recall."""
    false_share: float
    """Pixels of P outside G, without any tolerance, over inspected pixels."""


def count(prediction: NDArray[np.bool_], label: NDArray[np.uint8], *, centreline: bool = True) -> Counts:
    """Compare one mask with its label.

    `prediction` is bool (H, W), True for crack. `label` is uint8 (H, W): 0 sound, 1 crack, or `IGNORE`.
    `centreline=False` leaves the skeleton counts at 0, which saves most of the time.
    Raises ValueError if the shapes differ.
    """
    if prediction.shape != label.shape:
        raise ValueError(f"prediction {prediction.shape} and label {label.shape} differ in shape")
    inspected = label != IGNORE
    predicted = prediction & inspected
    labelled = label == 1
    spine, line, label_spine = (np.zeros_like(predicted) for _ in range(3))
    if centreline:
        spine = skeletonize(predicted, method="zhang")
        label_spine = skeletonize(labelled, method="zhang")
        # A mask that is cut where nobody labelled has another skeleton there. So the whole one is thinned.
        line = spine if inspected.all() else skeletonize(prediction, method="zhang")
    lines = count_lines(line, label_spine, within(label_spine, LINE_TOLERANCE_PX), inspected)
    return lines + Counts(
        true_px=_sum(predicted & labelled),
        predicted_px=_sum(predicted),
        labelled_px=_sum(labelled),
        near_label_px=_sum(predicted & within(labelled, TOLERANCE_PX)),
        near_prediction_px=_sum(labelled & within(predicted, TOLERANCE_PX)),
        skeleton_px=_sum(spine),
        skeleton_in_label_px=_sum(spine & labelled),
        label_skeleton_in_prediction_px=_sum(label_spine & predicted),
        inspected_px=_sum(inspected),
    )


def count_lines(
    line: NDArray[np.bool_],
    label_spine: NDArray[np.bool_],
    near_label: NDArray[np.bool_],
    inspected: NDArray[np.bool_],
) -> Counts:
    """The counts of lines alone; all others are 0.

    All are bool (H, W): the skeleton of the whole prediction, that of the label, what lies within
    `LINE_TOLERANCE_PX` of the label's, and where a person has labelled.
    """
    return Counts(
        line_px=_sum(line & inspected),
        line_near_label_px=_sum(line & inspected & near_label),
        label_skeleton_px=_sum(label_spine),
        label_line_near_px=_sum(label_spine & within(line, LINE_TOLERANCE_PX)),
    )


def within(mask: NDArray[np.bool_], distance_px: float) -> NDArray[np.bool_]:
    """Pixels whose Euclidean distance to a True pixel is at most `distance_px`; bool, shape of `mask`."""
    if not mask.any():
        return np.zeros_like(mask)
    near: NDArray[np.bool_] = ndimage.distance_transform_edt(~mask) <= distance_px
    return near


def scores(counts: Counts) -> Scores:
    """Figures of pooled counts."""
    c = counts
    precision, recall = _ratio(c.true_px, c.predicted_px), _ratio(c.true_px, c.labelled_px)
    precision_2px = _ratio(c.near_label_px, c.predicted_px)
    recall_2px = _ratio(c.near_prediction_px, c.labelled_px)
    spine_precision = _ratio(c.skeleton_in_label_px, c.skeleton_px)
    spine_recall = _ratio(c.label_skeleton_in_prediction_px, c.label_skeleton_px)
    line_precision = _ratio(c.line_near_label_px, c.line_px)
    line_recall = _ratio(c.label_line_near_px, c.label_skeleton_px)
    return Scores(
        f1_line=_harmonic(line_precision, line_recall),
        precision_line=line_precision,
        recall_line=line_recall,
        iou=_ratio(c.true_px, c.predicted_px + c.labelled_px - c.true_px),
        dice=_ratio(2 * c.true_px, c.predicted_px + c.labelled_px),
        precision=precision,
        recall=recall,
        f1=_harmonic(precision, recall),
        f1_2px=_harmonic(precision_2px, recall_2px),
        precision_2px=precision_2px,
        recall_2px=recall_2px,
        cldice=_harmonic(spine_precision, spine_recall),
        false_share=_ratio(c.predicted_px - c.true_px, c.inspected_px),
    )


def _sum(mask: NDArray[np.bool_]) -> int:
    return int(np.count_nonzero(mask))


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else float("nan")


def _harmonic(precision: float, recall: float) -> float:
    """Harmonic mean; 0 where something is labelled and nothing found, NaN where nothing is labelled."""
    if math.isnan(recall):
        return math.nan
    nothing_right = math.isnan(precision) or precision + recall == 0
    return 0.0 if nothing_right else 2 * precision * recall / (precision + recall)
