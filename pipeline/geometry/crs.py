"""Coordinate reference systems: which one an image has, and the way from one to another."""

import math
import re
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import shapely
from pyproj import CRS, Transformer
from pyproj.crs import is_wkt
from pyproj.exceptions import ProjError

from crackpipe.pipeline.geometry.arrays import Floats, Geometries

# `@null` is no file. With it PROJ says that there is no shift, as in the usual WKT of Web Mercator.
_REFERENCE = re.compile(r"init=|grids=(?!@null\b)|geoidgrids|PROJ4_GRIDS|PARAMETERFILE", re.IGNORECASE)
_WGS84 = CRS.from_epsg(4326)


def moved_to(crs: CRS, geometries: Geometries, source: CRS) -> Geometries:
    """World geometries (N,) moved from CRS `source` to `crs`.

    Coordinates outside its domain become infinite.
    """
    if crs == source:
        return geometries
    transformer = Transformer.from_crs(source, crs, always_xy=True)
    return np.asarray(
        shapely.transform(geometries, lambda xy: np.column_stack(transformer.transform(xy[:, 0], xy[:, 1])))
    )


@lru_cache(maxsize=256)
def foreign_crs(wkt: str) -> CRS:
    """`horizontal_crs` of WKT that came with an image. Such WKT is not allowed to make PROJ open files.

    WKT may hold a PROJ string, and PROJ reads definitions (`+init`) and grids of datum shifts from any path
    that such a string names. Raises ValueError if the WKT names a file, or as `horizontal_crs` does.
    """
    if not is_wkt(wkt):
        raise ValueError("it is not WKT")
    if _REFERENCE.search(wkt):
        raise ValueError("it refers to a file with another definition or a grid")
    return horizontal_crs(wkt)


@lru_cache(maxsize=256)
def horizontal_crs(text: str) -> CRS:
    """The two-dimensional CRS that WKT, `EPSG:25832` or PROJJSON names.

    If the EPSG registry has the same CRS, it is taken from there. So images of one CRS have one text for it,
    whatever program wrote them. The result is cached, because a survey of 10,000 images names few CRSs.
    Raises ValueError if the text names no CRS, or one that is neither projected nor geographic. Raises
    ValueError also if PROJ cannot relate the CRS to WGS 84, because it does not know the projection or it is
    on the Moon.
    """
    try:
        crs = _horizontal(text)
        Transformer.from_crs(crs, _WGS84, always_xy=True)
    except ProjError as error:
        raise ValueError(str(error)) from error
    return crs


def _horizontal(text: str) -> CRS:
    crs = CRS.from_user_input(text)
    if crs.is_compound:
        crs = crs.sub_crs_list[0]
    if not (crs.is_projected or crs.is_geographic):
        raise ValueError(f"CRS {crs.name!r} is neither projected nor geographic")
    crs = crs.to_2d() if len(crs.axis_info) > 2 else crs
    authority = crs.to_authority(min_confidence=100)
    return _from_registry(*authority) if authority else crs


def _from_registry(authority: str, code: str) -> CRS:
    """A registry's CRS with the text that it has in a fresh PROJ context. Each new thread has a fresh one.

    A context that has identified a CRS before may give a datum instead of its ensemble. Then the same EPSG
    code would have two texts in one survey, depending on what was opened before.
    """
    with ThreadPoolExecutor(1) as fresh:
        wkt = fresh.submit(lambda: CRS.from_authority(authority, code).to_wkt()).result()
    return CRS.from_wkt(wkt)


@lru_cache(maxsize=64)
def transformer_between(source_wkt: str, target_wkt: str) -> Transformer | None:
    """The transformer from one CRS to another; None if both are the same. World (x, y) is always east, north.

    It is cached, since making one takes milliseconds and a survey has thousands of images in a few CRSs.
    """
    source, target = CRS.from_wkt(source_wkt), CRS.from_wkt(target_wkt)
    return None if source == target else Transformer.from_crs(source, target, always_xy=True)


class Area(NamedTuple):
    """The area for which a CRS was made, in degrees; it may reach over the antimeridian (`west` > `east`)."""

    west: float
    south: float
    east: float
    north: float


@lru_cache(maxsize=64)
def area_of(crs_wkt: str) -> Area | None:
    """The area of use that a CRS names; None where it names none."""
    area = CRS.from_wkt(crs_wkt).area_of_use
    return None if area is None else Area(area.west, area.south, area.east, area.north)


def degrees_of(crs_wkt: str, world: Floats) -> Floats:
    """World (N, 2) (x, y) of a CRS as degrees (N, 2) (longitude from Greenwich, latitude) of its own datum.

    Good to some hundred metres, since no datum is shifted, and therefore fast. Infinite outside the domain.
    """
    to_lonlat, degrees_per_unit, meridian_deg = _to_degrees(crs_wkt)
    lonlat = np.column_stack(to_lonlat.transform(world[:, 0], world[:, 1])) * degrees_per_unit
    return np.asarray(lonlat + np.array([meridian_deg, 0.0]))


@lru_cache(maxsize=64)
def _to_degrees(crs_wkt: str) -> tuple[Transformer, float, float]:
    crs = CRS.from_wkt(crs_wkt)
    geodetic = crs.geodetic_crs
    if geodetic is None:
        raise ValueError(f"CRS {crs.name!r} has no ellipsoid, so it has no longitude and latitude")
    degrees_per_unit = math.degrees(geodetic.axis_info[0].unit_conversion_factor)
    meridian = geodetic.prime_meridian
    meridian_deg = 0.0
    if meridian is not None:
        meridian_deg = meridian.longitude * math.degrees(float(meridian.unit_conversion_factor))
    return Transformer.from_crs(crs, geodetic, always_xy=True), degrees_per_unit, meridian_deg


def footprint_in(footprint: Floats | None, crs_wkt: str | None, survey_wkt: str | None) -> Floats | None:
    """Corners (4, 2) (x, y) of an image in the survey's CRS; None if they are unknown or outside of it.

    CRSs are given as WKT, because writing a CRS object as WKT takes longer than all the rest.
    """
    if footprint is None or crs_wkt is None or survey_wkt is None:
        return None
    transformer = transformer_between(crs_wkt, survey_wkt)
    if transformer is not None:
        footprint = np.column_stack(transformer.transform(footprint[:, 0], footprint[:, 1]))
    return footprint if np.isfinite(footprint).all() else None


def short_name(crs: CRS) -> str:
    """`EPSG:25832` where the CRS has a code, else its name; for sentences."""
    authority = crs.to_authority()
    return ":".join(authority) if authority else str(crs.name)


def crs_name(crs: CRS) -> str:
    """`EPSG:25832` where the CRS has a code, else its WKT2."""
    authority = crs.to_authority()
    return ":".join(authority) if authority else crs.to_wkt()
