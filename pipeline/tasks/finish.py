"""What becomes of an image whose masks are complete: it is published, or set aside with a reason.

    finish_image    widths -> rows -> marker, or quarantine       (one per image)
    map_images      rooms 4 to 6 for small images                 (one task for several)

Large images come here with lines and profiles that other tasks have made (`lines`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from crackpipe.model.weights import sureness
from crackpipe.pipeline.errors import ImageRejectedError, noticing_short_memory
from crackpipe.pipeline.familiarity.places import together
from crackpipe.pipeline.image import SurveyImage
from crackpipe.pipeline.masks import inspected_area
from crackpipe.pipeline.raster.validity.reasons import told
from crackpipe.pipeline.state import markers, publishing, writers
from crackpipe.pipeline.state.staging import block_figures, is_published
from crackpipe.pipeline.storage import faults
from crackpipe.pipeline.tables import crack_rows
from crackpipe.pipeline.tasks.classes import plain_pieces
from crackpipe.pipeline.tasks.job import Job, UnitFigures, grid_of
from crackpipe.pipeline.tasks.lines import (
    Measured,
    Traced,
    first_rejection,
    measure_part,
    or_rejection,
    pieces_of,
    rejected_before,
    skeleton_part,
    trace_part,
)


@dataclass(frozen=True)
class ImageDone:
    """What the driver is told of a finished image."""

    image_id: str
    marker: Mapping[str, Any]
    road_km: float
    """Length of the image's long side."""
    details: str = ""
    """A traceback for the log."""


def finish_image(  # noqa: PLR0917  the graph passes everything by position
    job: Job,
    image: SurveyImage,
    fingerprint: Mapping[str, Any],
    units: Sequence[UnitFigures],
    traced: Traced | ImageRejectedError,
    parts: Sequence[list[Measured] | ImageRejectedError],
) -> list[ImageDone]:
    """Rooms 5 and 6: make widths, rows and marker, or quarantine the image. Returns one ImageDone."""
    with writers.writing(job.output, job.run), noticing_short_memory():
        published = _published(job, image)
        if published is not None:
            return [published]
        return [_ended(job, image, fingerprint, units, traced, parts)]


def _published(job: Job, image: SurveyImage) -> ImageDone | None:
    """What a worker published of an image, or was about to publish, before it died without a report."""
    with faults.guarding(job.output.root):
        marker = publishing.finish_publishing(job.output, image.image_id)
        if marker is None and is_published(job.output, image.image_id):
            marker = markers.read_marker(job.output, image.image_id)
    return None if marker is None else ImageDone(image.image_id, marker, _road_km(image))


def _ended(  # noqa: PLR0917
    job: Job,
    image: SurveyImage,
    fingerprint: Mapping[str, Any],
    units: Sequence[UnitFigures],
    traced: Traced | ImageRejectedError,
    parts: Sequence[list[Measured] | ImageRejectedError],
) -> ImageDone:
    rejection = rejected_before(image, units) or first_rejection([traced, *parts])
    if rejection is None and isinstance(traced, Traced):
        measured = [each for part in parts if isinstance(part, list) for each in part]
        finished = or_rejection(_finished, job, image, fingerprint, traced, measured)
        if isinstance(finished, ImageDone):
            return finished
        rejection = finished
    assert rejection is not None
    return quarantine(job, image, fingerprint, rejection)


def _finished(
    job: Job,
    image: SurveyImage,
    fingerprint: Mapping[str, Any],
    traced: Traced,
    measured: Sequence[Measured],
) -> ImageDone:
    pieces = pieces_of(job, image, traced, measured) + plain_pieces(job, traced.plain_lines)
    rows = crack_rows.crack_rows(pieces, image, weights=job.weights_name)
    staging = job.output.staging(image.image_id)
    crack_rows.write_rows(rows, staging / "rows.parquet")
    marker = {
        "image_id": image.image_id,
        "status": "done",
        "fingerprint": dict(fingerprint),
        **_areas(job, image, traced),
        "rows": rows.num_rows,
    }
    return ImageDone(
        image.image_id, publishing.publish_image(job.output, image.image_id, marker), _road_km(image)
    )


def _road_km(image: SurveyImage) -> float:
    return max(image.height_px, image.width_px) * image.gsd_mm / 1e6


def _areas(job: Job, image: SurveyImage, traced: Traced) -> dict[str, Any]:
    """Areas in m2 on the ground: inspected, not inspected, and crack regions too wide to be lines.

    If not all of the image was inspected, the inspected part in pixels, a message and a remedy are added
    (`masks.inspected_area`, `raster.validity.reasons`). If there are several classes, the area of each in the
    mask is added; if memory forced smaller batches for a block, also of an earlier run, that too.
    """
    blocks = grid_of(image, job).blocks()
    found = [block_figures(job.output.staging(image.image_id), block.row, block.col) for block in blocks]
    figures = [each for each in found if each is not None]
    inspected_px = sum(each["inspected_px"] for each in figures)
    cells = [
        (block, each["uninspected_cells"])
        for block, each in zip(blocks, found, strict=True)
        if each is not None
    ]
    pixel_m2 = (image.gsd_mm / 1000.0) ** 2
    by_class: dict[str, Any] = {}
    if len(job.classes) > 1:
        class_px = np.sum([each["class_px"] for each in figures], axis=0)
        by_class["class_m2"] = dict(zip(job.classes, (class_px * pixel_m2).tolist(), strict=True))
    message, remedy = told(
        [each["uninspected_px"] for each in figures],
        image.height_px * image.width_px,
        sorted({sentence for each in figures for sentence in each["said"]}),
    )
    return {
        **by_class,
        "message": message,
        "remedy": remedy,
        "inspected_m2": inspected_px * pixel_m2,
        "uninspected_m2": (image.height_px * image.width_px - inspected_px) * pixel_m2,
        **_screened(job, figures, pixel_m2),
        **({"smaller_batches": True} if any("smaller_batches" in each for each in figures) else {}),
        "too_wide_m2": traced.area_px * pixel_m2,
        "inspected_area": inspected_area.inspected_area(cells, image.height_px, image.width_px),
        **_familiarity(job, figures),
    }


def _screened(job: Job, blocks: Sequence[Mapping[str, Any]], pixel_m2: float) -> dict[str, float]:
    """The area, m2, that got no close look because the screen found it sound; nothing without a screen."""
    if job.screen is None:
        return {}
    # a block lacks the key where its run was interrupted without a screen; it is kept where the image takes
    # no coarse look, since a screen changes nothing there
    return {"screened_m2": sum(block.get("screened_px", 0) for block in blocks) * pixel_m2}


def _familiarity(job: Job, blocks: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """How familiar the image is, and by which statistics; nothing where the weights have none.

    Of what its texture tells and what the network's sureness tells the lower one counts. Where a block was
    finished by other statistics, before a run was interrupted, the other blocks alone would tell another
    number than all of them: then it is unknown.
    """
    if job.statistics is None or any(block.get("statistics") != job.statistics for block in blocks):
        return {}
    found = together(each for block in blocks for each in block["told"])
    if found is not None and job.sureness is not None:
        inspected_px = sum(block["inspected_px"] for block in blocks)
        sure = sureness.sureness([block["response"] for block in blocks], inspected_px)
        if sure is not None:
            found = min(found, round(sureness.familiarity(sure, job.sureness), 2))
    return {"familiarity": found, "statistics": job.statistics}


def map_images(
    job: Job,
    images: Sequence[SurveyImage],
    fingerprints: Mapping[str, Mapping[str, Any]],
    units: Sequence[UnitFigures],
) -> list[ImageDone]:
    """Rooms 4 to 6 for some small images, one after the other."""
    done = []
    for image in images:
        blocks = grid_of(image, job).blocks()
        skeletons = skeleton_part(job, image, blocks, units)
        traced = trace_part(job, image, [skeletons])
        measured = measure_part(job, image, blocks, traced)
        done += finish_image(job, image, fingerprints[image.image_id], units, traced, [measured])
    return done


def quarantine(
    job: Job, image: SurveyImage, fingerprint: Mapping[str, Any], error: ImageRejectedError
) -> ImageDone:
    """Mark an image as quarantined and remove what was made of it."""
    marker = {
        "image_id": image.image_id,
        "status": "quarantined",
        "fingerprint": dict(fingerprint),
        "reason": error.reason,
        "message": error.message,
        "remedy": error.remedy,
    }
    with faults.guarding(job.output.root):
        publishing.publish_quarantine(job.output, image.image_id, marker)
    return ImageDone(image.image_id, marker, 0.0, error.details)
