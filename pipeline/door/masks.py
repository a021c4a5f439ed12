"""The mask of one image as an xarray.DataArray that knows its place on earth."""

import difflib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from affine import Affine

from crackpipe.pipeline.errors import OutputDamagedError, UsageError

if TYPE_CHECKING:
    import xarray


def check_inspected(out: Path, image_id: str) -> None:
    """Raise UsageError, which says why and what to do, if the result `out` has no mask of this image; and
    OutputDamagedError if `images.parquet` cannot be read.

    Only names that `images.parquet` lists are ever made into a path.
    """
    table = out / "images.parquet"
    if not table.is_file():
        raise UsageError(
            f"{table} is not there: the run has not come to its end. Run the same command again."
        )
    columns = ["image_id", "status", "reason", "message", "remedy"]
    try:
        rows = {row["image_id"]: row for row in pq.read_table(table, columns=columns).to_pylist()}
    except (pa.ArrowException, OSError, ValueError) as error:
        raise OutputDamagedError(
            f"{table} cannot be read: {error}. `crackpipe verify --repair {out}` and the same command again "
            "make it anew."
        ) from error
    row = rows.get(image_id)
    if row is None:
        near = difflib.get_close_matches(image_id, rows, 3, 0.4)
        hint = f" Did you mean {' or '.join(map(repr, near))}?" if near else ""
        raise UsageError(
            f"{out} has no image {image_id!r}.{hint} `image_id` of images.parquet lists all {len(rows)}."
        )
    if row["status"] != "done":
        raise UsageError(
            f"{image_id} has no mask, it is in quarantine: {row['reason']}: {row['message']}. {row['remedy']}"
        )


def opened(group: Path, name: str) -> "xarray.DataArray":
    """The array `name` of an image's Zarr group, uint8 (y, x), lazy, one Dask chunk per chunk on disk.

    Coordinates, in the image's own CRS, are those of the pixel centres: `x` (x) and `y` (y), or for a rotated
    image, which has no such vectors, `xc` and `yc` (y, x), which are lazy too. `spatial_ref` holds the CRS
    (`crs_wkt`) and the affine transform (`GeoTransform`, GDAL's order), as rioxarray and GDAL read them.
    Raises OutputDamagedError where the group is not there.
    """
    import xarray

    if not (group / "zarr.json").is_file():
        raise OutputDamagedError(
            f"{group} is missing. `crackpipe verify` tells what else is, and what to do."
        )
    # without scaling, or 255 would become NaN and all the rest float
    dataset = xarray.open_zarr(group, mask_and_scale=False, decode_coords="all", consolidated=True)
    array: xarray.DataArray = dataset[name]
    if "x" in array.coords:
        return array
    c, a, b, f, d, e = map(float, str(array.spatial_ref.attrs["GeoTransform"]).split())
    placed: xarray.DataArray = array.assign_coords(_centres(array, Affine(a, b, c, d, e, f)))
    return placed


def _centres(array: "xarray.DataArray", transform: Affine) -> dict[str, Any]:
    """World (x, y) of the pixel centres of a rotated image, as lazy coordinates `xc` and `yc` (y, x)."""
    import dask.array as da

    row_chunks, col_chunks = array.chunksizes["y"], array.chunksizes["x"]
    row = (da.arange(array.sizes["y"], chunks=(row_chunks,), dtype=np.float64) + 0.5)[:, None]
    col = (da.arange(array.sizes["x"], chunks=(col_chunks,), dtype=np.float64) + 0.5)[None, :]
    t = transform
    return {
        "xc": (("y", "x"), t.c + t.a * col + t.b * row),
        "yc": (("y", "x"), t.f + t.d * col + t.e * row),
    }
