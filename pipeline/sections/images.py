"""What a finished run inspected: footprints from images.parquet, inspected parts from the markers."""

from dataclasses import dataclass, field

import numpy as np
import pyarrow.parquet as pq
import shapely
from pyproj import CRS

from crackpipe.pipeline.errors import OutputDamagedError, UsageError
from crackpipe.pipeline.geometry.arrays import Floats, Geometries
from crackpipe.pipeline.state.markers import Marker, all_markers
from crackpipe.pipeline.state.output import Output
from crackpipe.pipeline.tables import geoparquet
from crackpipe.pipeline.tables.overlaps import plane


@dataclass
class Images:
    """The A images that are done, by image_id."""

    crs: CRS
    """Of the tables."""
    image_id: list[str] = field(default_factory=list)
    corners: list[Floats] = field(default_factory=list)
    """(4, 2) (x, y) each, in `crs`, from the first pixel along the first row."""
    height_px: list[int] = field(default_factory=list)
    width_px: list[int] = field(default_factory=list)
    inspected: list[str | None] = field(default_factory=list)
    """WKT in pixels; None where all of the image was inspected."""
    notes: list[str] = field(default_factory=list)

    def footprints(self) -> Geometries:
        """(A,) in `crs`."""
        return np.array([shapely.Polygon(corners) for corners in self.corners], dtype=object)

    def areas(self) -> Geometries:
        """What each image inspected, (A,) in the working plane."""
        world = [
            plane.inspected_polygon(corners, height, width, text)
            for corners, height, width, text in zip(
                self.corners, self.height_px, self.width_px, self.inspected, strict=True
            )
        ]
        areas = plane.to_plane(np.array(world, dtype=object), self.crs)
        return np.asarray(areas[~shapely.is_empty(areas)])


def read_images(output: Output) -> Images:
    """The images of a run that are done.

    Raises UsageError if the run has no tables or inspected nothing that lies on a map, OutputDamagedError if
    a table cannot be read.
    """
    for name in ("cracks.parquet", "images.parquet"):
        if not (output.root / name).is_file():
            raise UsageError(
                f"{output.root / name} does not exist: sections are made from the tables of a finished run. "
                "Let `crackpipe run` come to its end first."
            )
    file = output.root / "images.parquet"
    try:
        crs = geoparquet.crs_of(file)
        rows = pq.read_table(
            file, columns=["image_id", "status", "height_px", "width_px", "uninspected_m2", "geometry"]
        ).to_pylist()
    except (OSError, ValueError, KeyError) as error:
        raise OutputDamagedError(
            f"{file} cannot be read: {error}. `crackpipe verify {output.root}` tells more; run the survey "
            "again."
        ) from error
    done = [row for row in rows if row["status"] == "done" and row["geometry"] is not None]
    if crs is None or not done:
        raise UsageError(f"{file}: no image is done and lies on a map, so there are no road sections.")
    return _with_markers(crs, done, {str(each["image_id"]): each for each in all_markers(output)})


def _with_markers(crs: CRS, rows: list[dict[str, object]], markers: dict[str, Marker]) -> Images:
    images = Images(crs)
    without, before = [], []
    for row in sorted(rows, key=lambda row: str(row["image_id"])):
        marker = markers.get(str(row["image_id"]))
        if marker is None or marker["status"] != "done":
            without.append(str(row["image_id"]))
            continue
        if "inspected_area" not in marker and row["uninspected_m2"]:
            before.append(str(row["image_id"]))
        images.image_id.append(str(row["image_id"]))
        images.corners.append(shapely.get_coordinates(shapely.from_wkb(row["geometry"]))[:4])
        images.height_px.append(int(str(row["height_px"])))
        images.width_px.append(int(str(row["width_px"])))
        images.inspected.append(marker.get("inspected_area"))
    if without:
        images.notes.append(
            f"{len(without)} images of images.parquet have no marker, such as {without[0]}: their ground "
            "counts as not inspected. `crackpipe verify` tells more."
        )
    if before:
        images.notes.append(
            f"{len(before)} images were finished by an older crackpipe that did not note which part of them "
            f"was inspected, such as {before[0]}: all of them counts as inspected, so coverage may be too "
            "high. Run the survey again to know."
        )
    return images
