"""Pixels on the ground: footprints, GSD and true lengths, on the ellipsoid of the image's CRS."""

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from pyproj import CRS, Geod, Transformer

# Finite differences are taken over about this many pixels. That is long enough for pyproj's noise of 1e-8 m
# not to matter, and short enough for the ground to be flat.
_GROUND_STEP_PX = 500.0


def world_of_pixel(transform: Affine, pixels: NDArray[np.float64]) -> NDArray[np.float64]:
    """Map pixels (N, 2) (row, col), centre of the first pixel at (0, 0), to world (N, 2) (x, y)."""
    col, row = pixels[:, 1] + 0.5, pixels[:, 0] + 0.5
    x = transform.a * col + transform.b * row + transform.c
    y = transform.d * col + transform.e * row + transform.f
    return np.column_stack([x, y])


def footprint_corners(transform: Affine, height_px: int, width_px: int) -> NDArray[np.float64]:
    """The outer corners of an image as world (4, 2) (x, y), from the first pixel along the first row."""
    rows = np.array([0.0, 0.0, height_px, height_px]) - 0.5
    cols = np.array([0.0, width_px, width_px, 0.0]) - 0.5
    return world_of_pixel(transform, np.column_stack([rows, cols]))


def ground_matrix(transform: Affine, crs: CRS, height_px: int, width_px: int) -> NDArray[np.float64]:
    """Metres on the ground per pixel step, at the centre of the image, in any CRS.

    Returns float64 (2, 2): columns are the steps along (row, col), rows the (east, north) components in
    metres on the CRS's own ellipsoid, so that scale factors, feet and degrees are all accounted for.
    Over the few hundred metres of an image the matrix is constant to better than 1e-4.

    Raises ValueError if the CRS has no ellipsoid or the image lies outside the CRS's domain.
    """
    earth = _earth_of(crs.srs)
    centre = np.array([(height_px - 1) / 2, (width_px - 1) / 2])
    step = _GROUND_STEP_PX / 2
    offsets = np.array([[-step, 0.0], [step, 0.0], [0.0, -step], [0.0, step]])
    world = world_of_pixel(transform, centre + offsets)
    lonlat = np.array(earth.to_lonlat.transform(world[:, 0], world[:, 1]))
    lon, lat = np.degrees(lonlat * earth.unit_rad)
    if not (np.isfinite(lonlat).all() and (np.abs(lon) <= 360).all() and (np.abs(lat) <= 90).all()):
        raise ValueError(
            f"the image's centre {tuple(world.mean(axis=0).tolist())} lies outside CRS {crs.name!r}"
        )
    azimuth, _, metres = earth.geod.inv(lon[[0, 2]], lat[[0, 2]], lon[[1, 3]], lat[[1, 3]])
    angle = np.radians(np.asarray(azimuth))
    length = np.asarray(metres) / _GROUND_STEP_PX
    return np.vstack([length * np.sin(angle), length * np.cos(angle)])


def ground_steps_m(world: NDArray[np.float64], crs: CRS) -> NDArray[np.float64]:
    """Metres on the ground from each point of world (N, 2) (x, y) to the next, float64 (N - 1,).

    They are lengths of geodesics on the CRS's own ellipsoid. They are NaN where a point lies outside the
    CRS's domain. Raises ValueError if the CRS has no ellipsoid.
    """
    earth = _earth_of(crs.srs)
    lon, lat = np.degrees(np.array(earth.to_lonlat.transform(world[:, 0], world[:, 1])) * earth.unit_rad)
    outside = ~(np.isfinite(lon) & np.isfinite(lat))
    lon, lat = np.where(outside, 0.0, lon), np.where(outside, 0.0, lat)
    _, _, metres = earth.geod.inv(lon[:-1], lat[:-1], lon[1:], lat[1:])
    return np.where(outside[:-1] | outside[1:], np.nan, np.asarray(metres))


@dataclass(frozen=True)
class _Earth:
    geod: Geod
    to_lonlat: Transformer
    unit_rad: float
    """Unit of longitude and latitude. Old French CRSs use grads, while the geodesic needs degrees."""


# The cache uses the text of a CRS, because a CRS object is hashed by writing it as WKT. To make an `_Earth`
# costs as much as a hundred uses of it, and the images of a survey have few different CRSs.
@lru_cache(maxsize=64)
def _earth_of(srs: str) -> _Earth:
    crs = CRS.from_user_input(srs)
    geod, geodetic = crs.get_geod(), crs.geodetic_crs
    if geod is None or geodetic is None:
        raise ValueError(f"CRS {crs.name!r} has no ellipsoid, so true lengths cannot be computed")
    transformer = Transformer.from_crs(crs, geodetic, always_xy=True)
    return _Earth(geod, transformer, geodetic.axis_info[0].unit_conversion_factor)


def metres_between(world: NDArray[np.float64], crs: CRS) -> NDArray[np.float64]:
    """Metres on the ellipsoid from place to place of world (N, 2) (x, y), float64 (N - 1,).

    Raises ValueError if the CRS has no ellipsoid.
    """
    earth = _earth_of(crs.srs)
    lonlat = np.array(earth.to_lonlat.transform(world[:, 0], world[:, 1]))
    lon, lat = np.degrees(lonlat * earth.unit_rad)
    return np.asarray(earth.geod.inv(lon[:-1], lat[:-1], lon[1:], lat[1:])[2], np.float64)


def gsd_mm_of(ground: NDArray[np.float64]) -> float:
    """Ground sample distance in mm per pixel.

    It is the side of a square with a pixel's area on the ground.
    """
    return float(math.sqrt(abs(np.linalg.det(ground))) * 1000.0)


def length_m(vertices: NDArray[np.float64], ground: NDArray[np.float64]) -> float:
    """True ground length in metres of a polyline (V, 2) (row, col)."""
    steps = np.diff(vertices, axis=0) @ ground.T
    return float(np.hypot(steps[:, 0], steps[:, 1]).sum())


def width_scale_mm(tangent: NDArray[np.float64], ground: NDArray[np.float64]) -> NDArray[np.float64]:
    """Millimetres on the ground per pixel of width measured along the pixel normal of a line.

    `tangent` is float (N, 2) (row, col), of any length. A strip of width w px along the unit tangent t covers
    the ground area w |det G| per pixel of its length, and that pixel is |G t| long on the ground. Hence the
    result is |det G| / |G t|. It holds also if pixels are not square or the transform is sheared. Returns
    float (N,).
    """
    unit = tangent / np.hypot(tangent[:, 0], tangent[:, 1])[:, None]
    along = unit @ ground.T
    return np.asarray(abs(np.linalg.det(ground)) / np.hypot(along[:, 0], along[:, 1]) * 1000.0)
