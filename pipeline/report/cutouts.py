"""Pictures of cracks: a window of the image, the mask over it, and the line, small enough to put in a page.

Frame: pixels are (row, col); a picture's line has (x, y) in pixels of the picture, its corner at (0, 0).
"""

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from PIL import Image
from pyproj import CRS

from crackpipe.pipeline.dataset.labels import in_pixels
from crackpipe.pipeline.errors import ImageRejectedError, OutputDamagedError
from crackpipe.pipeline.geometry.arrays import Geometries
from crackpipe.pipeline.geometry.crs import moved_to
from crackpipe.pipeline.geometry.grid import Window
from crackpipe.pipeline.image import SurveyImage
from crackpipe.pipeline.masks import arrays
from crackpipe.pipeline.raster.reader import ImageReader
from crackpipe.pipeline.report.images import OnDisk
from crackpipe.pipeline.report.tables import Tables
from crackpipe.pipeline.state.output import Output

SIDE_PX = 280
"""Longest side of a picture."""
BYTES = 12_000
"""A picture of the road is not larger: 575 of them are 9.2 MB in the page."""

_LEAST_PX, _MOST_PX = 192, 840
"""Side of the window that is shown, in pixels of the image. A longer crack shows its middle."""
_MARGIN_PX = 48
_QUALITIES = (72, 45, 20, 5)
_MASK_COLOUR = (213, 94, 0)


@dataclass
class CutOuts:
    """The pictures of a report."""

    pictures: list[dict[str, Any]] = field(default_factory=list)
    """Plain JSON, one a crack, sorted by `crack`, its row in cracks.parquet."""
    missing: dict[str, str] = field(default_factory=dict)
    """By image_id: why there is none of its cracks."""
    bytes: int = 0
    """Of all pictures and masks, before base64."""


def cut_out(
    output: Output,
    tables: Tables,
    rows: Sequence[int],
    on_disk: OnDisk,
    mask_values: Mapping[str, int],
) -> CutOuts:
    """Cut a picture of each crack in `rows` (of cracks.parquet) from its image.

    `mask_values` has the value in the mask of each class, by its name with `_` for spaces. Raises
    OutputDamagedError if a mask is damaged.
    """
    made = CutOuts(missing=dict(on_disk.missing))
    by_image: dict[str, list[int]] = {}
    for row in rows:
        image_id = str(tables.images[tables.cracks.image[row]]["image_id"])
        by_image.setdefault(image_id, []).append(int(row))
    for image_id, own in sorted(by_image.items()):
        image = on_disk.images.get(image_id)
        if image is None or tables.crs is None:
            continue
        folder = output.masks_of(image_id) / "mask"
        names = (str(name).replace(" ", "_") for name in tables.cracks.class_name[own])
        try:
            values = [mask_values[name] for name in names]
        except KeyError as error:
            made.missing[image_id] = f"its mask knows no class {error}, which cracks.parquet names"
            continue
        moved = moved_to(CRS.from_wkt(image.crs_wkt), tables.cracks.lines[own], tables.crs)
        try:
            in_image = in_pixels(moved, image.transform)
            made.pictures += _of_image(image, own, in_image, values, folder)
        except ImageRejectedError as error:
            made.missing[image_id] = error.message
    made.pictures.sort(key=lambda picture: int(picture["crack"]))
    made.bytes = sum(len(each[name]) * 3 // 4 for each in made.pictures for name in ("road", "mask"))
    return made


def _of_image(
    image: SurveyImage,
    rows: Sequence[int],
    lines: Geometries,
    values: Sequence[int],
    mask_folder: Path,
) -> list[dict[str, Any]]:
    pictures = []
    with ImageReader(image) as reader:
        for row, line, value in zip(rows, lines, values, strict=True):
            window = window_of(line, image.height_px, image.width_px)
            rgb, _ = reader.read(window)
            try:
                mask = arrays.read_window(mask_folder, window)
            except (OSError, ValueError) as error:
                raise OutputDamagedError(
                    f"the mask of {image.image_id} cannot be read: {error} `crackpipe verify` tells more."
                ) from error
            pictures.append({"crack": row, **picture_of(rgb, mask == value, line, window, image.gsd_mm)})
    return pictures


def window_of(line: shapely.LineString, height_px: int, width_px: int) -> Window:
    """The square around a line (x = col, y = row) of an image, clipped to it."""
    left, top, right, bottom = line.bounds
    side = round(max(right - left, bottom - top)) + 2 * _MARGIN_PX
    x, y = (left + right) / 2, (top + bottom) / 2
    if side > _MOST_PX:
        middle = line.interpolate(0.5, normalized=True)
        x, y = middle.x, middle.y
    side = min(max(side, _LEAST_PX), _MOST_PX)
    row = min(max(round(y - side / 2), 0), max(height_px - side, 0))
    col = min(max(round(x - side / 2), 0), max(width_px - side, 0))
    return Window(row, col, side, side).clipped(height_px, width_px)


def picture_of(
    rgb: NDArray[np.uint8],
    mask: NDArray[np.bool_],
    line: shapely.LineString,
    window: Window,
    gsd_mm: float,
) -> dict[str, Any]:
    """Road, mask and line of one window as plain JSON.

    `rgb` uint8 (h, w, 3) and `mask` bool (h, w) are of the window; `line` is in pixels of the image.
    """
    factor = min(1.0, SIDE_PX / max(window.height, window.width))
    size = max(1, round(window.width * factor)), max(1, round(window.height * factor))
    inside = shapely.clip_by_rect(
        line, window.col - 0.5, window.row - 0.5, window.col_stop - 0.5, window.row_stop - 0.5
    )
    parts = [each for each in shapely.get_parts(inside) if each.geom_type == "LineString"]
    corner = np.array([window.col - 0.5, window.row - 0.5])
    return {
        "road": _base64(_webp(Image.fromarray(rgb).resize(size, Image.Resampling.BOX))),
        "mask": _base64(_mask_png(mask, size)),
        "width": size[0],
        "height": size[1],
        "mm_per_px": round(gsd_mm / factor, 4),
        "lines": [
            np.round((shapely.get_coordinates(part) - corner) * factor, 1).ravel().tolist() for part in parts
        ],
        "whole": bool(line.length - inside.length < 1.0),
        "row": window.row,
        "col": window.col,
    }


def _webp(picture: Image.Image) -> bytes:
    """As good as `BYTES` allow."""
    for quality in _QUALITIES:
        content = io.BytesIO()
        picture.save(content, "WEBP", quality=quality, method=4)
        if content.tell() <= BYTES:
            break
    return content.getvalue()


def _mask_png(mask: NDArray[np.bool_], size: tuple[int, int]) -> bytes:
    """One bit a pixel: opaque where at least a third of what it shows is mask, else transparent."""
    shares = Image.fromarray(mask.astype(np.uint8) * 255).resize(size, Image.Resampling.BOX)
    indexed = Image.fromarray((np.asarray(shares) >= 85).astype(np.uint8), mode="P")
    indexed.putpalette([0, 0, 0, *_MASK_COLOUR])
    content = io.BytesIO()
    indexed.save(content, "PNG", transparency=0, bits=1, optimize=True)
    return content.getvalue()


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode()
