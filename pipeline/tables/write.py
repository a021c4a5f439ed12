"""The two tables of a survey, from markers and rows of all its images."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pyproj import CRS

from crackpipe.pipeline.config import Config
from crackpipe.pipeline.familiarity.told import familiarity_in
from crackpipe.pipeline.geometry.crs import footprint_in
from crackpipe.pipeline.image import Rejected, SurveyImage
from crackpipe.pipeline.tables import image_rows, travel
from crackpipe.pipeline.tables.collect import Figures, Staged, collect, outside
from crackpipe.pipeline.tables.crack_type import TypeLimits
from crackpipe.pipeline.tables.extent import Extent, extent_of
from crackpipe.pipeline.tables.image_rows import ImageRow
from crackpipe.pipeline.tables.messages import message_of
from crackpipe.pipeline.tables.overlaps.plane import Frame

Marker = Mapping[str, Any]
"""What is known of a finished image without its neighbours: its `status`, the number of its `rows`, and
either its areas or the reason and the remedy."""

_MARKER_COLUMNS = ("status", "reason", "message", "remedy", "inspected_m2", "uninspected_m2")


@dataclass(frozen=True)
class Written:
    """What the tables hold."""

    figures: dict[str, Figures]
    """By image_id, of the images with cracks."""
    extent: Extent
    """What was inspected."""


def write_tables(
    images: Sequence[SurveyImage],
    rejected: Sequence[Rejected],
    markers: Mapping[str, Marker],
    rows: Mapping[str, Path],
    targets: Sequence[Path],
    *,
    crs: CRS | None,
    config: Config,
    crack_classes: Sequence[str],
    weights: str,
    familiarity_by: str | None = None,
) -> Written:
    """Write cracks.parquet and images.parquet to `targets`; return their figures.

    `crs` is that of the tables, None where no image has one. `markers` has an entry for every image of
    `images`. `rows` has the file of rows of each image that is done. `crack_classes` are the names of the
    classes that count as cracks. `weights` is the name of the weights today. `familiarity_by` is the digest
    of the statistics that tell today how familiar an image is; numbers by others are left out. Raises
    ConfigurationError if an image with cracks lies outside `crs`.
    """
    everything: list[SurveyImage | Rejected] = [*images, *rejected]
    crs_wkt = None if crs is None else crs.to_wkt()
    footprints = [footprint_in(image.footprint, image.crs_wkt, crs_wkt) for image in everything]
    staged = _staged([image for image in images if image.image_id in rows], markers, rows, crs, weights)
    figures = collect(
        staged,
        [footprint for footprint in footprints if footprint is not None],
        crs,
        targets[0],
        seam_mm=config.seam_mm,
        min_length_mm=config.min_length_mm,
        limits=TypeLimits(config.longitudinal_within_deg, config.transverse_within_deg),
        crack_classes=crack_classes,
        compression=config.parquet_compression,
    )
    lines = [
        _image_row(image, markers[image.image_id], figures.get(image.image_id, Figures()), familiarity_by)
        for image in images
    ]
    lines += [_rejected_row(image) for image in rejected]
    image_rows.write_images(lines, crs, targets[1], compression=config.parquet_compression)
    frames = [image.frame for image in staged]
    extent = Extent() if crs is None else extent_of(frames, [image.travel_deg for image in staged], crs)
    return Written(figures, extent)


def _staged(
    done: Sequence[SurveyImage],
    markers: Mapping[str, Marker],
    rows: Mapping[str, Path],
    crs: CRS | None,
    weights: str,
) -> list[Staged]:
    """The finished images, each with what the treatment of its neighbours needs of it.

    Raises ConfigurationError if an image with cracks lies outside `crs`.
    """
    placed, frames = [], []
    crs_wkt = None if crs is None else crs.to_wkt()
    for image in done:
        marker = markers[image.image_id]
        corners = footprint_in(image.footprint, image.crs_wkt, crs_wkt)
        if corners is not None:
            placed.append(image)
            size = image.height_px, image.width_px
            frames.append(Frame(corners, *size, image.ground_matrix, marker["inspected_area"]))
        elif marker["rows"] and crs is not None:
            raise outside(image.image_id, image.crs_wkt, crs)
    ids = [image.image_id for image in placed]
    travels = travel.travel_deg(ids, frames, [image.travel_deg for image in placed])
    return [
        Staged(
            image.image_id,
            rows[image.image_id],
            frame,
            image.survey,
            weights,
            travel_deg,
            has_rows=markers[image.image_id]["rows"] > 0,
            acquired=image.acquired,
        )
        for image, frame, travel_deg in zip(placed, frames, travels, strict=True)
    ]


def _image_row(image: SurveyImage, marker: Marker, found: Figures, familiarity_by: str | None) -> ImageRow:
    figures = {name: marker[name] for name in _MARKER_COLUMNS if name in marker}
    if marker["status"] == "done":
        figures["message"] = message_of(image, marker)
        figures["familiarity"] = familiarity_in(marker, familiarity_by)
        figures["screened_m2"] = marker.get("screened_m2", 0.0)  # only a run with a screen says it
        figures |= {name: value for name, value in asdict(found).items() if name != "cracks"}
    return ImageRow(
        image_id=image.image_id,
        path=_path_in_survey(image),
        width_px=image.width_px,
        height_px=image.height_px,
        gsd_mm=image.worst_gsd_mm,
        crs_wkt=image.crs_wkt,
        footprint=image.footprint,
        **figures,
    )


def _rejected_row(image: Rejected) -> ImageRow:
    return ImageRow(
        image_id=image.image_id,
        status="quarantined",
        path=_path_in_survey(image),
        reason=image.reason,
        message=image.message,
        remedy=image.remedy,
        width_px=image.width_px,
        height_px=image.height_px,
        gsd_mm=image.gsd_mm,
        crs_wkt=image.crs_wkt,
        footprint=image.footprint,
    )


def _path_in_survey(image: SurveyImage | Rejected) -> str:
    """The image_id without the survey's name, which stands in front if there are several SURVEY arguments."""
    prefix = f"{image.survey}/"
    within = image.image_id.removeprefix(prefix)
    return within if image.path.as_posix().endswith(f"/{prefix}{within}") else image.image_id
