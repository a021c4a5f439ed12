"""A VRT over the masks' GeoTIFFs: one raster to open, with the paths of its parts relative to itself.

Format: https://gdal.org/en/stable/drivers/raster/vrt.html. crackpipe itself never opens a VRT (SECURITY.md);
it only writes one, for GIS.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from xml.etree import ElementTree as ET

from affine import Affine

from crackpipe.pipeline.export.rasters.cog import TILE_PX, colours_of
from crackpipe.pipeline.masks.values import NOT_INSPECTED


@dataclass(frozen=True)
class Part:
    """One GeoTIFF of the mosaic. It lies north up."""

    path: str
    """Relative to the folder of the VRT, with `/`."""
    height_px: int
    width_px: int
    transform: Affine

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """West, south, east, north."""
        t = self.transform
        return t.c, t.f + t.e * self.height_px, t.c + t.a * self.width_px, t.f


def as_vrt(parts: Sequence[Part], crs_wkt: str, classes: tuple[str, ...]) -> str:
    """The text of a VRT over `parts`, at least one, all in one CRS.

    Its pixels are as small as the smallest of the parts. Where parts overlap, the later one is seen, except
    where it was not inspected.
    """
    west, north = min(part.bounds[0] for part in parts), max(part.bounds[3] for part in parts)
    east, south = max(part.bounds[2] for part in parts), min(part.bounds[1] for part in parts)
    step_x = min(part.transform.a for part in parts)
    step_y = min(-part.transform.e for part in parts)
    root = ET.Element(
        "VRTDataset",
        rasterXSize=str(math.ceil(round((east - west) / step_x, 3))),
        rasterYSize=str(math.ceil(round((north - south) / step_y, 3))),
    )
    ET.SubElement(root, "SRS", dataAxisToSRSAxisMapping="1,2").text = crs_wkt
    ET.SubElement(root, "GeoTransform").text = f"{west!r}, {step_x!r}, 0.0, {north!r}, 0.0, {-step_y!r}"
    band = ET.SubElement(root, "VRTRasterBand", dataType="Byte", band="1")
    ET.SubElement(band, "NoDataValue").text = str(NOT_INSPECTED)
    ET.SubElement(band, "ColorInterp").text = "Palette"
    _add_colours(band, classes)
    for part in parts:
        _add_part(band, part, (west, north), (step_x, step_y))
    ET.indent(root)
    return ET.tostring(root, encoding="unicode") + "\n"


def _add_colours(band: ET.Element, classes: tuple[str, ...]) -> None:
    table = ET.SubElement(band, "ColorTable")
    colours = colours_of(classes)
    for value in range(256):
        red, green, blue = colours.get(value, (0, 0, 0))
        alpha = "0" if value == NOT_INSPECTED else "255"
        ET.SubElement(table, "Entry", c1=str(red), c2=str(green), c3=str(blue), c4=alpha)


def _add_part(band: ET.Element, part: Part, corner: tuple[float, float], step: tuple[float, float]) -> None:
    # a complex source, because a simple one would hide its neighbours where it has no data
    source = ET.SubElement(band, "ComplexSource")
    ET.SubElement(source, "SourceFilename", relativeToVRT="1").text = part.path
    ET.SubElement(source, "SourceBand").text = "1"
    ET.SubElement(
        source,
        "SourceProperties",
        RasterXSize=str(part.width_px),
        RasterYSize=str(part.height_px),
        DataType="Byte",
        BlockXSize=str(TILE_PX),
        BlockYSize=str(TILE_PX),
    )
    ET.SubElement(source, "SrcRect", xOff="0", yOff="0", xSize=str(part.width_px), ySize=str(part.height_px))
    west, south, east, north = part.bounds
    ET.SubElement(
        source,
        "DstRect",
        xOff=repr((west - corner[0]) / step[0]),
        yOff=repr((corner[1] - north) / step[1]),
        xSize=repr((east - west) / step[0]),
        ySize=repr((north - south) / step[1]),
    )
    ET.SubElement(source, "NODATA").text = str(NOT_INSPECTED)
