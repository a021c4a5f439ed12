"""16-bit images that do not say which value is white: many cameras store 10, 12 or 14 bits in 16.

Taken for 16 bits, such a picture is nearly black (nearly white where white is stored as 0), and no crack is
found in it. One image cannot tell: a dark road looks the same. So all images of one camera are judged
together by the largest value that any of them stores. If no value needs more than 14 bits, none is inspected
until a person names the white level; there is no guessing. The values looked at are those of the centre rows
of each image: more rows could only show larger ones, so images with fewer bits are never let through.
"""

from collections.abc import Sequence

from crackpipe.pipeline.image import Rejected, SurveyImage

_MOST_BITS = 14
"""Cameras that use more of the 16 bits reach values beyond these."""


def set_dark_aside(images: Sequence[SurveyImage]) -> tuple[list[SurveyImage], list[Rejected]]:
    """Split images, in their order, into those whose white level is known or plausible and the others."""
    largest: dict[tuple[int, int], int] = {}
    for image in images:
        if image.largest_value is not None:
            key = _camera_of(image)
            largest[key] = max(largest.get(key, 0), image.largest_value)
    kept: list[SurveyImage] = []
    rejected: list[Rejected] = []
    for image in images:
        value = None if image.largest_value is None else largest[_camera_of(image)]
        if value is None or value >= 2**_MOST_BITS:
            kept.append(image)
        else:
            rejected.append(_rejected(image, value))
    return kept, rejected


def _camera_of(image: SurveyImage) -> tuple[int, int]:
    """Images alike in this come from one camera; a line camera's differ in height."""
    return image.width_px, image.bands


def _rejected(image: SurveyImage, value: int) -> Rejected:
    bits = next(bits for bits in (8, 10, 12, _MOST_BITS) if value < 2**bits)
    return Rejected.of(
        image,
        "white-level-unknown",
        f"its 16 bits do not say which value is white, and the largest value in the centre rows of the "
        f"images of its camera is {value}, which needs {bits} bits",
        f"Name the value of white in crackpipe.toml: white_level = {2**bits - 1} for {bits} bits, or "
        "white_level = 65535 where the road is that dark.",
    )
