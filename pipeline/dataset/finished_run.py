"""What a finished run left behind for training: its images as they lie on disk, and the lines it found."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import shapely
from pyproj import CRS

from crackpipe.pipeline import config
from crackpipe.pipeline.config import Config
from crackpipe.pipeline.dataset.parts import FoundLines
from crackpipe.pipeline.errors import UsageError
from crackpipe.pipeline.geometry.crs import footprint_in
from crackpipe.pipeline.image import SurveyImage
from crackpipe.pipeline.state.output import Output
from crackpipe.pipeline.storage.cloud.address import is_address
from crackpipe.pipeline.survey import load, region

# These keys decide which files are images, where the pixels of an image lie, what grey they have, and which
# of them were inspected. They also tell how far images of the same ground may lie off each other.
_HOW_IT_WAS_READ = (
    "region",
    "exclude",
    "assume_crs",
    "assume_gsd_mm",
    "allow_gsd",
    "gsd_min_mm",
    "gsd_max_mm",
    "allow_place",
    "collar",
    "white_level",
    "seam_mm",
)
_MOST_OFF_PX = 1.0
"""Rounding, and another PROJ between two CRSs, stay far below. Hairline cracks are about as wide."""


@dataclass(frozen=True)
class FinishedRun:
    """A run and its images."""

    images: tuple[SurveyImage, ...]
    """The images that are done, sorted by image_id."""
    config: Config
    """How the images were read."""
    found: FoundLines
    classes: frozenset[str]
    """What its lines may be: the classes of its weights, as far as it names them, and `crack`."""


def read_run(run: Path, sources: Sequence[Path] = ()) -> FinishedRun:
    """Read the output folder `run` and find its survey, which is at `sources` or else where `run.json` says.

    Raises UsageError if the run or an image of it cannot be found, or if an image has another size or place
    now, ConfigurationError if a newer version of crackpipe laid the run out.
    """
    Output(run).refuse_newer()
    for name in ("run.json", "images.parquet", "cracks.parquet"):
        if not (run / name).is_file():
            raise UsageError(f"{run / name} does not exist: --run wants the output folder of a finished run.")
    record = json.loads((run / "run.json").read_text(encoding="utf-8"))
    how = how_it_was_read(record, run / "run.json")
    given = tuple(sources)
    sources = given or tuple(Path(source) for source in record.get("survey", ()))
    if not sources:
        raise UsageError(f"{run / 'run.json'} does not say where the survey was: name it with --survey.")
    if any(is_address(str(source)) for source in record.get("survey", ())) and not given:
        raise UsageError(
            f"{run} is of a survey in object storage, {', '.join(record['survey'])}: copy it here, and "
            "name the copy with --survey."
        )
    cracks = run / "cracks.parquet"
    return FinishedRun(_images(run, sources, how), how, _found_lines(cracks), _classes(record, cracks))


def _images(run: Path, sources: Sequence[Path], how: Config) -> tuple[SurveyImage, ...]:
    found = {image.image_id: image for image in load.load_survey(sources, how, run).images}
    columns = ["image_id", "status", "height_px", "width_px", "geometry"]
    table = pq.read_table(run / "images.parquet", columns=columns).to_pylist()
    crs = _crs_of(run / "images.parquet")
    done = sorted((row for row in table if row["status"] == "done"), key=lambda row: str(row["image_id"]))
    if not done:
        raise UsageError(f"{run / 'images.parquet'}: no image is done, so there is nothing to learn from.")
    for row in done:
        image = found.get(row["image_id"])
        if image is None:
            raise UsageError(
                f"{row['image_id']} of {run} is not in {', '.join(map(str, sources))}, or can no longer be "
                "read: say with --survey where the images are now."
            )
        if (image.height_px, image.width_px) != (row["height_px"], row["width_px"]):
            raise UsageError(
                f"{image.path} has {image.width_px} x {image.height_px} px, in the run it had "
                f"{row['width_px']} x {row['height_px']}: run the survey again."
            )
        off_px = _off_px(row, image, crs)
        if off_px > _MOST_OFF_PX:
            raise UsageError(
                f"a corner of {image.path} lies {off_px:.3g} px (at most {_MOST_OFF_PX:g}) from where the "
                "run had it: its georeference changed, or this version of crackpipe reads it in another way. "
                "Labels would lie beside their cracks. Run the survey again with the options of "
                f"{run / 'run.json'}, and review the new lines."
            )
    images = tuple(found[row["image_id"]] for row in done)
    return images if how.region is None else region.limit(images, region.read_region(Path(how.region)))


def _off_px(row: Mapping[str, Any], image: SurveyImage, crs: CRS | None) -> float:
    """How far a corner of an image lies from where a row of `images.parquet` has it, px; 0 if it has none."""
    if crs is None or row["geometry"] is None:
        return 0.0
    before = shapely.from_wkb(row["geometry"])
    now = footprint_in(image.footprint, image.crs_wkt, crs.to_wkt())
    if now is None:
        return float("inf")
    off = np.hypot(*(now - shapely.get_coordinates(before)[:4]).T).max()
    return float(off / np.sqrt(before.area / (row["height_px"] * row["width_px"])))


def how_it_was_read(record: Mapping[str, Any], file: Path) -> Config:
    """The part of a run's configuration that matters here. Raises ConfigurationError."""
    said = record.get("configuration", {})
    values = {name: said[name] for name in _HOW_IT_WAS_READ if name in said}
    if values and all(isinstance(value, str) for value in values.values()):
        values = _from_text(values)
    return Config(
        **{
            name: config.checked(name, value, str(file))
            for name, value in values.items()
            if value is not None
        }
    )


def _from_text(texts: dict[str, str]) -> dict[str, Any]:
    """Values from `run.json` as runs wrote it until commit 5f0e436: Python's text of every value."""
    given = {
        f"CRACKPIPE_{name.upper()}": text.lower() if text in ("True", "False") else text
        for name, text in texts.items()
        if text != "None"
    }
    return vars(config.resolve({}, environ=given))


def _classes(record: Mapping[str, Any], cracks: Path) -> frozenset[str]:
    """`run.json` names the classes only of weights that know several."""
    found = pq.read_table(cracks, columns=["class"]).column("class").unique().to_pylist()
    return frozenset({"crack", *record.get("classes", ()), *found})


def _found_lines(file: Path) -> FoundLines:
    table = pq.read_table(file, columns=["image_id", "geometry"])
    return FoundLines(
        _crs_of(file),
        np.asarray(shapely.from_wkb(table.column("geometry").to_numpy()), object),
        np.array(table.column("image_id").to_pylist(), object),
    )


def _crs_of(file: Path) -> CRS | None:
    crs = json.loads(pq.read_schema(file).metadata[b"geo"])["columns"]["geometry"].get("crs")
    return None if crs is None else CRS.from_json_dict(crs)
