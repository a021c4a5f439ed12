"""A position that stood still: three images or more with one place, although they show different ground.

Where the receiver loses its fix, many systems write the last position again and again. Then the images of a
whole street lie on one square metre, and each keeps only the part of it that no other image sees deeper.
"""

from collections.abc import Iterator, Sequence
from datetime import date

from crackpipe.pipeline.image import Rejected, SurveyImage

_FROM_IMAGES = 3
"""Two images with one place may be a second try, or two versions of one photograph."""

_REMEDY = (
    "Georeference them again. If they show one place on different days, put each day into a folder with a "
    "survey.toml that says acquired = YYYY-MM-DD, and run on these folders; --allow-place takes places as "
    "they are."
)


def set_aside(images: Sequence[SurveyImage]) -> tuple[list[SurveyImage], list[Rejected]]:
    """Split images, sorted by image_id, into those to inspect and those whose position stood still.

    The images differ in content, since duplicates were taken out before. Only headers are compared. Visits of
    one place on different days are no standstill; an image without a date may be of any day.
    """
    places: dict[tuple[object, ...], list[SurveyImage]] = {}
    for image in images:
        key = (*image.transform, image.crs_wkt, image.height_px, image.width_px)
        places.setdefault(key, []).append(image)
    stuck: dict[str, Sequence[SurveyImage]] = {}
    for group in places.values():
        for together in _of_one_day(group):
            for image in together:
                stuck.setdefault(image.image_id, together)
    kept = [image for image in images if image.image_id not in stuck]
    return kept, [_rejected(image, stuck[image.image_id]) for image in images if image.image_id in stuck]


def _of_one_day(group: Sequence[SurveyImage]) -> Iterator[Sequence[SurveyImage]]:
    """Those images of one place that may be of one day, if they are too many for one day."""
    if len(group) < _FROM_IMAGES:
        return
    days: list[date | None] = [*sorted({image.acquired for image in group if image.acquired is not None})]
    for day in days or [None]:
        together = [image for image in group if image.acquired in (day, None)]
        if len(together) >= _FROM_IMAGES:
            yield together


def _rejected(image: SurveyImage, together: Sequence[SurveyImage]) -> Rejected:
    other, more = next(each for each in together if each is not image), len(together) - 2
    return Rejected.of(
        image,
        "place-repeated",
        f"its place is exactly that of {other.image_id} and {more} more with other content: the position "
        "stood still",
        _REMEDY,
    )
