"""Whether the places of all images make sense together: coordinates that do not belong to their CRS.

Strategy. Only headers are asked, and each question is asked for all images of one CRS at once. An image that
lies far outside the area for which its CRS was made is not where it says. Neither is one that lies far from
all others, if the others hang together. To see whether they do, places are put into cells of a few
kilometres, and cells within reach of each other are joined. So many images of one town cost as much as one.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import groupby

import numpy as np
from numpy.typing import NDArray
from pyproj import CRS

from crackpipe.pipeline.geometry.crs import Area, area_of, degrees_of, short_name
from crackpipe.pipeline.image import Rejected, SurveyImage

_MOST_OUTSIDE_DEG = 10.0
_EARTH_KM = 6371.0
_REACH_KM, _CELL_KM = 100.0, 5.0
_HANG_TOGETHER = 0.9
_FOOT_M = 0.3048
# Images of one camera differ less than this in GSD, and no usual pair of cameras has this ratio.
_RATIO_WITHIN = 0.01
_REMEDY = (
    "Check its CRS, the unit, and the order of easting and northing, then georeference it again; "
    "--allow-place takes it as it is."
)


def set_aside(images: Sequence[SurveyImage]) -> tuple[list[SurveyImage], list[Rejected]]:
    """Split images, sorted by image_id, into those to inspect and those that cannot lie where they say.

    Images to inspect get warnings where their place or GSD is odd among the others.
    """
    places = _lonlat(images)
    faults = _outside_their_area(images, places)
    kept = [number for number in range(len(images)) if number not in faults]
    doubts: dict[int, list[str]] = {}
    if len(kept) > 1:
        lonely, rest_hangs_together = _lonely(places[kept])
        for place, away_km in lonely.items():
            number = kept[place]
            said = (
                f"its place, {_in_words(places[number])}, is {away_km:,.0f} km from the nearest other image"
            )
            if rest_hangs_together:
                faults[number] = said
            else:
                doubts[number] = [said]
    rejected = [
        Rejected.of(images[number], "place-implausible", fault, _REMEDY)
        for number, fault in sorted(faults.items())
    ]
    kept = [number for number in kept if number not in faults]
    for number, said in _odd_gsds(kept, images):
        doubts.setdefault(number, []).append(said)
    return [_with(images[number], doubts.get(number, [])) for number in kept], rejected


def _with(image: SurveyImage, doubts: Sequence[str]) -> SurveyImage:
    return replace(image, survey_warnings=(*image.survey_warnings, *doubts)) if doubts else image


def _lonlat(images: Sequence[SurveyImage]) -> NDArray[np.float64]:
    """Centres of images, (N, 2) degrees (longitude, latitude); infinite where PROJ finds none."""
    places = np.empty((len(images), 2))
    for crs_wkt, numbers in _by_crs(images):
        world = np.array([images[each].centre for each in numbers])
        places[numbers] = degrees_of(crs_wkt, world)
    return places


def _by_crs(images: Sequence[SurveyImage]) -> Iterator[tuple[str, list[int]]]:
    """CRS and the numbers of its images."""
    order = sorted(range(len(images)), key=lambda number: images[number].crs_wkt)
    for crs_wkt, numbers in groupby(order, key=lambda number: images[number].crs_wkt):
        yield crs_wkt, list(numbers)


def _outside_their_area(images: Sequence[SurveyImage], places: NDArray[np.float64]) -> dict[int, str]:
    """Numbers of images far outside the area of use of their CRS, with what is wrong."""
    faults = {}
    for crs_wkt, numbers in _by_crs(images):
        area = area_of(crs_wkt)
        if area is None:
            continue
        outside = degrees_outside(area, places[numbers])
        for number, degrees in zip(numbers, outside.tolist(), strict=True):
            if degrees > _MOST_OUTSIDE_DEG:
                faults[number] = (
                    f"its place, {_in_words(places[number])}, is {degrees:.0f} degrees outside the area of "
                    f"{short_name(CRS.from_wkt(crs_wkt))}, {_in_words(area[:2])} to {_in_words(area[2:])}"
                )
    return faults


def degrees_outside(area: Area, places: NDArray[np.float64]) -> NDArray[np.float64]:
    """How far places (N, 2) (longitude, latitude) lie outside an area: (N,), degrees as long as of latitude.

    0 inside, infinite where a place is not finite. A degree of longitude becomes shorter towards the poles:
    in the north of Norway, 13 degrees of it beside a zone are 4.5.
    """
    lon, lat = places.T
    width = (area.east - area.west) % 360 or 360.0
    with np.errstate(invalid="ignore"):
        beyond_west = (lon - area.west) % 360
        beside = np.where(beyond_west <= width, 0.0, np.minimum(beyond_west - width, 360 - beyond_west))
        aside = np.maximum(np.maximum(area.south - lat, lat - area.north), 0.0)
        outside = np.maximum(beside * np.cos(np.radians(lat)), aside)
    return np.where(np.isfinite(places).all(axis=1), outside, np.inf)


def _lonely(places: NDArray[np.float64]) -> tuple[dict[int, float], bool]:
    """Places without another within reach, with km to the nearest; whether nine tenths hang together."""
    places = np.where(np.isfinite(places), places, 0.0)  # only a CRS without area lets one through
    points = _EARTH_KM * _on_unit_sphere(places)
    if (np.linalg.norm(points - points[0], axis=1) < _REACH_KM).all():
        return {}, True  # a survey of one town
    from scipy.spatial import KDTree  # imported late: most surveys do not need it

    nearest_km = KDTree(points).query(points, k=2)[0][:, 1]
    lonely = {int(number): float(nearest_km[number]) for number in np.nonzero(nearest_km > _REACH_KM)[0]}
    return lonely, bool(lonely) and _largest_share(points) >= _HANG_TOGETHER


def _largest_share(points: NDArray[np.float64]) -> float:
    """The share of points (N, 3) km in the largest group, where each is within reach of another."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components
    from scipy.spatial import KDTree

    cells, cell_of = np.unique(np.round(points / _CELL_KM), axis=0, return_inverse=True)
    pairs = KDTree(cells).query_pairs(_REACH_KM / _CELL_KM, output_type="ndarray")
    links = coo_array((np.ones(len(pairs), bool), (pairs[:, 0], pairs[:, 1])), (len(cells), len(cells)))
    groups = connected_components(links, directed=False)[1]
    return float(np.bincount(groups[cell_of.ravel()]).max() / len(points))


def _on_unit_sphere(places: NDArray[np.float64]) -> NDArray[np.float64]:
    lon, lat = np.radians(places).T
    return np.column_stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)])


def _odd_gsds(numbers: Sequence[int], images: Sequence[SurveyImage]) -> Iterator[tuple[int, str]]:
    """Images whose GSD differs from the usual one as feet differ from metres, with a sentence."""
    if not numbers:
        return
    gsds = np.array([images[number].gsd_mm for number in numbers])
    usual = float(np.sort(gsds)[(len(gsds) - 1) // 2])
    for ratio, mistake in (
        (_FOOT_M, "metres were taken for feet"),
        (1 / _FOOT_M, "feet were taken for metres"),
    ):
        for place in np.nonzero(np.abs(gsds / usual / ratio - 1) < _RATIO_WITHIN)[0].tolist():
            yield (
                numbers[place],
                f"its GSD of {gsds[place]:.3g} mm is {ratio:.4g} times the usual {usual:.3g} mm of the "
                f"survey: perhaps {mistake}",
            )


def _in_words(place: Sequence[float] | NDArray[np.float64]) -> str:
    """Longitude and latitude for a person."""
    lon, lat = float(place[0]), float(place[1])
    return f"{abs(lat):.2f}° {'S' if lat < 0 else 'N'} {abs(lon):.2f}° {'W' if lon < 0 else 'E'}"
