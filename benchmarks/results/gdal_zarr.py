"""Does a GDAL newer than the one crackpipe reads images with open the masks, at the right place?

rasterio's wheels for Python 3.12 carry GDAL 3.12, which can be loaded from any Python through ctypes:

    pip download --python-version 3.12 --only-binary=:all: --no-deps -d wheel 'rasterio>=1.5'
    unzip -d wheel/unpacked wheel/rasterio-*.whl
    python benchmarks/results/gdal_zarr.py wheel/unpacked

Writes masks in several CRSs with crackpipe, reads them with that GDAL, and compares data, transform and CRS.
Exit code 0 if all is as expected. A rotated image must be read without a transform, not with a wrong one
(GDAL reads the `spatial:` attributes from 3.13 on).
"""

import ctypes
import os
import sys
import tempfile
from pathlib import Path

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from pyproj import CRS

from crackpipe.pipeline.geometry.grid import Grid, Window
from crackpipe.pipeline.masks.group import create_masks, write_block
from crackpipe.pipeline.masks.values import NOT_INSPECTED

_GDAL_OF_RASTER, _GDT_BYTE = 0x02, 1
_SIZE = (700, 900)
_CASES = {
    "utm": ("EPSG:25832", Affine(0.001, 0, 500000, 0, -0.001, 5500000)),
    "us-feet": ("EPSG:2263", Affine(0.003, 0, 1000000, 0, -0.003, 200000)),
    "degrees": ("EPSG:4326", Affine(1.35e-8, 0, 11.5, 0, -9e-9, 48.1)),
    "web-mercator": ("EPSG:3857", Affine(0.0015, 0, 1280174, 0, -0.0015, 6124000)),
    "northing-first": ("EPSG:31467", Affine(0.001, 0, 3500000, 0, -0.001, 5500000)),
    "mirrored": ("EPSG:25832", Affine(-0.001, 0, 500000, 0, -0.001, 5500000)),
    "rotated": ("EPSG:25832", Affine(0.001, 0, 500000, 0, -0.001, 5500000) @ Affine.rotation(30)),
}


class Gdal:
    """The few functions of GDAL's C interface that are needed."""

    def __init__(self, wheel: Path) -> None:
        (library,) = (wheel / "rasterio.libs").glob("libgdal*")
        os.environ["GDAL_DATA"] = str(wheel / "rasterio/gdal_data")
        os.environ["PROJ_DATA"] = str(wheel / "rasterio/proj_data")
        self.c = ctypes.CDLL(str(library))
        for name in ("GDALOpenEx", "GDALGetRasterBand"):
            getattr(self.c, name).restype = ctypes.c_void_p
        for name in ("GDALVersionInfo", "GDALGetProjectionRef", "CPLGetLastErrorMsg"):
            getattr(self.c, name).restype = ctypes.c_char_p
        self.c.GDALGetRasterNoDataValue.restype = ctypes.c_double
        self.c.GDALAllRegister()

    def open(self, name: str) -> ctypes.c_void_p:
        dataset = self.c.GDALOpenEx(name.encode(), _GDAL_OF_RASTER, None, None, None)
        if not dataset:
            raise OSError(f"{name}: {self.c.CPLGetLastErrorMsg().decode()}")
        return ctypes.c_void_p(dataset)

    def transform(self, dataset: ctypes.c_void_p) -> Affine | None:
        six = (ctypes.c_double * 6)()
        return None if self.c.GDALGetGeoTransform(dataset, six) else Affine.from_gdal(*six)

    def wkt(self, dataset: ctypes.c_void_p) -> str:
        return str((self.c.GDALGetProjectionRef(dataset) or b"").decode())

    def nodata(self, dataset: ctypes.c_void_p) -> float:
        band = ctypes.c_void_p(self.c.GDALGetRasterBand(dataset, 1))
        return float(self.c.GDALGetRasterNoDataValue(band, None))

    def read(self, dataset: ctypes.c_void_p) -> NDArray[np.uint8]:
        width, height = self.c.GDALGetRasterXSize(dataset), self.c.GDALGetRasterYSize(dataset)
        values = np.zeros((height, width), np.uint8)
        band = ctypes.c_void_p(self.c.GDALGetRasterBand(dataset, 1))
        buffer = values.ctypes.data_as(ctypes.c_void_p)
        # band, read, window (x, y, width, height), buffer and its size, type, pixel and line spacing
        area = (0, 0, width, height, buffer, width, height)
        spacing = (ctypes.c_int(_GDT_BYTE), ctypes.c_int(0), ctypes.c_int(0))
        if self.c.GDALRasterIO(band, ctypes.c_int(0), *area, *spacing):
            raise OSError(self.c.CPLGetLastErrorMsg().decode())
        return values


def write_masks(group: Path, crs: str, transform: Affine) -> NDArray[np.uint8]:
    """Masks of several blocks, the last never written; returns what must be read, uint8 (h, w)."""
    height_px, width_px = _SIZE
    cut = Grid(height_px, width_px, block_cores=1)
    create_masks(
        group,
        height_px=height_px,
        width_px=width_px,
        transform=transform,
        crs_wkt=CRS(crs).to_wkt(),
        chunk_shape=cut.chunk_shape,
        classes=("crack",),
    )
    expected = np.full(_SIZE, NOT_INSPECTED, np.uint8)
    values = np.random.default_rng(0).integers(0, 2, _SIZE, dtype=np.uint8)
    for block in cut.blocks()[:-1]:
        part = block.within(Window(0, 0, *_SIZE))
        write_block(group, block, values[part], values[part] * 254)
        expected[part] = values[part]
    return expected


def faults(gdal: Gdal, store: Path, name: str) -> list[str]:
    """What that GDAL reads differently from what was written."""
    crs, transform = _CASES[name]
    expected = write_masks(store / name, crs, transform)
    dataset = gdal.open(f'ZARR:"{store / name}":/mask')
    found, wanted = gdal.transform(dataset), None if name == "rotated" else transform
    result = [] if np.array_equal(gdal.read(dataset), expected) else ["data differ"]
    if gdal.nodata(dataset) != NOT_INSPECTED:
        result.append(f"no-data value is {gdal.nodata(dataset)}")
    if not CRS.from_wkt(gdal.wkt(dataset)).equals(CRS(crs), ignore_axis_order=True):
        result.append(f"CRS is {gdal.wkt(dataset)[:60]}")
    if (found is None) != (wanted is None):
        result.append(f"transform is {found}, not {wanted}")
    if found is not None and wanted is not None:
        far_corner = np.subtract(found @ (_SIZE[1], _SIZE[0]), wanted @ (_SIZE[1], _SIZE[0]))
        off_px = float(np.abs(far_corner / (wanted.a, wanted.e)).max())
        if not off_px < 1e-3:
            result.append(f"the far corner is off by {off_px:.3g} px")
    return result


def notices_damage(gdal: Gdal, group: Path) -> bool:
    """Whether a flipped bit in a chunk makes that GDAL fail instead of returning something else."""
    write_masks(group, *_CASES["utm"])
    chunk = group / "mask/c/0/0"
    content = bytearray(chunk.read_bytes())
    content[len(content) // 2] ^= 1
    chunk.write_bytes(content)
    try:
        gdal.read(gdal.open(f'ZARR:"{group}":/mask'))
    except OSError:
        return True
    return False


def main() -> int:
    gdal = Gdal(Path(sys.argv[1]))
    print(gdal.c.GDALVersionInfo(b"--version").decode())
    count = 0
    with tempfile.TemporaryDirectory() as folder:
        for name in _CASES:
            found = faults(gdal, Path(folder), name)
            count += len(found)
            print(f"{name:15}", "; ".join(found) or "as expected")
        noticed = notices_damage(gdal, Path(folder) / "damaged")
        print(f"{'damaged chunk':15}", "an error, as expected" if noticed else "READ WITHOUT AN ERROR")
    return int(count > 0 or not noticed)


if __name__ == "__main__":
    sys.exit(main())
