"""Attributes of a Zarr group: how a mask says where on earth it lies."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from affine import Affine
from pyproj import CRS

from crackpipe.pipeline.geometry import ground
from crackpipe.pipeline.masks.values import CERTAIN, NOT_INSPECTED

CONVENTIONS = [
    {
        "schema_url": f"https://raw.githubusercontent.com/zarr-conventions/{name}/refs/tags/v0.1/schema.json",
        "spec_url": f"https://github.com/zarr-conventions/{name}/blob/v0.1/README.md",
        "uuid": uuid,
        "name": name,
        "description": description,
    }
    for name, uuid, description in (
        (
            "proj",
            "f17cb550-5864-4468-aeb7-f3180cfb622f",
            "Coordinate reference system information for geospatial data",
        ),
        ("spatial", "689b58e2-cf7b-45e0-9fff-9cfc0883d6b4", "Spatial coordinate information"),
    )
]
CF_LINKS = {"grid_mapping": "spatial_ref", "coordinates": "spatial_ref"}


def mask_attributes(classes: Sequence[str]) -> dict[str, Any]:
    """Attributes of the array `mask`: what its values mean."""
    # There is no `_FillValue`, because xarray would then turn the mask into floats.
    return {
        "long_name": "crack mask",
        "flag_values": [*range(len(classes) + 1), NOT_INSPECTED],
        "flag_meanings": " ".join(["sound", *(name.replace(" ", "_") for name in classes), "not_inspected"]),
    }


def probability_attributes(classes: Sequence[str]) -> dict[str, Any]:
    """Attributes of the array `probability`: its scale and what its layers are."""
    several = len(classes) > 1
    return {
        "long_name": "probability of the most probable class" if several else "probability of crack",
        "comment": f"probability = value / {CERTAIN}; {NOT_INSPECTED} was not inspected",
    }


@dataclass(frozen=True)
class CrsFacts:
    """What PROJ says of a CRS. It is kept, since asking takes longer than all the rest of making a group."""

    wkt: str
    code: str | None
    cf: Mapping[str, Any]
    axes: Mapping[str, Mapping[str, Any]]
    """CF attributes of coordinates, by `X` and `Y`."""


@lru_cache(maxsize=16)
def facts_of(crs_wkt: str) -> CrsFacts:
    """What the attributes say of a CRS. It is cached, since asking PROJ takes milliseconds."""
    crs = CRS.from_wkt(crs_wkt)  # the images of a survey have few different CRSs
    authority = crs.to_authority()
    return CrsFacts(
        wkt=crs.to_wkt(),
        code=":".join(authority) if authority else None,
        cf=crs.to_cf(),
        axes={axis["axis"]: axis for axis in crs.cs_to_cf() if "axis" in axis},
    )


def georeference_attributes(
    transform: Affine, crs: CrsFacts, height_px: int, width_px: int
) -> dict[str, Any]:
    """Attributes of the image's group that say where its pixels lie, for readers without CF."""
    corners = ground.footprint_corners(transform, height_px, width_px)
    return {
        "_CRS": {"wkt": crs.wkt},
        **({"proj:code": crs.code} if crs.code else {}),
        "proj:wkt2": crs.wkt,
        "spatial:dimensions": ["y", "x"],
        "spatial:transform_type": "affine",
        "spatial:transform": list(transform)[:6],
        "spatial:shape": [height_px, width_px],
        "spatial:bbox": [*corners.min(axis=0).tolist(), *corners.max(axis=0).tolist()],
        "spatial:registration": "pixel",
    }


def grid_mapping(transform: Affine, crs: CrsFacts) -> dict[str, Any]:
    """CF attributes of the CRS and GDAL's order of the transform: c, a, b, f, d, e."""
    t = transform
    return {**crs.cf, "GeoTransform": f"{t.c!r} {t.a!r} {t.b!r} {t.f!r} {t.d!r} {t.e!r}"}
