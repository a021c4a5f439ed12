"""A finished run and an analyst's corrected lines become training pairs, in the layout of `crackpipe train`.

The story:

    read_run        which images are done, where they lie, what was found there             finished_run.py
    read_lines      which lines are cracks, as the analyst corrected them                   reviewed.py
    cut             images into parts, which may hold cracks and may have been corrected    parts.py
    choose          all parts with cracks or with a false crack, and a share of the others
    write           picture and mask of each part                                           labels.py

    OUT/NAME/images/IMAGE-N.png   pixels as the network sees them
    OUT/NAME/masks/IMAGE-N.png    0 sound, 255 crack, 127 not inspected or not reviewed
    OUT/NAME/parts.csv            where each part was cut from

One part is in memory at a time. The same input gives the same bytes.
"""

import csv
import hashlib
import re
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from PIL import Image

from crackpipe.pipeline.console.log import log
from crackpipe.pipeline.dataset import reviewed
from crackpipe.pipeline.dataset.finished_run import read_run
from crackpipe.pipeline.dataset.parts import MASK_CRACK, MASK_NOT_INSPECTED, Maps, Part, cut, mask_of
from crackpipe.pipeline.errors import OutputNotWritableError, UsageError
from crackpipe.pipeline.image import SurveyImage
from crackpipe.pipeline.raster.reader import ImageReader

_LEAST_PART_PX = 448


@dataclass(frozen=True, kw_only=True)
class DatasetRequest:
    """What the command line asked for."""

    out: Path
    run: Path
    """Output folder of `crackpipe run`."""
    reviewed: Path
    """Lines with `width_mm`."""
    layer: str | None = None
    area: Path | None = None
    """Polygons around what was reviewed; None: everything."""
    survey: tuple[Path, ...] = ()
    """Where the images are. If empty, they are where they were during the run."""
    name: str | None = None
    """Name of the set; None means the name of the survey."""
    part_px: int = 1024
    """Approximate side of a part."""
    default_width_mm: float = 2.0
    """Width of lines that have none. The default is the middle of class small."""
    negatives: float = 0.5
    """Parts without a crack per part with one. Parts in which the analyst removed all cracks of the run are
    always added, because they teach most."""
    edited_only: bool = False
    """Whether to leave out parts in which the reviewed lines are those that the run found."""

    def __post_init__(self) -> None:
        checks = [
            (self.part_px >= _LEAST_PART_PX, f"--part is {self.part_px}", f"at least {_LEAST_PART_PX} px"),
            (self.default_width_mm > 0, f"--default-width is {self.default_width_mm}", "over 0 mm"),
            (self.negatives >= 0, f"--negatives is {self.negatives}", "at least 0"),
            (
                self.name is None or re.fullmatch(r"\w[\w.-]*", self.name) is not None,
                f"--name is {self.name!r}",
                "the name of a folder, of letters, digits, dots, - and _",
            ),
        ]
        for sound, what, limit in checks:
            if not sound:
                raise UsageError(f"{what}, but must be {limit}.")


@dataclass(frozen=True)
class Written:
    """What was written."""

    folder: Path
    rows: tuple[dict[str, Any], ...]
    """The rows of parts.csv."""


def write_dataset(request: DatasetRequest) -> Written:
    """Write the pairs. Raises UsageError, ImageRejectedError (the image), OutputNotWritableError."""
    run = read_run(request.run, request.survey)
    name = request.name or run.images[0].survey
    target = request.out / name
    if target.exists():
        raise OutputNotWritableError(f"{target} is there already: remove it, or give another --name.")
    lines = reviewed.read_lines(
        request.reviewed, default_width_mm=request.default_width_mm, layer=request.layer
    )
    for notice in reviewed.notices(lines, request.default_width_mm):
        log.info(notice)
    area = None if request.area is None else reviewed.read_area(request.area)
    maps = Maps(
        lines=lines,
        found=run.found,
        area=area,
        seam_mm=run.config.seam_mm,
        image_ids=frozenset(image.image_id for image in run.images),
    )
    parts = choose([part for image in run.images for part in cut(maps.on(image), request.part_px)], request)
    if not parts or (len(lines.lines) and not any(part.cracked or part.edited for part in parts)):
        raise UsageError(
            f"{request.reviewed}: nothing of it lies on the reviewed images of {request.run}. Are they of "
            f"the same roads, and is {lines.crs.name} the CRS of the file?"
        )
    staging = request.out / f".{name}.partial"
    try:
        shutil.rmtree(staging, ignore_errors=True)
        for folder in ("images", "masks"):
            (staging / folder).mkdir(parents=True)
        rows = tuple(_write_parts(parts, maps, staging))
        _write_csv(staging / "parts.csv", rows)
        staging.rename(target)
    except OSError as error:
        raise OutputNotWritableError(f"{target} cannot be written: {error.strerror or error}.") from error
    return Written(target, rows)


def summary_lines(written: Written) -> Iterator[str]:
    """What the command prints."""
    cracked = sum(row["crack_px"] > 0 for row in written.rows)
    edited = sum(row["edited"] for row in written.rows)
    yield (
        f"{len(written.rows)} pairs: {cracked} with cracks, {len(written.rows) - cracked} without; "
        f"in {edited} of them the run was corrected"
    )
    yield f"Pairs: {written.folder}"


def choose(parts: Sequence[Part], request: DatasetRequest) -> list[Part]:
    """Which parts are written, in the given order.

    These are all parts with a crack, all parts in which the run's cracks were removed, and some others. Of
    the others there are `negatives` per part with a crack, or all of them if there is no crack at all. They
    are picked by a hash of image and number. So the choice does not depend on the order of the parts or on
    what else was reviewed.
    """
    if request.edited_only:
        return [part for part in parts if part.edited]
    others = [part for part in parts if not (part.cracked or part.edited)]
    cracked = sum(part.cracked for part in parts)
    wanted = round(request.negatives * cracked) if cracked else len(others)
    picked = {id(part) for part in sorted(others, key=_lot)[:wanted]}
    return [part for part in parts if part.cracked or part.edited or id(part) in picked]


def _lot(part: Part) -> bytes:
    key = f"{part.image.image_id}\0{part.number}"
    return hashlib.blake2b(key.encode("utf-8", "surrogateescape"), digest_size=8).digest()


def _write_parts(parts: Sequence[Part], maps: Maps, folder: Path) -> Iterator[dict[str, Any]]:
    """Write pictures and masks and give out the rows of parts.csv.

    Parts with nothing inspected are left out.
    """
    stems = stems_of([part.image for part in parts])
    grouped = [list(some) for _, some in groupby(parts, lambda part: part.image.image_id)]
    for number, some in enumerate(grouped, start=1):
        image = some[0].image
        here = maps.on(image)
        with ImageReader(image) as reader:
            for part in some:
                rgb, valid = reader.read(part.window)
                mask = mask_of(part, here, valid)
                if (mask == MASK_NOT_INSPECTED).all():
                    continue
                stem = f"{stems[image.image_id]}-{part.number}"
                Image.fromarray(rgb).save(folder / "images" / f"{stem}.png")
                Image.fromarray(mask).save(folder / "masks" / f"{stem}.png")
                yield {
                    "stem": stem,
                    "image_id": image.image_id,
                    "row": part.window.row,
                    "col": part.window.col,
                    "height_px": part.window.height,
                    "width_px": part.window.width,
                    "gsd_mm": round(image.gsd_mm, 4),
                    "crack_px": int((mask == MASK_CRACK).sum()),
                    "not_inspected_px": int((mask == MASK_NOT_INSPECTED).sum()),
                    "edited": int(part.edited),
                }
        log.info(f"{number} of {len(grouped)} images: {image.image_id}, {len(some)} parts")


def stems_of(images: Sequence[SurveyImage]) -> dict[str, str]:
    """A file name without a dash for each image_id.

    Training takes what stands before a dash as the name of one photograph and keeps its parts together.
    """
    ids = sorted({image.image_id for image in images})
    plain = {each: re.sub(r"[^A-Za-z0-9._]", "_", str(Path(each).with_suffix(""))) for each in ids}
    often = Counter(plain.values())
    return {
        each: stem if often[stem] == 1 else f"{stem}_{hashlib.sha256(each.encode()).hexdigest()[:8]}"
        for each, stem in plain.items()
    }


def _write_csv(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]) if rows else ["stem"])
        writer.writeheader()
        writer.writerows(rows)
