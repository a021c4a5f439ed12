"""A flat plane around the survey, x east, y north, in metres: so the map has a true scale in every CRS."""

from dataclasses import dataclass

import numpy as np
import shapely
from pyproj import CRS, Transformer
from pyproj.crs import ProjectedCRS
from pyproj.crs.coordinate_operation import LambertAzimuthalEqualAreaConversion

from crackpipe.pipeline.geometry.arrays import Floats, Geometries


@dataclass(frozen=True)
class Plane:
    """Lambert's azimuthal equal-area projection around one point, on the ellipsoid of the survey's CRS.

    No datum is shifted. Lengths are right within a thousandth up to 250 km from the centre.
    """

    transformer: Transformer

    def place(self, geometries: Geometries) -> Geometries:
        """Geometries (N,) of the survey's CRS, in metres from the centre. None stays None."""
        return np.asarray(shapely.transform(geometries, self._moved), object)

    def _moved(self, xy: Floats) -> Floats:
        return np.column_stack(self.transformer.transform(xy[:, 0], xy[:, 1]))


def plane_around(geometries: Geometries, crs: CRS) -> Plane:
    """The plane around the middle of geometries (N,) in `crs`, of which at least one is there."""
    bounds = shapely.total_bounds(geometries)
    geodetic = crs.geodetic_crs
    assert geodetic is not None  # room 0 accepts no CRS without an ellipsoid
    middle = (bounds[0] + bounds[2]) / 2, (bounds[1] + bounds[3]) / 2
    to_angles = Transformer.from_crs(crs, geodetic, always_xy=True)
    longitude, latitude = to_angles.transform(*middle)
    degrees = float(np.degrees(geodetic.axis_info[0].unit_conversion_factor))
    conversion = LambertAzimuthalEqualAreaConversion(
        latitude_natural_origin=round(latitude * degrees, 6),
        longitude_natural_origin=round(longitude * degrees, 6),
    )
    target = ProjectedCRS(conversion=conversion, geodetic_crs=geodetic, name="around the survey")
    return Plane(Transformer.from_crs(crs, target, always_xy=True))
