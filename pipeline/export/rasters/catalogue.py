"""The images of a survey as a SpatioTemporal Asset Catalog (STAC 1.1), which catalogues and web maps search.

    catalog.json                   the root
    images/collection.json         all images; the tables are its assets
    images/ID/ID.json              an image that is done and has a date: where, when, its mask
    left_out.csv                   the other images, and why they have no item

An item must say when it was taken. A survey's images say the day only, so an item spans that day. Extensions:
projection 2.0, raster 1.1, processing 1.0 (https://stac-extensions.github.io/).
"""

import csv
import hashlib
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pystac
import shapely
from affine import Affine
from pyproj import CRS

from crackpipe import __version__
from crackpipe.pipeline.console.printable import harmless
from crackpipe.pipeline.errors import UsageError
from crackpipe.pipeline.export.rasters.folder import file_of
from crackpipe.pipeline.export.rasters.masks import StoredMask, as_raster, north_up
from crackpipe.pipeline.geometry.crs import footprint_in
from crackpipe.pipeline.geometry.ground import footprint_corners
from crackpipe.pipeline.masks.values import NOT_INSPECTED

_EXTENSIONS = tuple(
    f"https://stac-extensions.github.io/{name}/schema.json"
    for name in ("projection/v2.0.0", "raster/v1.1.0", "processing/v1.0.0")
)
_ZARR = "application/vnd.zarr; version=3"
_PARQUET = "application/vnd.apache.parquet"
_WGS84 = CRS.from_epsg(4326).to_wkt()
_DECIMALS = 9
"""Of degrees: a tenth of a millimetre."""


@dataclass(frozen=True)
class Entry:
    """One image, as the catalogue needs it."""

    mask: StoredMask
    acquired: date | None
    row: dict[str, Any]
    """Its row of images.parquet."""


def write_catalogue(
    entries: Sequence[Entry],
    others: Sequence[tuple[str, str]],
    root: Path,
    folder: Path,
    final: Path,
) -> None:
    """Write the catalogue into `folder`, as it will lie at `final`.

    `entries` are the images that are done, `others` the rest: image_id and why it has no item. `root` is the
    output. If the GeoTIFFs of `crackpipe export --format cog` are there, items name them. Raises UsageError
    if no image has a date, OSError.
    """
    dated = [entry for entry in entries if entry.acquired is not None]
    if not dated:
        raise UsageError(
            f"none of the {len(entries)} images of {root} that are done has a date, and an item of a STAC "
            f"catalogue must have one. Write the date into survey.toml in the survey's folder "
            f"(acquired = 2025-05-01) and run the survey again."
        )
    items = [_item(entry, root, final) for entry in dated]
    survey = pystac.Collection(
        id="images",
        title=root.name,
        description=f"Images of a road survey with the masks of cracks in them: {root.name}",
        extent=pystac.Extent.from_items(items),
        license="other",
    )
    for name in ("cracks", "images"):
        href = _relative(root / f"{name}.parquet", final / "images")
        survey.add_asset(name, pystac.Asset(href, media_type=_PARQUET, roles=["data"]))
    survey.add_items(items)
    catalog = pystac.Catalog(
        id="crackpipe", title=root.name, description="Crack maps, made by crackpipe from survey imagery"
    )
    catalog.add_child(survey)
    catalog.normalize_hrefs(str(final))
    catalog.save(pystac.CatalogType.SELF_CONTAINED, dest_href=str(folder))
    undated = [(entry.mask.image_id, "it has no date") for entry in entries if entry.acquired is None]
    _list([*undated, *others], folder / "left_out.csv")


def id_of(image_id: str) -> str:
    """An id for an item: what an address can hold of the image_id, and a hash that no other has."""
    safe = re.sub(r"[^A-Za-z0-9.-]+", "_", image_id).strip("._")[:80]
    name = hashlib.blake2b(image_id.encode("utf-8", "surrogateescape"), digest_size=4).hexdigest()
    return f"{safe}-{name}"


def _item(entry: Entry, root: Path, final: Path) -> pystac.Item:
    mask, day = entry.mask, entry.acquired
    assert day is not None
    begin = datetime.combine(day, time(), UTC)
    corners = footprint_in(
        footprint_corners(mask.transform, mask.height_px, mask.width_px), mask.crs_wkt, _WGS84
    )
    footprint = shapely.Polygon(np.round(np.zeros((4, 2)) if corners is None else corners, _DECIMALS))
    item = pystac.Item(
        id=id_of(mask.image_id),
        geometry=shapely.geometry.mapping(shapely.orient_polygons(footprint)),
        bbox=list(footprint.bounds),
        datetime=None,
        start_datetime=begin,
        end_datetime=begin + timedelta(days=1, seconds=-1),
        properties=_properties(entry),
        stac_extensions=list(_EXTENSIONS),
    )
    place = final / "images" / item.id
    bands = [{"data_type": "uint8", "nodata": NOT_INSPECTED, "sampling": "area"}]
    extra: dict[str, Any] = {"raster:bands": bands}
    href = _relative(mask.group, place)
    item.add_asset("mask", pystac.Asset(href, media_type=_ZARR, roles=["data"], extra_fields=extra))
    cog = root / "cog" / file_of(mask.image_id)
    if cog.exists():
        raster = north_up(mask) or as_raster(mask)  # it may be turned, and then it has another size
        extra = {**extra, **_grid(raster.height_px, raster.width_px, raster.transform)}
        asset = pystac.Asset(
            _relative(cog, place), media_type=pystac.MediaType.COG, roles=["data"], extra_fields=extra
        )
        item.add_asset("mask_cog", asset)
    return item


def _properties(entry: Entry) -> dict[str, Any]:
    mask, row = entry.mask, entry.row
    crs = CRS.from_wkt(mask.crs_wkt)
    authority = crs.to_authority()
    code = {"proj:code": ":".join(authority)} if authority else {"proj:wkt2": mask.crs_wkt}
    figures = ("crack_length_m", "inspected_m2", "uninspected_m2", "screened_m2", "familiarity")
    return {
        **code,
        **_grid(mask.height_px, mask.width_px, mask.transform),
        "gsd": row["gsd_mm"] / 1000.0,
        "processing:software": {"crackpipe": __version__},
        "processing:lineage": f"Cracks found by a segmentation network: {', '.join(mask.classes)}",
        "crackpipe:image_id": row["image_id"],
        **{f"crackpipe:{name}": row[name] for name in figures if row.get(name) is not None},
    }


def _grid(height_px: int, width_px: int, transform: Affine) -> dict[str, Any]:
    return {"proj:shape": [height_px, width_px], "proj:transform": list(transform)[:6]}


def _relative(target: Path, folder: Path) -> str:
    """The address of `target` from a file in `folder`, with percent signs for what an address cannot hold."""
    return quote(os.fsencode(os.path.relpath(target, folder)))


def _list(rows: Sequence[tuple[str, str]], path: Path) -> None:
    with path.open("w", newline="", encoding="utf-8", errors="backslashreplace") as file:
        lines = csv.writer(file, lineterminator="\n")
        lines.writerow(("image_id", "why"))
        lines.writerows([harmless(cell) for cell in row] for row in sorted(rows))
