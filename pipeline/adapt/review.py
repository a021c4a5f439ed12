"""What a person corrected becomes labelled pictures: those that teach, and those that judge.

Only tiles whose `reviewed` is true are taken, or that have a mask. The lines of all others are the run's own:
they would teach the network what it thinks already.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd  # type: ignore[import-untyped]
import shapely
from numpy.typing import NDArray
from PIL import Image
from pyproj import CRS
from scipy.ndimage import maximum_filter

from crackpipe.model.data.pictures import open_mask
from crackpipe.pipeline.adapt.choose import lot
from crackpipe.pipeline.adapt.files import CRACKS_LAYER, LEAST_TILES, MASKS, TILES_LAYER
from crackpipe.pipeline.console.log import log
from crackpipe.pipeline.dataset import labels, reviewed
from crackpipe.pipeline.dataset.finished_run import FinishedRun
from crackpipe.pipeline.dataset.parts import (
    MASK_CRACK,
    MASK_NOT_INSPECTED,
    FoundLines,
    Maps,
    Part,
    mask_of,
)
from crackpipe.pipeline.errors import UsageError
from crackpipe.pipeline.geometry.crs import moved_to
from crackpipe.pipeline.geometry.grid import Window
from crackpipe.pipeline.geometry.vectors import are_polygons, read_vectors
from crackpipe.pipeline.image import SurveyImage
from crackpipe.pipeline.raster.reader import ImageReader

_LEAST_JUDGES, _JUDGES_SHARE = 3, 0.2
_CONTEXT_PX = 224
"""Half a tile of the network is kept around a tile, so that training sees it in its surroundings."""
_BESIDE_A_PICTURE = (".aux.xml", ".pgw", ".prj")
"""Ends of the files that say where a picture lies. A GIS writes them beside masks too."""
_DOUBT_PX = 2
"""How far beside a line that a person drew its crack may reach or lie."""
DEFAULT_WIDTH_MM = 2.0
"""Of lines without a width, as in `crackpipe dataset`."""


@dataclass(frozen=True)
class Reviewed:
    """One tile that a person looked at."""

    name: str
    image: SurveyImage
    outline: shapely.Polygon
    """In pixels of the image: x = col, y = row, centre of the first pixel at (0, 0)."""
    mask_file: Path | None
    """What was painted; None where lines were drawn."""

    @property
    def window(self) -> Window:
        """Its pixels in the image."""
        left, top, right, bottom = np.round(np.array(self.outline.bounds) + 0.5).astype(int).tolist()
        inside = Window(top, left, bottom - top, right - left)
        return inside.clipped(self.image.height_px, self.image.width_px)


@dataclass(frozen=True)
class Labelled:
    """One tile with its labels."""

    name: str
    gsd_mm: float
    rgb: NDArray[np.uint8]
    """(H, W, 3), the tile with its surroundings."""
    mask: NDArray[np.uint8]
    """(H, W): 0, 255, and 127 around the tile and where nobody can judge."""
    drawn: bool
    """Whether the labels are lines; else they were painted."""

    @property
    def cracked(self) -> bool:
        """Whether a crack is labelled."""
        return bool((self.mask == MASK_CRACK).any())


def read_review(file: Path, run: FinishedRun) -> list[Reviewed]:
    """The tiles of a GeoPackage that were reviewed or have a mask beside it, by name.

    Raises UsageError if it cannot be read, if a tile has no name of its own or lies on no image of the run,
    or if none was reviewed.
    """
    drawn = read_vectors(file, layer=TILES_LAYER, layer_option="the name of its layer", with_columns=True)
    missing = [name for name in ("tile", "reviewed", "image_id") if name not in drawn.table]
    if missing or not are_polygons(drawn.geometry).all():
        what = f"has no column {missing[0]}" if missing else "holds what is no polygon"
        raise UsageError(
            f"{file}: layer {TILES_LAYER} {what}. Correct the file that `crackpipe adapt --pick` wrote."
        )
    names = _names(drawn.table["tile"], file)
    masks = _masks_beside(file, names)
    said = [_is_true(value, file) for value in drawn.table["reviewed"]]
    ids = list(drawn.table["image_id"])
    found = [
        _reviewed(name, outline, drawn.crs, image_id, run, masks, file)
        for name, outline, image_id, yes in zip(names, drawn.geometry, ids, said, strict=True)
        if yes or name in masks
    ]
    if not found:
        raise UsageError(
            f"{file}: none of its {len(names)} tiles has reviewed = true, and {file.parent / MASKS} holds "
            f"no mask. Correct the lines of a tile in layer {CRACKS_LAYER}, then set reviewed to true in its "
            f"row of layer {TILES_LAYER}, and save both."
        )
    if len(found) < LEAST_TILES:
        raise UsageError(
            f"{file}: {len(found)} of its {len(names)} tiles are reviewed, but at least {LEAST_TILES} are "
            f"needed: {_LEAST_JUDGES} judge, the others teach. Review more of them."
        )
    return sorted(found, key=lambda each: each.name)


def _names(column: Iterable[object], file: Path) -> list[str]:
    """The names of all rows. Raises UsageError where two tiles would become one file, or one no file."""
    first: dict[str, int] = {}
    for row, value in enumerate(column, start=1):
        name = "" if pd.isna(value) else str(value)
        if not name.strip():
            wrong = f"row {row} of layer {TILES_LAYER} has no name in the column tile"
        elif "/" in name or "\\" in name:
            wrong = f"row {row} of layer {TILES_LAYER} has the name {name!r} in the column tile, with a slash"
        elif name in first:
            wrong = f"rows {first[name]} and {row} of layer {TILES_LAYER} are both named {name!r} (tile)"
        else:
            first[name] = row
            continue
        raise UsageError(
            f"{file}: {wrong}. Give every tile a name of its own without a slash, or delete the row."
        )
    return list(first)


def _is_true(value: object, file: Path) -> bool:
    """A cell of `reviewed`. Some programs make numbers or texts of truth values."""
    word = str(value).strip().lower()
    if word in ("true", "t", "yes", "1", "1.0"):
        return True
    if word in ("false", "f", "no", "0", "0.0", "", "none", "nan", "<na>"):
        return False
    raise UsageError(f"{file}: reviewed is {value!r} in a row of layer {TILES_LAYER}: set true or false.")


def _masks_beside(file: Path, names: Sequence[str]) -> dict[str, Path]:
    """Masks by the name of their tile. Raises UsageError for one that belongs to no tile or is no PNG."""
    masks: dict[str, Path] = {}
    for path in sorted((file.parent / MASKS).glob("*")):
        if path.name.startswith(".") or path.name.lower().endswith(_BESIDE_A_PICTURE):
            continue
        if path.suffix.lower() != ".png":
            raise UsageError(
                f"{path} is no .png, so its tile would count as without a mask: save the mask as "
                f"{path.stem}.png, grey values, and move {path.name} out of {path.parent}."
            )
        if path.stem in masks:
            raise UsageError(f"{masks[path.stem]} and {path} are masks of one tile: remove one of them.")
        masks[path.stem] = path
    strange = sorted(masks.keys() - set(names))
    if strange:
        raise UsageError(
            f"{masks[strange[0]]} belongs to no tile of {file}: give it the name of its picture, or remove "
            "it."
        )
    return masks


def _reviewed(  # noqa: PLR0917  the parts of one row
    name: str,
    outline: shapely.Geometry,
    crs: CRS,
    image_id: object,
    run: FinishedRun,
    masks: Mapping[str, Path],
    file: Path,
) -> Reviewed:
    image = next((each for each in run.images if each.image_id == image_id), None)
    if image is None:
        raise UsageError(
            f"{file}: tile {name} names the image {image_id!r}, which the run did not do. Copy image_id from "
            "a tile of the same picture, or set reviewed to false."
        )
    moved = moved_to(CRS.from_wkt(image.crs_wkt), np.array([outline], object), crs)
    (in_pixels,) = labels.in_pixels(moved, image.transform)
    reviewed_tile = Reviewed(name, image, in_pixels, masks.get(name))
    if reviewed_tile.window.height < 1 or reviewed_tile.window.width < 1:
        raise UsageError(f"{file}: tile {name} does not lie on {image_id}. Put it where its picture is.")
    return reviewed_tile


def labelled(file: Path, run: FinishedRun, tiles: Sequence[Reviewed]) -> Iterator[Labelled]:
    """Pixels and labels of the tiles, one at a time. Raises UsageError, ImageRejectedError (an image)."""
    lines = reviewed.read_lines(file, default_width_mm=DEFAULT_WIDTH_MM, layer=CRACKS_LAYER)
    unknown = sorted(lines.other_classes.keys() - run.classes)
    if unknown:
        raise UsageError(
            f"{file}: layer {CRACKS_LAYER} has lines of class {', '.join(map(repr, unknown))}, but the run "
            f"knows {', '.join(map(repr, sorted(run.classes)))}. Lines of class crack or without "
            "one (NULL) teach cracks: set that, or delete the lines."
        )
    for notice in reviewed.notices(lines, DEFAULT_WIDTH_MM):
        log.info(notice)
    maps = Maps(
        lines=lines,
        found=FoundLines(None, np.zeros(0, object), np.zeros(0, object)),
        area=None,
        seam_mm=run.config.seam_mm,
        image_ids=frozenset(image.image_id for image in run.images),
    )
    for tile in tiles:
        around = tile.window.padded(_CONTEXT_PX).clipped(tile.image.height_px, tile.image.width_px)
        with ImageReader(tile.image) as reader:
            rgb, valid = reader.read(around)
        mask = np.full(valid.shape, MASK_NOT_INSPECTED, np.uint8)
        inner = tile.window.within(around)
        if tile.mask_file is None:
            here = maps.on(tile.image)
            whole = mask_of(Part(tile.image, 0, around, cracked=False, edited=False), here, valid)
            seen = labels.paint([tile.outline], around)
            mask[seen] = whole[seen]
        else:
            mask[inner] = _painted(tile)
        mask[~valid] = MASK_NOT_INSPECTED
        yield Labelled(tile.name, tile.image.gsd_mm, rgb, mask, tile.mask_file is None)


def _painted(tile: Reviewed) -> NDArray[np.uint8]:
    """A mask file, uint8 (h, w) of the tile's window. Raises UsageError if it does not fit."""
    path = tile.mask_file
    assert path is not None
    wanted = (tile.window.width, tile.window.height)
    try:
        with Image.open(path, formats=["PNG"]) as painted:
            if painted.size != wanted:  # before it is decoded: it may be of any size
                raise UsageError(
                    f"{path} is {painted.width}x{painted.height} px, its picture {wanted[0]}x{wanted[1]} px: "
                    "paint on a copy of the picture and keep its size."
                )
    except (OSError, Image.DecompressionBombError) as error:
        raise UsageError(f"{path} cannot be read: {error}. Save it as PNG of grey values.") from error
    try:
        mask = open_mask(path)
    except ValueError as error:
        raise UsageError(f"{error}.") from error
    others = sorted(set(np.unique(mask).tolist()) - {0, MASK_NOT_INSPECTED, MASK_CRACK})
    if others:
        raise UsageError(
            f"{path} has the grey value {others[0]}: 0 is sound, 255 crack, 127 not to be judged, and no "
            "other is known. Paint with a hard brush, and save as PNG."
        )
    return mask


def with_doubt(mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A mask (H, W) whose sound pixels within 2 px of a crack are 127, for training.

    Lines lie a little beside their cracks, and where nobody gave a width they are narrower. Taken as sound,
    the crack beside its line would teach the opposite of what the person saw.
    """
    side = 2 * _DOUBT_PX + 1
    near = maximum_filter(mask == MASK_CRACK, size=side)
    return np.where(near & (mask == 0), np.uint8(MASK_NOT_INSPECTED), mask)


def judges_of(cracked: Mapping[str, bool]) -> frozenset[str]:
    """Names of the tiles that are kept from training: every fifth, at least three, by a hash of the name.

    `cracked` says of each tile whether a crack is labelled in it. Tiles with and without one are drawn apart,
    so that both sides have some of either, where there are.
    """
    with_crack, without = (
        sorted((name for name, has in cracked.items() if has is wanted), key=lot) for wanted in (True, False)
    )
    count = max(_LEAST_JUDGES, round(_JUDGES_SHARE * len(cracked)))
    of_cracked = round(count * len(with_crack) / len(cracked))
    if len(with_crack) > 1:
        of_cracked = min(max(of_cracked, 1), len(with_crack) - 1)
    of_cracked = max(of_cracked, count - len(without))
    return frozenset([*with_crack[:of_cracked], *without[: count - of_cracked]])
