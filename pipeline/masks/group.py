"""Room 3: masks and probabilities in Zarr, one block per chunk, georeferenced three ways at once.

Each image has one group. It holds `mask` and `probability` (uint8, 255 not inspected), the coordinates `y`
and `x` of pixel centres, and `spatial_ref`. The place on earth is written in three ways, because each reader
knows another one:

    CF grid mapping with an explicit `GeoTransform`     xarray, rioxarray
    `_CRS`                                              GDAL 3.12, which takes the transform from `y` and `x`
    the conventions `spatial:` and `proj:`              GDAL 3.13 (https://github.com/zarr-conventions)

A rotated image has no `y` and `x`, since its coordinates are no vectors. Any substitute would make a reader
place the image wrongly. Without them GDAL 3.12 says that the image has no transform.

Each chunk has one writer and carries a checksum. Chunks of zeros are written too. So a lost chunk reads as
not inspected and a damaged chunk gives an error; neither reads as a sound road. The checksum is the one
inside the zstd frame (32 bits of XXH64 over the content), which every zstd decoder verifies. The crc32c codec
would protect as well, but GDAL 3.12 refuses arrays that have it.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from affine import Affine
from numpy.typing import NDArray

from crackpipe.pipeline.geometry.grid import Window
from crackpipe.pipeline.masks import arrays
from crackpipe.pipeline.masks.attributes import (
    CF_LINKS,
    CONVENTIONS,
    CrsFacts,
    facts_of,
    georeference_attributes,
    grid_mapping,
    mask_attributes,
    probability_attributes,
)
from crackpipe.pipeline.masks.values import NOT_INSPECTED
from crackpipe.pipeline.storage.durable import replace_file

ARRAYS = ("mask", "probability")


def create_masks(
    path: Path,
    *,
    height_px: int,
    width_px: int,
    transform: Affine,
    crs_wkt: str,
    chunk_shape: tuple[int, int],
    classes: Sequence[str],
) -> None:
    """Make the group of one image at `path`, with all pixels marked as not inspected.

    `path` must not exist. `chunk_shape` is (rows, cols) of a block. `classes` names the values 1, 2, ... of
    `mask`. The bytes depend on the arguments only. Raises OSError.
    """
    crs = facts_of(crs_wkt)
    georeference = georeference_attributes(transform, crs, height_px, width_px)
    path.mkdir(parents=True)
    meanings = {"mask": mask_attributes(classes), "probability": probability_attributes(classes)}
    members: dict[str, Any] = {}
    for name in ARRAYS:
        members[name] = arrays.create_array(
            path / name,
            shape=(height_px, width_px),
            chunk_shape=chunk_shape,
            dtype="uint8",
            fill_value=NOT_INSPECTED,
            attributes={**meanings[name], **CF_LINKS, **georeference},
            dimension_names=("y", "x"),
            checked=True,
        )
    members["spatial_ref"] = arrays.create_array(
        path / "spatial_ref",
        shape=(),
        chunk_shape=(),
        dtype="int64",
        fill_value=0,
        attributes=grid_mapping(transform, crs),
    )
    if transform.b == transform.d == 0:
        members["x"] = _write_coordinate(path / "x", transform.c, transform.a, width_px, crs)
        members["y"] = _write_coordinate(path / "y", transform.f, transform.e, height_px, crs)
    _write_group(path, {"zarr_conventions": CONVENTIONS, **georeference}, members)


def write_block(path: Path, window: Window, mask: NDArray[np.uint8], probability: NDArray[np.uint8]) -> None:
    """Write one block of an image's group.

    A block is exactly one chunk of each array, so that no two tasks write the same file. `mask` and
    `probability` are uint8 (h, w) of the window's size. Raises ValueError if the window is not a chunk,
    OSError.
    """
    for name, values in zip(ARRAYS, (mask, probability), strict=True):
        arrays.write_chunk(path / name, window, values)


def read_window(path: Path, window: Window) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Read mask and probability, uint8 (h, w) each, of a window inside the image.

    Raises ValueError if a chunk's checksum does not fit, OSError.
    """
    mask, probability = (arrays.read_window(path / name, window) for name in ARRAYS)
    return mask, probability


def ensure_root(path: Path, image_ids: Iterable[str], partial: Path) -> None:
    """Write the root group and the groups between it and the images' groups (`lane1` of `lane1/a.tif`).

    Groups that are already as they should be are left alone. A group's file is written to `partial` and then
    moved to its place. `partial` lies outside `path`, so that a write that fails leaves nothing among the
    masks. It must lie on the same file system. Raises OSError.
    """
    for folder in sorted(folders_to(image_ids)):
        (path / folder).mkdir(parents=True, exist_ok=True)
        file = path / folder / "zarr.json"
        if not file.exists() or file.read_bytes() != PLAIN_GROUP:
            partial.write_bytes(PLAIN_GROUP)
            replace_file(partial, file)


def folders_to(image_ids: Iterable[str]) -> set[PurePosixPath]:
    """The folders of groups above the images' own, with the root's: `.` and `lane1` of `lane1/a.tif`."""
    folders = {PurePosixPath(".")}
    for name in {image_id.rpartition("/")[0] for image_id in image_ids}:  # 10,000 images lie in few folders
        folders.update([PurePosixPath(name), *PurePosixPath(name).parents])
    return folders


def _write_group(path: Path, attributes: dict[str, Any], members: Mapping[str, Any]) -> None:
    """Write a group's `zarr.json` with the metadata of its members, so that one read opens the whole group.

    The zarr library's own consolidation is not used: it lists members in the order of the file system, which
    may differ from one machine to the next.
    """
    consolidated = {"kind": "inline", "must_understand": False, "metadata": dict(members)}
    group = {**_group(attributes), "consolidated_metadata": consolidated}
    (path / "zarr.json").write_bytes(_as_bytes(group))


def _group(attributes: dict[str, Any]) -> dict[str, Any]:
    return {"attributes": attributes, "zarr_format": 3, "node_type": "group"}


def _as_bytes(group: dict[str, Any]) -> bytes:
    return json.dumps(group, indent=2).encode()


PLAIN_GROUP = _as_bytes(_group({}))
"""`zarr.json` of a group that only leads to images."""


# ---- attributes


def _write_coordinate(path: Path, start: float, step: float, size: int, crs: CrsFacts) -> dict[str, Any]:
    """Write `y` or `x`, the name of `path`: world coordinates of the pixel centres, float64 (size,).

    Returns the metadata of the array.
    """
    name = path.name
    metadata = arrays.create_array(
        path,
        shape=(size,),
        chunk_shape=(size,),
        dtype="float64",
        fill_value=0.0,
        attributes=crs.axes.get(name.upper(), {}),
        dimension_names=(name,),
    )
    arrays.write_vector(path, start + step * (np.arange(size, dtype=np.float64) + 0.5))
    return metadata
