"""From poses to transforms: where each picture lies, for all frames at once.

Strategy. The centre of a picture is one step on the ellipsoid away from the position (lever arm). There the
CRS is differentiated: how many of its units is a metre to the east, and one to the north? These two columns
turn steps of a pixel in metres into steps in the CRS, so that scale factors, feet, degrees and the angle
between grid and true north are all accounted for.
"""

import numpy as np
from pyproj import CRS, Geod, Transformer

from crackpipe.pipeline.errors import UsageError
from crackpipe.pipeline.frames.files.camera import Camera, scale_of
from crackpipe.pipeline.geometry.arrays import Floats

_QUARTERS = {"ahead": 0.0, "right": 90.0, "behind": 180.0, "left": 270.0}
# half the way over which a CRS is differentiated: long against pyproj's noise of 1e-8 m, short against its
# bends
_STEP_M = 5.0


def transforms(
    lonlat_deg: Floats, heading_deg: Floats, size_px: Floats, camera: Camera, crs: CRS, *, ahead_m: Floats
) -> tuple[Floats, Floats]:
    """Transforms (N, 6) as (a, b, c, d, e, f) of `affine.Affine`, and centres (N, 2) (longitude, latitude).

    `lonlat_deg` (N, 2) are positions on the datum of `crs`. `heading_deg` (N,) is the vehicle's, clockwise
    from true north. `size_px` (N, 2) is (height, width). `ahead_m` (N,) is from each
    position to the middle of its picture, beyond what the camera says. Raises UsageError where a place lies
    outside `crs`.
    """
    geod = geod_of(crs)
    right_m = camera.right_m + camera.lane_offset_m
    ahead_m = camera.ahead_m + ahead_m
    aside_deg = np.degrees(np.arctan2(right_m, ahead_m))
    centre = moved(geod, lonlat_deg, heading_deg + aside_deg, np.hypot(right_m, ahead_m))
    to_crs = Transformer.from_crs(crs.geodetic_crs, crs, always_xy=True)
    world = np.column_stack(to_crs.transform(*centre.T))
    ways = [
        np.column_stack(to_crs.transform(*moved(geod, centre, azimuth, _STEP_M).T)) for azimuth in _COMPASS
    ]
    east, north = (ways[1] - ways[3]) / (2 * _STEP_M), (ways[0] - ways[2]) / (2 * _STEP_M)
    per_col, per_row = (step[:, :1] * east + step[:, 1:] * north for step in pixel_steps(heading_deg, camera))
    height, width = size_px[:, :1], size_px[:, 1:]
    corner = world - per_col * width / 2 - per_row * height / 2
    found = np.column_stack(
        [per_col[:, 0], per_row[:, 0], corner[:, 0], per_col[:, 1], per_row[:, 1], corner[:, 1]]
    )
    if not np.isfinite(found).all():
        number = int(np.nonzero(~np.isfinite(found).all(axis=1))[0][0])
        raise UsageError(
            f"the place {centre[number].round(5).tolist()} (longitude, latitude) lies outside {crs.name!r}. "
            "Name another with --crs."
        )
    return found, centre


def pixel_steps(heading_deg: Floats, camera: Camera) -> tuple[Floats, Floats]:
    """Steps (N, 2) (east, north) in metres on the ground per column, and per row, of frames (N,)."""
    along_m, across_m = (mm / 1000 for mm in scale_of(camera))
    row_m, col_m = (along_m, across_m) if camera.up in {"ahead", "behind"} else (across_m, along_m)
    up = np.radians(heading_deg + camera.yaw_deg + _QUARTERS[camera.up])
    per_col = col_m * np.column_stack([np.cos(up), -np.sin(up)])
    return per_col, -row_m * np.column_stack([np.sin(up), np.cos(up)])


_COMPASS = (0.0, 90.0, 180.0, 270.0)


def moved(geod: Geod, lonlat_deg: Floats, azimuth_deg: Floats | float, metres: Floats | float) -> Floats:
    """Places (N, 2) (longitude, latitude) so many metres away in a direction clockwise from true north."""
    count = len(lonlat_deg)
    azimuth, way = (np.broadcast_to(np.asarray(each, float), (count,)) for each in (azimuth_deg, metres))
    lon, lat, _ = geod.fwd(lonlat_deg[:, 0], lonlat_deg[:, 1], azimuth, way)
    return np.column_stack([lon, lat])


def geod_of(crs: CRS) -> Geod:
    """The ellipsoid of a CRS. Raises UsageError where it has none."""
    geod = crs.get_geod()
    if geod is None:
        raise UsageError(
            f"CRS {crs.name!r} has no ellipsoid, so nothing can be placed. Name another with --crs."
        )
    return geod


def steps_of(geod: Geod, lonlat_deg: Floats) -> Floats:
    """Steps (N - 1, 2) (east, north) in metres from place to place (N, 2)."""
    lon, lat = lonlat_deg.T
    azimuth, _, metres = geod.inv(lon[:-1], lat[:-1], lon[1:], lat[1:])
    angle = np.radians(np.asarray(azimuth))
    return np.column_stack([metres * np.sin(angle), metres * np.cos(angle)])
