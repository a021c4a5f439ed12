"""Keep what was learnt about the images of a survey, so that a file that did not change is not opened again.

`OUT/.crackpipe/survey.json` holds the description of each accepted image, and a stamp of its file and of
every file beside it that has a say. The stamp holds size, times and inode. One of the times is that of the
last change of state, which programs cannot set. A description is used again only if the stamp, the options
and the versions of the libraries are the same. Rejected files are not kept: each run looks whether they were
mended. With `--verify-inputs` every file is opened again.
"""

from collections.abc import Iterable, Mapping
from dataclasses import astuple, dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import pyproj
from affine import Affine

from crackpipe import __version__
from crackpipe.pipeline.config import Config
from crackpipe.pipeline.geometry.plan_view import PlanView
from crackpipe.pipeline.image import BandLayout, FileStamp, SurveyImage
from crackpipe.pipeline.raster.gdal import GDAL_VERSION
from crackpipe.pipeline.storage import reading, sealed
from crackpipe.pipeline.survey.files import candidates, formats
from crackpipe.pipeline.survey.files.candidates import Candidate
from crackpipe.pipeline.survey.sidecars import names as sidecars
from crackpipe.pipeline.survey.sidecars.names import Names

# Raise this number when a change of the code describes the same file in another way.
_VERSION = 6

_OPTIONS = ("assume_crs", "assume_gsd_mm", "allow_gsd", "gsd_min_mm", "gsd_max_mm", "collar", "white_level")
"""Keys of the configuration on which the description of an image depends."""

_PLAIN = (
    "driver",
    "height_px",
    "width_px",
    "bands",
    "dtype",
    "gsd_mm",
    "nodata",
    "has_missing_blocks",
    "world_file",
    "world_file_fit",
    "keeps_collars",
    "largest_value",
)

Stamp = list[Any]
"""All that a description depends on, besides options and versions; plain JSON."""


def stamp_of(candidate: Candidate, names: Names | None) -> Stamp | None:
    """Stamp a candidate whose folder holds `names`; None where that is not possible."""
    path = candidate.path
    if names is None or not formats.is_supported(path):
        return None
    stamp: Stamp = [None if candidate.acquired is None else candidate.acquired.isoformat()]
    try:
        own = reading.state_of(path)
        beside = [
            [name, *reading.state_of(path.with_name(name))]
            for possible in sidecars.all_names(path)
            for name in sorted(names.get(sidecars.key(possible), ()))
        ]
    except OSError:
        return None
    # the mask of an image may be that of another, whose name differs in case alone
    alike = sorted(names.get(sidecars.key(path.name), ()))
    return [*stamp, own, alike, *beside]


@dataclass(frozen=True)
class Memory:
    """What an earlier run kept. It is empty where there was none, or where options or versions differ."""

    crs_wkts: list[str] = field(default_factory=list)
    images: dict[str, dict[str, Any]] = field(default_factory=dict)
    """By image_id."""

    def image(self, candidate: Candidate, stamp: Stamp | None) -> SurveyImage | None:
        """Describe the candidate as before, or return None where it must be opened.

        Raises ImageRejectedError and OSError as `candidates.regular_file`, which is asked each time.
        """
        kept = self.images.get(candidate.image_id)
        if kept is None or stamp is None or kept["stamp"] != stamp:
            return None
        return _image_of(kept, candidate, candidates.regular_file(candidate), self.crs_wkts)


def recall(file: Path, config: Config) -> Memory:
    """Read what a file keeps, if it is there and fits the options. Raises OSError."""
    found = None if config.verify_inputs else sealed.read_sealed(file)
    if found is None or found["made_from"] != _made_from(config):
        return Memory()
    return Memory(found["crs_wkts"], found["images"])


def keep(
    file: Path,
    config: Config,
    images: Iterable[SurveyImage],
    stamps: Mapping[str, Stamp],
    before: Memory,
) -> None:
    """Write what is known now, unless it is the same as `before`. Raises OSError."""
    stamped = [image for image in images if image.image_id in stamps]
    known = {name: kept["stamp"] for name, kept in before.images.items()}
    if known == {image.image_id: stamps[image.image_id] for image in stamped}:
        return
    numbers: dict[str, int] = {}
    kept = {
        image.image_id: {
            "stamp": stamps[image.image_id],
            **_facts_of(image),
            "crs": numbers.setdefault(image.crs_wkt, len(numbers)),
        }
        for image in stamped
    }
    content = {"made_from": _made_from(config), "crs_wkts": list(numbers), "images": kept}
    sealed.write_sealed(file, content, indent=None)


def names_kept(file: Path) -> set[str]:
    """The image_ids that a file keeps, whatever options they were described with. Raises OSError.

    A run writes the file before it inspects anything, so they are those of the last run, even if it was cut.
    """
    return set((sealed.read_sealed(file) or {}).get("images", {}))


def _made_from(config: Config) -> dict[str, Any]:
    return {
        "version": [_VERSION, __version__, GDAL_VERSION, pyproj.proj_version_str],
        **{name: getattr(config, name) for name in _OPTIONS},
    }


def _facts_of(image: SurveyImage) -> dict[str, Any]:
    return {
        **{name: getattr(image, name) for name in _PLAIN},
        "layout": vars(image.layout),
        "transform": list(image.transform)[:6],
        "ground": image.ground,
        "mask": None if image.mask is None else [image.mask.path.name, *_size_and_time(image.mask)],
        "acquired": None if image.acquired is None else image.acquired.isoformat(),
        "warnings": image.warnings,
        "view": None if image.view is None else astuple(image.view),
    }


def _size_and_time(stamp: FileStamp) -> list[int | str]:
    etag = [] if stamp.etag is None else [stamp.etag]
    return [stamp.size_bytes, stamp.mtime_ns, *etag]


def _image_of(
    kept: Mapping[str, Any], candidate: Candidate, file: FileStamp, crs_wkts: list[str]
) -> SurveyImage:
    """The inverse of `_facts_of`."""
    (east_row, east_col), (north_row, north_col) = kept["ground"]
    mask, acquired, view = kept["mask"], kept["acquired"], kept["view"]
    layout: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in kept["layout"].items()
    }
    return SurveyImage(
        **{name: kept[name] for name in _PLAIN},
        image_id=candidate.image_id,
        survey=candidate.survey,
        file=file,
        layout=BandLayout(**layout),
        transform=Affine(*kept["transform"]),
        crs_wkt=crs_wkts[kept["crs"]],
        ground=((east_row, east_col), (north_row, north_col)),
        mask=None if mask is None else FileStamp(file.path.with_name(mask[0]), *mask[1:]),
        acquired=None if acquired is None else date.fromisoformat(acquired),
        warnings=tuple(kept["warnings"]),
        travel_deg=candidate.travel_deg,
        view=None if view is None else PlanView(*map(tuple, view)),
    )
