"""What the images of a survey tell together: how well the network knows such images, and what to do if not.

The figure of a survey is the median of its images, so that a few odd ones, such as a bridge, decide nothing.
"""

import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

STRANGE_BELOW = 0.5
"""Of roads that a network knows, one of twenty pictures is below; of a strange survey, half of them."""


@dataclass(frozen=True)
class SurveyFamiliarity:
    """The familiarity of a survey. Its fields have the names that they have in `run.json`."""

    median: float | None = None
    """0..1, over the images that have a familiarity; None where none has."""
    images: int = 0
    """Finished images that have one."""
    unknown: int = 0
    """Finished images that have none, though the weights could tell: they were finished before."""
    outside_gsd_range: int = 0
    """Finished images whose GSD is outside the range that the weights were trained for."""
    gsd_range_mm: tuple[float, float] | None = None
    """That range, mm/px; None where the weights state none."""


def familiarity_in(marker: Mapping[str, Any], by: str | None) -> float | None:
    """The familiarity of a finished image, 0..1, from its marker.

    `by` is the digest of the statistics of today's weights. By other statistics, a number would mean another
    thing: then, and without any, it is None.
    """
    if by is None or marker.get("statistics") != by:
        return None
    found: float | None = marker["familiarity"]
    return found


def of_survey(
    markers: Sequence[Mapping[str, Any]],
    gsd_mm: Sequence[float],
    by: str | None,
    gsd_range_mm: tuple[float, float] | None,
) -> SurveyFamiliarity:
    """The familiarity of a survey from the markers and the GSD of its finished images."""
    found = [each for each in (familiarity_in(marker, by) for marker in markers) if each is not None]
    outside = 0
    if gsd_range_mm is not None:
        finest, coarsest = gsd_range_mm
        outside = sum(not finest <= each <= coarsest for each in gsd_mm)
    return SurveyFamiliarity(
        median=round(statistics.median(found), 2) if found else None,
        images=len(found),
        unknown=sum(marker.get("statistics") != by for marker in markers) if by is not None else 0,
        outside_gsd_range=outside,
        gsd_range_mm=gsd_range_mm,
    )


def lines(told: Mapping[str, Any]) -> Iterator[str]:
    """The fields of `SurveyFamiliarity` in words, one sentence a line; nothing where nothing is known."""
    if told["median"] is not None:
        yield (
            f"familiarity {told['median']:.2f} (median of {told['images']} images, from 0 to 1): so well the "
            "network knows such images"
        )
    low = warning(told)
    if low is not None:
        yield low
    if told["unknown"]:
        yield (
            f"{told['unknown']} images were finished before these weights could tell the familiarity, so "
            "they have none; --restart does them again"
        )
    if told["outside_gsd_range"]:
        finest, coarsest = told["gsd_range_mm"]
        yield (
            f"{told['outside_gsd_range']} images have a GSD outside {finest:g} to {coarsest:g} mm, which the "
            "weights were trained for; the network saw them resampled"
        )


def warning(told: Mapping[str, Any]) -> str | None:
    """What to do where the network hardly knows the images of a survey; None where it does or cannot tell."""
    if told["median"] is None or told["median"] >= STRANGE_BELOW:
        return None
    return (
        f"the network hardly knows such images (familiarity {told['median']:.2f}; of roads that it knows, 19 "
        f"of 20 pictures reach {STRANGE_BELOW:g}), so it may miss cracks. Lay cracks.parquet over some "
        "pictures; if cracks are missing, try a lower --threshold, or label twenty tiles and train on them: "
        "`crackpipe adapt OUT --pick 20`"
    )
