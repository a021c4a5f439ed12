"""How the bands of a file become red, green and blue: decided from the header alone, never from the pixels.

16-bit values become grey values by what the file declares: its scale and offset, its number of bits, its
MaxSampleValue. Where it declares nothing, the configuration may (`white_level`), or else white is 65535. They
are never stretched by the values found: then the same road would look different from image to image.
"""

from contextlib import suppress
from dataclasses import replace

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.enums import ColorInterp
from rasterio.errors import RasterioError

from crackpipe.pipeline.errors import ImageRejectedError
from crackpipe.pipeline.geometry.grid import Window
from crackpipe.pipeline.image import BandLayout
from crackpipe.pipeline.raster.windows import raster_window

_RGB = (ColorInterp.red, ColorInterp.green, ColorInterp.blue)
# If a declared scale maps the largest 16-bit value to at most this, it gives reflectance (white is 1, and
# brighter values leave room above it). Else it gives grey values (white is 255).
_REFLECTANCE_TOP = 16.0
_SIXTEEN_BITS = 65535
_CENTRE_ROWS = 64
_LOSSY = ("JPEG", "WEBP", "LERC", "JXL")


def layout_of(
    dataset: rasterio.DatasetReader, white_level: int | None = None
) -> tuple[BandLayout, list[str]]:
    """Choose bands and scaling of an open raster; also returns sentences of warning.

    `white_level` is the stored value of white in 16-bit images that declare none.

    Raises ImageRejectedError `bands-unsupported` or `dtype-unsupported`.
    """
    kinds = sorted(set(dataset.dtypes))
    bits = dataset.tags(1, ns="IMAGE_STRUCTURE").get("NBITS")
    if kinds not in (["uint8"], ["uint16"]) or bits == "1":
        raise ImageRejectedError(
            "dtype-unsupported",
            f"its values are {' and '.join(kinds)}{' of 1 bit' if bits == '1' else ''}; only uint8 and "
            "uint16 photographs are read",
            "Convert it: gdal_translate -ot Byte -scale MIN MAX 0 255 IN OUT.tif",
        )
    meanings = tuple(dataset.colorinterp)
    colour = _colour_bands(meanings)
    alpha = _band(meanings, ColorInterp.alpha)
    if ColorInterp.palette in meanings:
        return BandLayout(colour, alpha, palette=True), []
    warnings: list[str] = []
    if kinds == ["uint8"]:
        top = 255 if bits is None else 2 ** int(bits) - 1
        layout = BandLayout(colour, alpha, gain=(255 / top,) * 3)
    else:
        declared = _declared_top(dataset, white_level)
        top = declared or _SIXTEEN_BITS
        layout, warnings = _sixteen_bit(dataset, colour, alpha, declared)
    return (_inverted(layout, top) if _white_is_zero(dataset) else layout), warnings


def _white_is_zero(dataset: rasterio.DatasetReader) -> bool:
    """Whether a TIFF stores white as 0: GDAL says so and gives the values as they are stored."""
    return bool(dataset.tags(ns="IMAGE_STRUCTURE").get("MINISWHITE") == "YES")


def _inverted(layout: BandLayout, top: int) -> BandLayout:
    """Grey values of `top - stored value` instead of the stored value."""
    gain, offset = layout.gain, layout.offset
    red, green, blue = (each + factor * top for each, factor in zip(offset, gain, strict=True))
    return replace(layout, gain=(-gain[0], -gain[1], -gain[2]), offset=(red, green, blue))


def _band(meanings: tuple[ColorInterp, ...], wanted: ColorInterp) -> int | None:
    return meanings.index(wanted) + 1 if wanted in meanings else None


def _colour_bands(meanings: tuple[ColorInterp, ...]) -> tuple[int, int, int]:
    """Bands by their declared meaning; else, besides alpha, one band is grey and three are RGB."""
    red, green, blue = (_band(meanings, wanted) for wanted in _RGB)
    if red is not None and green is not None and blue is not None:
        return red, green, blue
    plain = [index for index, kind in enumerate(meanings, start=1) if kind != ColorInterp.alpha]
    if len(plain) == 1:
        return plain[0], plain[0], plain[0]
    if len(plain) == 3 and ColorInterp.cyan not in meanings:
        return plain[0], plain[1], plain[2]
    names = ", ".join(kind.name for kind in meanings)
    raise ImageRejectedError(
        "bands-unsupported",
        f"which of its {len(meanings)} bands ({names}) show the road is not clear",
        "Choose bands: gdal_translate -b R -b G -b B IN OUT.tif",
    )


def _sixteen_bit(
    dataset: rasterio.DatasetReader, colour: tuple[int, int, int], alpha: int | None, top: int | None
) -> tuple[BandLayout, list[str]]:
    """`top` is the stored value of white as far as it is declared."""
    scales, offsets = _scaling(dataset, colour)
    if _is_plain(scales, offsets):
        warnings = [] if top else ["16 bits without a declared scale: 65535 is taken as white"]
        return BandLayout(colour, alpha, gain=(255.0 / (top or _SIXTEEN_BITS),) * 3), warnings
    white = max(abs(scale) * (top or _SIXTEEN_BITS) for scale in scales)
    factor = 255.0 if white <= _REFLECTANCE_TOP else 1.0
    gain = (scales[0] * factor, scales[1] * factor, scales[2] * factor)
    offset = (offsets[0] * factor, offsets[1] * factor, offsets[2] * factor)
    return BandLayout(colour, alpha, gain, offset), []


def _scaling(
    dataset: rasterio.DatasetReader, colour: tuple[int, int, int]
) -> tuple[list[float], list[float]]:
    return [dataset.scales[band - 1] for band in colour], [dataset.offsets[band - 1] for band in colour]


def _is_plain(scales: list[float], offsets: list[float]) -> bool:
    return all(scale == 1.0 for scale in scales) and all(offset == 0.0 for offset in offsets)


def _declared_top(dataset: rasterio.DatasetReader, white_level: int | None) -> int | None:
    """The stored value of white in 16 bits: by the number of bits, by MaxSampleValue, by configuration."""
    bits = dataset.tags(1, ns="IMAGE_STRUCTURE").get("NBITS")
    if bits is not None:
        return int(2 ** int(bits) - 1)
    with suppress(UnicodeDecodeError, ValueError):
        # one item at a time: a neighbour in another encoding would make rasterio fail on all of them
        largest = int(dataset.get_tag_item("TIFFTAG_MAXSAMPLEVALUE") or 0)
        if 255 < largest < _SIXTEEN_BITS:
            return largest
    return white_level


def largest_value_of(
    dataset: rasterio.DatasetReader, layout: BandLayout, white_level: int | None = None
) -> int | None:
    """Largest stored value in the centre rows of an open 16-bit raster, where nothing says what is white.

    It tells how many of the bits are used, also where white is stored as 0. None where something says what is
    white, or where these rows cannot be decoded, which reading the image will tell.
    """
    undeclared = dataset.dtypes[0] == "uint16" and _declared_top(dataset, white_level) is None
    if not (undeclared and not layout.palette and _is_plain(*_scaling(dataset, layout.colour))):
        return None
    first = max(0, dataset.height // 2 - _CENTRE_ROWS // 2)
    rows = Window(first, 0, _CENTRE_ROWS, dataset.width).clipped(dataset.height, dataset.width)
    with suppress(RasterioError):
        values: NDArray[np.uint16] = dataset.read(sorted(set(layout.colour)), window=raster_window(rows))
        shown = values if dataset.nodata is None else values[values != dataset.nodata]
        return int(shown.max(initial=0))
    return None


def is_lossy(dataset: rasterio.DatasetReader) -> bool:
    """Whether compression may have changed the pixels of an open raster."""
    compression = dataset.tags(ns="IMAGE_STRUCTURE").get("COMPRESSION", "").upper()
    return dataset.driver == "JPEG" or any(name in compression for name in _LOSSY)


def lookup_tables(dataset: rasterio.DatasetReader, layout: BandLayout) -> list[NDArray[np.uint8]] | None:
    """Grey value of every stored value for red, green and blue, uint8 (256,) or (65536,) each.

    None where stored values are grey values already.
    """
    size = np.iinfo(dataset.dtypes[0]).max + 1
    if layout.palette:
        table = np.zeros((size, 3), np.uint8)
        for index, colour in dataset.colormap(layout.colour[0]).items():
            table[index] = colour[:3]
        return [np.ascontiguousarray(table[:, channel]) for channel in range(3)]
    if size == 256 and layout.gain == (1.0, 1.0, 1.0) and layout.offset == (0.0, 0.0, 0.0):
        return None
    return [
        np.clip(np.rint(gain * np.arange(size) + offset), 0, 255).astype(np.uint8)
        for gain, offset in zip(layout.gain, layout.offset, strict=True)
    ]


def opaque_colours(dataset: rasterio.DatasetReader, layout: BandLayout) -> NDArray[np.bool_] | None:
    """Whether a palette has a colour for a stored value that is not transparent, bool (256,) or (65536,).

    None where there is no palette.
    """
    if not layout.palette:
        return None
    opaque = np.zeros(np.iinfo(dataset.dtypes[0]).max + 1, bool)
    for index, colour in dataset.colormap(layout.colour[0]).items():
        opaque[index] = colour[3] != 0
    return opaque
