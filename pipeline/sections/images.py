"""What a finished run inspected: footprints from images.parquet, inspected parts from the markers."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import shapely
from affine import Affine
from pyproj import CRS

from crackpipe.pipeline.errors import OutputDamagedError, UsageError
from crackpipe.pipeline.geometry.arrays import Floats, Geometries, Ints
from crackpipe.pipeline.geometry.ground import ground_matrix
from crackpipe.pipeline.state.markers import read_marker
from crackpipe.pipeline.state.output import Output
from crackpipe.pipeline.tables import geoparquet
from crackpipe.pipeline.tables.overlaps import plane
from crackpipe.pipeline.tables.overlaps.plane import Frame


@dataclass(frozen=True)
class Images:
    """The A images that are done, by image_id."""

    crs: CRS
    """Of the tables."""
    image_id: tuple[str, ...]
    corners: Floats
    """(A, 4, 2) (x, y) in `crs`, from the first pixel along the first row."""
    size_px: Ints
    """(A, 2) height, width."""
    inspected: Mapping[int, str]
    """WKT in pixels by index, of images of which not all was inspected."""
    notes: tuple[str, ...]

    def footprints(self) -> Geometries:
        """(A,) in `crs`."""
        return np.asarray(shapely.polygons(self.corners))

    def frames(self) -> list[Frame]:
        """(A,) as the tables know them."""
        found = []
        for index, (corners, (height, width)) in enumerate(
            zip(self.corners, self.size_px.tolist(), strict=True)
        ):
            first, right, _, down = corners
            (a, d), (b, e) = (right - first) / width, (down - first) / height
            ground = ground_matrix(Affine(a, b, first[0], d, e, first[1]), self.crs, height, width)
            found.append(Frame(corners, height, width, ground, self.inspected.get(index)))
        return found

    def areas(self) -> Geometries:
        """What each image inspected, (A,) in the working plane; some may be empty."""
        world = self.footprints()
        for index, text in self.inspected.items():
            height, width = self.size_px[index].tolist()
            world[index] = plane.inspected_polygon(self.corners[index], height, width, text)
        return plane.to_plane(world, self.crs)


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
        columns = ["image_id", "status", "height_px", "width_px", "uninspected_m2", "geometry"]
        table = pq.read_table(file, columns=columns)
    except (OSError, ValueError, KeyError) as error:
        raise OutputDamagedError(
            f"{file} cannot be read: {error}. `crackpipe verify {output.root}` tells more; run the survey "
            "again."
        ) from error
    table = table.filter(pc.and_(pc.equal(table["status"], "done"), pc.is_valid(table["geometry"])))
    if crs is None or table.num_rows == 0:
        raise UsageError(f"{file}: no image is done and lies on a map, so there are no road sections.")
    return _with_markers(crs, table.sort_by("image_id"), output)


def _with_markers(crs: CRS, table: pa.Table, output: Output) -> Images:
    """Markers are read only where the table says that some of an image was not inspected."""
    names = tuple(table["image_id"].to_pylist())
    inspected, before = {}, []
    for index in np.flatnonzero(table["uninspected_m2"].fill_null(0.0).to_numpy() > 0).tolist():
        marker = read_marker(output, names[index]) or {}
        if "inspected_area" not in marker:
            before.append(names[index])
        elif marker["inspected_area"] is not None:
            inspected[index] = str(marker["inspected_area"])
    notes = []
    if before:
        notes.append(
            f"of {len(before)} images, such as {before[0]}, it is not known which part was inspected: their "
            "markers are of an older crackpipe, or missing. All of them counts as inspected, so coverage may "
            "be too high. Run the survey again to know."
        )
    rings = shapely.get_coordinates(shapely.from_wkb(table["geometry"].to_numpy()))
    size = [table[name].to_numpy() for name in ("height_px", "width_px")]
    return Images(crs, names, rings.reshape(-1, 5, 2)[:, :4], np.column_stack(size), inspected, tuple(notes))
