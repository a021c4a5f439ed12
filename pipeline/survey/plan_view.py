"""The tags by which `crackpipe frames` says of a plan view how it was made. They are untrusted input."""

import math

import numpy as np
import rasterio

from crackpipe.pipeline.errors import ImageRejectedError
from crackpipe.pipeline.geometry.arrays import Floats
from crackpipe.pipeline.geometry.plan_view import COARSEST, MOST_FINE, PlanView, extremes

HOMOGRAPHY_TAG = "CRACKPIPE_HOMOGRAPHY"
"""In plan views of a camera that looks ahead: the nine numbers of the way from its pixels to the camera's."""

SIZES_TAG = "CRACKPIPE_HOMOGRAPHY_SIZES"
"""Rows and columns of the camera's frame, then of the plan view, so that a crop is noticed."""

_MOST_LETTERS = 1000
_MOST_SIDE_PX = 1_000_000
# The greatest over the smallest singular value of a matrix between coordinates from -1 to 1. A camera 15
# degrees below the horizon has about 30.
_MOST_CONDITION = 1e4


def tags_of(view: PlanView) -> dict[str, str]:
    """The tags of a plan view: what `plan_view_of` reads."""
    return {
        HOMOGRAPHY_TAG: " ".join(f"{value:.17g}" for value in view.homography),
        SIZES_TAG: " ".join(map(str, (*view.frame_px, *view.size_px))),
    }


def plan_view_of(dataset: rasterio.DatasetReader) -> PlanView | None:
    """How an open image was made of a frame, as its tags say; None where it has none.

    Raises ImageRejectedError `plan-view-unusable` where they cannot be meant.
    """
    numbers = _numbers(dataset, HOMOGRAPHY_TAG)
    if not numbers:
        return None
    sizes = _numbers(dataset, SIZES_TAG)
    if len(numbers) != 9:
        raise _unusable(f"{HOMOGRAPHY_TAG} holds {len(numbers)} numbers and not nine")
    if len(sizes) != 4:
        raise _unusable(f"{SIZES_TAG} holds {len(sizes)} numbers and not four")
    if not all(2 <= side <= _MOST_SIDE_PX and side == int(side) for side in sizes):
        raise _unusable(f"{SIZES_TAG} says {sizes}; sides are whole numbers from 2 to {_MOST_SIDE_PX}")
    frame_rows, frame_cols, *size = map(int, sizes)
    if tuple(size) != dataset.shape:
        raise _unusable(
            f"{SIZES_TAG} says that it had {size[0]} x {size[1]} px, but it has {dataset.height} x "
            f"{dataset.width}: it was cut or resampled since"
        )
    largest = max(map(abs, numbers))
    if largest == 0:
        raise _unusable(f"{HOMOGRAPHY_TAG} holds nothing but zeros")
    view = PlanView(tuple(value / largest for value in numbers), (frame_rows, frame_cols), (size[0], size[1]))
    _check(view)
    return view


def _check(view: PlanView) -> None:
    """Raise `plan-view-unusable` unless the camera saw something, and saw it at a scale that can be meant."""
    condition = np.linalg.cond(_to_unit(view.frame_px) @ view.matrix @ np.linalg.inv(_to_unit(view.size_px)))
    if not condition <= _MOST_CONDITION:
        raise _unusable(f"{HOMOGRAPHY_TAG} folds the picture into a line")
    found = extremes(view)
    if found is None:
        raise _unusable(
            f"{HOMOGRAPHY_TAG} says that no part was seen by pixels at most {COARSEST} times as long as "
            "those of the plan view"
        )
    if found[0] * MOST_FINE < 1:
        raise _unusable(
            f"{HOMOGRAPHY_TAG} says that {1 / found[0]:.3g} pixels of the camera lie along one of the plan "
            f"view; at most {MOST_FINE:g} can be meant"
        )


def _to_unit(shape: tuple[int, int]) -> Floats:
    """(3, 3), from (col, row, 1) of a picture of that shape to coordinates from -1 to 1."""
    height, width = shape
    return np.array([[2 / width, 0.0, -1.0], [0.0, 2 / height, -1.0], [0.0, 0.0, 1.0]])


def _numbers(dataset: rasterio.DatasetReader, tag: str) -> list[float]:
    """The finite numbers of a tag; none where it is not there, or empty."""
    try:
        # each tag is read alone: read together, one that is not UTF-8 would make all of them fail
        text = dataset.get_tag_item(tag) or ""
    except UnicodeDecodeError:
        raise _unusable(f"{tag} is not UTF-8") from None
    if len(text) > _MOST_LETTERS:
        raise _unusable(f"{tag} has {len(text)} letters; at most {_MOST_LETTERS} are read")
    try:
        numbers = [float(word) for word in text.split()]
    except ValueError:
        numbers = [math.nan]
    if not all(map(math.isfinite, numbers)):
        raise _unusable(f"{tag} holds something else than finite numbers: {text[:60]!r}")
    return numbers


def _unusable(what: str) -> ImageRejectedError:
    return ImageRejectedError(
        "plan-view-unusable",
        f"what it says of how it was made from a camera's frame cannot be used: {what}",
        "Make it again with crackpipe frames; or, if its pixels are as fine as they say, take the tag away: "
        f"gdal_translate -co TILED=YES -co COMPRESS=DEFLATE -mo {HOMOGRAPHY_TAG}= IN OUT.tif",
    )
