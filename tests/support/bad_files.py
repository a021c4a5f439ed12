"""Real files, each wrong in one way: the catalogue of docs/use/bad-input.md. The cases are in `cases/`.

Every case has a folder of its own, so that no file is another's neighbour, and lies on ground of its own.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray
from rasterio.enums import ColorInterp
from rasterio.windows import Window

CRS = "EPSG:25832"
TILES = {"tiled": True, "blockxsize": 64, "blockysize": 64}
NOISE = np.random.default_rng(0).integers(110, 131, (3, 120, 180), dtype=np.uint8)
GREY = NOISE[:1]
LONGEST_NAME = "n" * 251 + ".tif"  # 255 bytes: no sidecar can have a longer one


@dataclass(frozen=True)
class Case:
    """What is wrong, how the folder of the case is filled, and which file in it the table speaks of."""

    what: str
    make: Callable[[Path, Affine], object]
    name: str = "a.tif"


CASES: list[Case] = []
_ROW_M = 5.0  # cases lie this far apart


def case(what: str, name: str = "a.tif") -> Callable[[Callable[[Path, Affine], object]], None]:
    def add(make: Callable[[Path, Affine], object]) -> None:
        CASES.append(Case(what, make, name))

    return add


def folder_of(case: Case) -> str:
    return f"case-{CASES.index(case):02d}"


def image_id_of(case: Case) -> str:
    return f"{folder_of(case)}/{case.name}"


def build(survey: Path, cases: list[Case] | None = None) -> None:
    """Write all cases into a survey folder."""
    for each in CASES if cases is None else cases:
        folder = survey / folder_of(each)
        folder.mkdir(parents=True)
        place = Affine(0.001, 0, 500_100, 0, -0.001, 5_400_000 + _ROW_M * CASES.index(each))
        each.make(folder, place)


def write(path: Path, place: Affine, values: NDArray[Any] = NOISE, **profile: Any) -> Path:
    """Values (bands, h, w) as a GeoTIFF of 1 mm/px at `place`, but for what `profile` says."""
    bands, height, width = values.shape
    colours, palette = profile.pop("colours", None), profile.pop("palette", None)
    tags, gcps = profile.pop("tags", {}), profile.pop("gcps", None)
    settings = {"driver": "GTiff", "crs": CRS, "transform": place, **profile}
    path.parent.mkdir(parents=True, exist_ok=True)
    with rasterio.open(
        path, "w", count=bands, height=height, width=width, dtype=values.dtype, **settings
    ) as dataset:
        if colours:
            dataset.colorinterp = [ColorInterp[name] for name in colours]
        if palette:
            dataset.write_colormap(1, palette)
        if gcps:
            dataset.gcps = gcps
        for domain, items in tags.items():
            dataset.update_tags(ns=domain, **items)
        dataset.write(values)
    return path


def photograph(path: Path, place: Affine, values: NDArray[Any] = NOISE, **profile: Any) -> Path:
    """A JPEG or PNG with a world file and a .prj."""
    driver = "PNG" if path.suffix == ".png" else "JPEG"
    write(path, place, values, **{"driver": driver, "crs": None, "transform": None, **profile})
    world_file(path, place)
    path.with_suffix(".prj").write_text(rasterio.crs.CRS.from_string(CRS).to_wkt())
    return path


def world_file(path: Path, place: Affine) -> None:
    centre = place @ (0.5, 0.5)
    numbers = (place.a, place.d, place.b, place.e, *centre)
    path.with_suffix(".wld").write_text("\n".join(map(repr, map(float, numbers))))


def bare_photograph(path: Path, place: Affine) -> Path:
    """A JPEG that nothing places."""
    return write(path, place, driver="JPEG", crs=None, transform=None)


def beside(path: Path, world_name: str, prj_name: str, place: Affine) -> None:
    """A world file and a .prj of any names beside an image."""
    world_file(path, place)
    path.with_suffix(".wld").rename(path.with_name(world_name))
    path.with_name(prj_name).write_text(rasterio.crs.CRS.from_string(CRS).to_wkt())


def damage(path: Path, at: float, count: int) -> None:
    content = bytearray(path.read_bytes())
    start = int(len(content) * at)
    content[start : start + count] = bytes(count)
    path.write_bytes(content)


def empty(path: Path, place: Affine, *, written: bool = False, **profile: Any) -> None:
    """A TIFF whose writer was killed before any block, or after the first."""
    common = {"driver": "GTiff", "crs": CRS, "transform": place, "dtype": "uint8", "sparse_ok": True}
    with rasterio.open(path, "w", **{**common, "count": 3, "height": 120, "width": 180, **profile}) as out:
        if written:
            out.write(NOISE[:, :64, :64], window=Window(0, 0, 64, 64))


# The cases in the order of the table. They are imported last, since they use what is above.
# isort: off
import cases.formats  # noqa: E402
import cases.damage  # noqa: E402
import cases.georeferences  # noqa: E402
import cases.bands  # noqa: E402
import cases.names  # noqa: E402
import cases.pixels  # noqa: E402
import cases.places  # noqa: E402
import cases.plan_views  # noqa: E402
import cases.beside  # noqa: E402, F401
