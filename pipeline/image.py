"""What is known about an image before its pixels are read: the values that go from room to room."""

from dataclasses import dataclass, field, fields
from datetime import date
from pathlib import Path

import numpy as np
from affine import Affine
from numpy.typing import NDArray

from crackpipe.pipeline.geometry.ground import footprint_corners
from crackpipe.pipeline.geometry.plan_view import PlanView, extremes

Matrix = tuple[tuple[float, float], tuple[float, float]]


@dataclass(frozen=True)
class BandLayout:
    """Which bands of a file make red, green, blue and validity, and how values become grey values."""

    colour: tuple[int, int, int]
    """Bands (from 1) of red, green and blue; three times the same for a grey image."""
    alpha: int | None = None
    """Band (from 1) whose zeros are not inspected."""
    gain: tuple[float, float, float] = (1.0, 1.0, 1.0)
    offset: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """Grey value 0..255 = gain x stored value + offset, for red, green and blue."""
    palette: bool = False
    """The one band holds indices into the file's colour table."""


@dataclass(frozen=True)
class FileStamp:
    """A file as it was when it was looked at, to notice if it changes."""

    path: Path
    size_bytes: int
    mtime_ns: int
    etag: str | None = field(default=None, compare=False)
    """Of an object in a store: what the store names its content. None: a file of this machine."""

    @classmethod
    def of(cls, path: Path) -> "FileStamp":
        """Stamp a file as it is now. Raises OSError."""
        stat = path.stat()
        return cls(path, stat.st_size, stat.st_mtime_ns)


@dataclass(frozen=True)
class SurveyImage:
    """One image that can be inspected: header, georeference and where its pixels are. Picklable."""

    image_id: str
    """Path relative to the survey, with suffix, `/` kept."""
    survey: str
    """Name of the survey it belongs to."""
    file: FileStamp
    driver: str
    """GDAL driver: GTiff, JPEG or PNG."""
    height_px: int
    width_px: int
    bands: int
    dtype: str
    """`uint8` or `uint16`."""
    layout: BandLayout
    transform: Affine
    """World (x, y) of pixel corner (col, row)."""
    crs_wkt: str
    """WKT2 of the horizontal CRS."""
    ground: Matrix
    """Metres on the ground per pixel step: columns are (row, col), rows (east, north); see `grid`."""
    gsd_mm: float
    """Side of a pixel's square on the ground: what lengths and widths are measured in."""
    nodata: float | None
    """Stored value that means not inspected."""
    mask: FileStamp | None
    """External mask (`<name>.msk`), zeros are not inspected."""
    has_missing_blocks: bool
    """The file lacks blocks that were never written; they are not inspected."""
    acquired: date | None
    largest_value: int | None = None
    """Largest stored value of the centre rows, where 16 bits do not say which value is white; else None."""
    keeps_collars: bool = False
    """Black and white collars count as pavement."""
    warnings: tuple[str, ...] = ()
    """Sentences for a person: accepted, but worth a look."""
    survey_warnings: tuple[str, ...] = ()
    """As `warnings`, but about the image among the others of its survey: a memory does not keep them."""
    crs_warning: str | None = None
    """As `survey_warnings`, where the way to the CRS of the tables is a rough one."""
    region: bytes | None = None
    """What `--region` leaves to inspect: WKB in pixel corners (x along columns, y along rows); None: all."""
    travel_deg: float | None = None
    """Direction of travel that `survey.toml` gives, clockwise from true north."""
    world_file: str | None = None
    """Name of the world file beside it that gives or confirms its place."""
    world_file_fit: int = 0
    """3: the world file confirms the place in the file; 2: the file has a CRS of its own; 1: neither."""
    view: PlanView | None = None
    """How it was made of a frame of a camera that looks ahead; None: the camera looked straight down."""

    @property
    def worst_gsd_mm(self) -> float:
        """The coarsest that the camera saw of what is inspected, mm per pixel of the camera along its longer
        side; `gsd_mm` where it looked straight down."""
        found = None if self.view is None else extremes(self.view)
        return self.gsd_mm if found is None else self.gsd_mm * max(1.0, found[1])

    @property
    def all_warnings(self) -> tuple[str, ...]:
        """Of the image itself, then of the image among the others."""
        return (*self.warnings, *self.survey_warnings, *([self.crs_warning] if self.crs_warning else []))

    @property
    def centre(self) -> tuple[float, float]:
        """World (x, y) of its middle in the image's CRS."""
        x, y = self.transform @ (self.width_px / 2, self.height_px / 2)
        return x, y

    @property
    def path(self) -> Path:
        """Where the file lies."""
        return self.file.path

    @property
    def size_bytes(self) -> int:
        """Size of the file."""
        return self.file.size_bytes

    @property
    def mtime_ns(self) -> int:
        """Time of the file's last change, ns since 1970."""
        return self.file.mtime_ns

    @property
    def etag(self) -> str | None:
        """What a store names its content; None for a file of this machine."""
        return self.file.etag

    @property
    def ground_matrix(self) -> NDArray[np.float64]:
        """`ground` as float64 (2, 2)."""
        return np.array(self.ground)

    @property
    def footprint(self) -> NDArray[np.float64]:
        """Outer corners, world (4, 2) (x, y) in the image's CRS, from the first pixel along the first row."""
        return footprint_corners(self.transform, self.height_px, self.width_px)


@dataclass(frozen=True)
class Rejected:
    """One file that cannot be inspected: why, what to do, and what is known of it. Picklable."""

    image_id: str
    survey: str
    path: Path
    reason: str
    """Short stable code, e.g. `no-crs`."""
    message: str
    remedy: str
    height_px: int | None = None
    width_px: int | None = None
    transform: Affine | None = None
    crs_wkt: str | None = None
    gsd_mm: float | None = None
    size_bytes: int | None = None
    mtime_ns: int | None = None

    @classmethod
    def of(cls, image: SurveyImage, reason: str, message: str, remedy: str) -> "Rejected":
        """An image that could be inspected but shall not be."""
        place = image.image_id, image.survey, image.path
        learnt = {each.name: getattr(image, each.name) for each in fields(cls) if each.default is None}
        return cls(*place, reason, message, remedy, **learnt)

    @property
    def footprint(self) -> NDArray[np.float64] | None:
        """Outer corners as world (4, 2) (x, y), or None where size, transform or CRS are unknown."""
        if self.transform is None or self.crs_wkt is None or self.height_px is None or self.width_px is None:
            return None
        return footprint_corners(self.transform, self.height_px, self.width_px)
