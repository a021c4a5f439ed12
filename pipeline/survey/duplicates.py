"""Find files of a survey that are the same photograph: it is inspected once, and both files get a row.

Two files are the same photograph if they have the same bytes and the same place on the ground; folder and
name do not matter. The same bytes at two places are two photographs, such as frames with the lens cap on.
"""

import hashlib
from collections.abc import Sequence

from crackpipe.pipeline.image import Rejected, SurveyImage
from crackpipe.pipeline.storage import reading
from crackpipe.pipeline.survey.files import candidates

_REMEDY = "Remove one of the two; nothing is lost, the other one is inspected."


def set_aside(images: Sequence[SurveyImage]) -> tuple[list[SurveyImage], list[Rejected]]:
    """Split images, sorted by image_id, into those to inspect and those that repeat an earlier one.

    Only files of equal size, shape and georeference can be duplicates, so only those are read. A survey
    without such files costs nothing.
    """
    alike: dict[tuple[object, ...], list[SurveyImage]] = {}
    for image in images:
        key = (image.size_bytes, image.height_px, image.width_px, *image.transform, image.crs_wkt)
        alike.setdefault(key, []).append(image)
    kept, rejected = [], []
    for group in alike.values():
        first: dict[tuple[str, ...], SurveyImage] = {}
        for image in group:
            try:
                content = _content(image) if len(group) > 1 else ("only one",)
            except OSError as error:
                refusal = candidates.unreadable(image.path, error)
                rejected.append(Rejected.of(image, refusal.reason, refusal.message, refusal.remedy))
                continue
            original = first.setdefault(content, image)
            if original is image:
                kept.append(image)
            else:
                message = f"it has the same content and place as {original.image_id}, which is inspected"
                rejected.append(Rejected.of(image, "duplicate", message, _REMEDY))
    return sorted(kept, key=_by_id), rejected


def _content(image: SurveyImage) -> tuple[str, ...]:
    """Hashes of the file and of the mask beside it. Raises OSError."""
    stamps = [image.file] if image.mask is None else [image.file, image.mask]
    hashes = []
    for stamp in stamps:
        with reading.opened(stamp.path) as file:
            hashes.append(hashlib.file_digest(file, "sha256").hexdigest())  # type: ignore[arg-type]  # it has readinto
    return tuple(hashes)


def _by_id(image: SurveyImage) -> str:
    return image.image_id
