"""The CRS of the tables: which one it is, and which images PROJ can only move there roughly.

Between some datums PROJ knows no exact way, or lacks the grid for it. Then it takes both datums for the same
and calls that a ballpark transformation. Images land up to some hundred metres beside their place.
"""

from collections import Counter
from collections.abc import Sequence

import numpy as np
from pyproj import CRS

from crackpipe.pipeline.errors import ConfigurationError
from crackpipe.pipeline.geometry.crs import degrees_of, horizontal_crs, transformer_between

Place = tuple[str, tuple[float, float]]
"""A CRS as WKT, and a point (x, y) in it."""

_BALLPARK = "ballpark"
"""PROJ has this word in the description of such a transformation."""
_LEAST_SHARE = 0.1
"""A CRS that fewer of the images have is not chosen: one stray image does not decide about the tables."""
_UTM_DEG = 6.0


def survey_crs(places: Sequence[Place], wanted: str | None = None) -> CRS | None:
    """The CRS of the tables of a survey with an image at each of `places`.

    It is `wanted`; or else the commonest one, the first by WKT of equally common ones. But a less common one
    goes before it if PROJ moves some images only roughly to the commonest one and none to the other. Returns
    None if there is no place. Raises ConfigurationError if `wanted` is no CRS.
    """
    if wanted is not None:
        try:
            return horizontal_crs(wanted)
        except ValueError as error:
            raise ConfigurationError(
                f"--crs {wanted!r} is no CRS: {error}. Give for example EPSG:25832."
            ) from error
    counts = Counter(crs_wkt for crs_wkt, _ in places)
    ranked = sorted(counts, key=lambda wkt: (-counts[wkt], wkt))
    common = [wkt for wkt in ranked if counts[wkt] >= _LEAST_SHARE * len(places)]
    exact = next((wkt for wkt in common if _is_exact(places, wkt)), None)
    return CRS.from_wkt(exact or ranked[0]) if ranked else None


def moves_roughly(place: Place, crs_wkt: str) -> bool:
    """Whether PROJ has only a ballpark transformation for moving this place to another CRS."""
    transformer = transformer_between(place[0], crs_wkt)
    if transformer is None:
        return False
    transformer.transform(*place[1])  # of several ways PROJ takes one by the place
    return _BALLPARK in transformer.get_last_used_operation().description.lower()


def exact_crs(places: Sequence[Place]) -> str | None:
    """A CRS to which no place moves roughly, such as `EPSG:32632`; None if none is known.

    It is UTM on WGS 84 at the first place, or degrees on WGS 84.
    """
    crs_wkt, point = places[0]
    lon, lat = degrees_of(crs_wkt, np.array([point]))[0]
    zone = int((lon + 180) // _UTM_DEG) % 60 + 1
    names = (f"EPSG:{32700 + zone if lat < 0 else 32600 + zone}", "EPSG:4326")
    return next((name for name in names if _is_exact(places, CRS.from_user_input(name).to_wkt())), None)


def _is_exact(places: Sequence[Place], crs_wkt: str) -> bool:
    return not any(moves_roughly(place, crs_wkt) for place in places)
