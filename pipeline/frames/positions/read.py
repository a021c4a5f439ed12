"""Which reader a file of positions gets."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from crackpipe.pipeline.errors import UsageError
from crackpipe.pipeline.frames.files.camera import Camera
from crackpipe.pipeline.frames.files.listing import Frame
from crackpipe.pipeline.frames.positions.csv_file import read_csv
from crackpipe.pipeline.frames.positions.from_exif import positions_of
from crackpipe.pipeline.frames.positions.gpx import read_gpx
from crackpipe.pipeline.frames.positions.layer import read_layer
from crackpipe.pipeline.frames.positions.lcms import read_lcms
from crackpipe.pipeline.frames.positions.nmea import read_nmea
from crackpipe.pipeline.frames.positions.sbet import read_sbet
from crackpipe.pipeline.frames.positions.table import Positions

EXIF_WORD = "exif"
_TABLES = {".csv", ".txt", ".tsv"}
_LAYERS = {".gpkg", ".shp", ".geojson", ".fgb", ".parquet", ".geoparquet"}
_TRAJECTORIES = {".sbet", ".out"}
_SENTENCES = {".nmea", ".nma", ".ubx", ".log"}


def read_positions(
    source: str, frames: Sequence[Frame], camera: Camera, columns: Mapping[str, str], crs: str | None
) -> Positions:
    """Read positions: of a file by what its name says, of LCMS sections in a folder, or `exif` of the frames.

    `columns` and `crs` as in `read_csv`. Raises UsageError.
    """
    if source == EXIF_WORD:
        return positions_of(frames, take_magnetic="heading_add_deg" in camera.said)
    file = Path(source)
    if not file.exists():
        raise UsageError(f"--positions: {source} does not exist. Give a file of positions, or the word exif.")
    if file.is_dir():
        return read_lcms(file, frames)
    suffix = file.suffix.lower()
    found: Positions | None = None
    if suffix in _SENTENCES or (suffix == ".txt" and _begins_as_nmea(file)):
        found = read_nmea(file)
    elif suffix in _TABLES:
        found = read_csv(file, columns, crs)
    elif suffix == ".gpx":
        found = read_gpx(file)
    elif suffix in _TRAJECTORIES:
        found = read_sbet(file, camera, crs)
    elif suffix in _LAYERS:
        found = read_layer(file, columns, frames, camera)
    if found is not None:
        return found
    raise UsageError(
        f"--positions: {file.name} is of no kind that is read. Give a CSV, GPX, NMEA, SBET, a layer of "
        f"points or one line ({', '.join(sorted(_LAYERS))}), a folder of LCMS XML, or the word exif."
    )


def _begins_as_nmea(file: Path) -> bool:
    with file.open("rb") as opened:
        return opened.read(2) in {b"$G", b"$P"}
