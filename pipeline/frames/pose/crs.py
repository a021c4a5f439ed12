"""The CRS of the survey, and coordinates whose order cannot be right."""

import re

import numpy as np
from pyproj import CRS, Transformer
from pyproj.aoi import AreaOfInterest
from pyproj.database import query_crs_info, query_utm_crs_info
from pyproj.enums import PJType
from pyproj.exceptions import CRSError

from crackpipe.pipeline.errors import UsageError
from crackpipe.pipeline.geometry.arrays import Floats
from crackpipe.pipeline.geometry.crs import horizontal_crs

# a zone of UTM is often used beyond its edges
_BEYOND_EAST_DEG, _BEYOND_NORTH_DEG = 6.0, 1.0
_SWAP = 'Swap them with --columns "latitude=NAME,longitude=NAME", or correct the file.'


def named_crs(text: str, option: str) -> CRS:
    """The CRS that an option or a file names. Raises UsageError."""
    try:
        return horizontal_crs(text)
    except (ValueError, CRSError) as error:
        raise UsageError(
            f"{option}: {text!r} is no CRS with places on the Earth, such as EPSG:25832"
        ) from error


def check_order(lonlat: Floats, source: str, lines: list[int], unit: str = "line") -> None:
    """Refuse longitudes and latitudes (N, 2), degrees, that cannot be, or that lie on land only when swapped.

    `lines` counts what `unit` says. Raises UsageError with the line.
    """
    known = np.isfinite(lonlat).all(axis=1)
    if not known.any():
        return
    wrong = known & ((np.abs(lonlat[:, 0]) > 360) | (np.abs(lonlat[:, 1]) > 90))
    if wrong.any():
        at = int(np.nonzero(wrong)[0][0])
        lon, lat = lonlat[at].tolist()
        swapped = abs(lon) <= 90 and abs(lat) <= 360
        cause = "latitude and longitude are swapped" if swapped else "is it easting and northing in metres?"
        raise UsageError(
            f"{source}, {unit} {lines[at]}: latitude {lat:g}, longitude {lon:g} is no place: {cause}. "
            + (_SWAP if swapped else "Say so with --columns x=NAME,y=NAME --positions-crs EPSG:CODE.")
        )
    middle = np.median(lonlat[known], axis=0)
    if not _is_land(*middle) and abs(middle[0]) <= 90 and _is_land(middle[1], middle[0]):
        at = int(np.nonzero(known)[0][0])
        raise UsageError(
            f"{source}, {unit} {lines[at]}: latitude {lonlat[at, 1]:g}, longitude {lonlat[at, 0]:g} lies far "
            f"from any land, but latitude {lonlat[at, 0]:g}, longitude {lonlat[at, 1]:g} does not: they are "
            f"swapped. {_SWAP}"
        )


def check_area(crs: CRS, lonlat: Floats, source: str, option: str) -> None:
    """Refuse places (N, 2), degrees, far outside the area for which their CRS is made: it is another one.

    `option` says where the CRS was named. Raises UsageError.
    """
    area = crs.area_of_use
    known = lonlat[np.isfinite(lonlat).all(axis=1)]
    if area is None:
        return
    if len(known):
        lon, lat = np.median(known, axis=0).tolist()
        # areas may go over the date line, and from -180 to 180 is all around, not nowhere
        wide = area.east - area.west if area.east > area.west else area.east - area.west + 360.0
        east = (lon - area.west) % 360.0 <= wide + _BEYOND_EAST_DEG
        west = (area.east - lon) % 360.0 <= wide + _BEYOND_EAST_DEG
        if (east or west) and area.south - _BEYOND_NORTH_DEG <= lat <= area.north + _BEYOND_NORTH_DEG:
            return
        place = f"at longitude {lon:.4f}, latitude {lat:.4f}, far outside"
    else:
        place = "at no place on the Earth, outside"
    raise UsageError(
        f"{source}: as {crs.name} its positions lie {place} the area of that CRS ({area.name}). Are x and y "
        f"swapped, or are they in another CRS? Say so with --columns x=NAME,y=NAME or {option}."
    )


def _is_land(lon: float, lat: float) -> bool:
    """Whether some country has made a CRS for its land there. Their areas are boxes, so a coast is
    generous.
    """
    box = AreaOfInterest(float(lon), float(lat), float(lon), float(lat))
    infos = query_crs_info(
        auth_name="EPSG", pj_types=PJType.PROJECTED_CRS, area_of_interest=box, contains=True
    )
    areas = [(info.area_of_use.name or "").lower() for info in infos if info.area_of_use is not None]
    return any(
        "onshore" in area and "and offshore" not in area and "antarctica" not in area for area in areas
    )


def survey_crs(
    positions_crs: CRS, lonlat: Floats, wanted: str | None, earlier: str | None
) -> tuple[CRS, str]:
    """The CRS of the survey and why: as asked, that of the survey so far, that of the positions, or UTM.

    `lonlat` (N, 2) in degrees. UTM is that of the middle of the track, on the datum of the positions.
    """
    if wanted is not None:
        return named_crs(wanted, "--crs"), "--crs"
    usual, reason = _usual_crs(positions_crs, lonlat)
    if earlier is None or named_crs(earlier, "survey.toml") == usual:
        return usual, reason
    # more frames may have moved the middle of the track into the next zone
    return named_crs(earlier, "survey.toml"), "the survey as it was"


def _usual_crs(positions_crs: CRS, lonlat: Floats) -> tuple[CRS, str]:
    if positions_crs.is_projected:
        return positions_crs, "the CRS of the positions"
    if not np.isfinite(lonlat).any():
        raise UsageError("no line of the file of positions holds a position. Give the file with the track.")
    lon, lat = np.nanmedian(lonlat, axis=0).tolist()
    box = AreaOfInterest(lon, lat, lon, lat)
    for name in (positions_crs.name, "WGS 84"):
        zones = query_utm_crs_info(datum_name=name, area_of_interest=box, contains=True)
        # not those of other axes or realisations, such as `ETRS89 / UTM zone 32N (N-E)`
        plain = [zone for zone in zones if re.fullmatch(rf"{re.escape(name)} / UTM zone \d+[NS]", zone.name)]
        if plain:
            zone = f"{plain[0].auth_name}:{plain[0].code}"
            return named_crs(zone, "--crs"), "UTM zone of the track's middle"
    raise UsageError(
        f"no UTM zone holds longitude {lon:.5f}, latitude {lat:.5f}. Name a CRS for the survey with --crs."
    )


def to_datum(xy: Floats, source: CRS, target: CRS) -> Floats:
    """World (N, 2) of one CRS as degrees (N, 2) (longitude, latitude) on the datum of another; NaN stays
    NaN.
    """
    geodetic = target.geodetic_crs
    if geodetic is None:
        raise UsageError(f"CRS {target.name!r} has no longitude and latitude. Name another with --crs.")
    known = np.isfinite(xy).all(axis=1)
    found = np.full(xy.shape, np.nan)
    if known.any():
        move = Transformer.from_crs(source, geodetic, always_xy=True)
        found[known] = np.column_stack(move.transform(xy[known, 0], xy[known, 1]))
    factor = np.degrees(geodetic.axis_info[0].unit_conversion_factor)
    found = found * factor
    return np.where(np.isfinite(found), found, np.nan)
