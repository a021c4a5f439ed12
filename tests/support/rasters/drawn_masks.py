"""Masks as a run stores them, drawn in memory, and what lies at a place on the ground."""

from pathlib import Path

import numpy as np
from affine import Affine
from pyproj import CRS

from crackpipe.pipeline.geometry.grid import Window
from crackpipe.pipeline.masks.group import create_masks, write_block

UTM = CRS.from_epsg(25832)


def store_mask(group: Path, mask: np.ndarray, transform: Affine, crs: CRS = UTM, chunk_px: int = 384) -> Path:
    """Store a mask, uint8 (h, w), as the Zarr group of an image."""
    height, width = mask.shape
    create_masks(
        group, height_px=height, width_px=width, transform=transform, crs_wkt=crs.to_wkt(),
        chunk_shape=(chunk_px, chunk_px), classes=["crack"],
    )  # fmt: skip
    for row in range(0, height, chunk_px):
        for col in range(0, width, chunk_px):
            window = Window(row, col, chunk_px, chunk_px).clipped(height, width)
            block = mask[window.row : window.row_stop, window.col : window.col_stop]
            write_block(group, window, block, block)
    return group


def with_a_line(height: int, width: int) -> np.ndarray:
    """Sound road with a crack of one pixel from corner to corner, and a corner that was not inspected."""
    mask = np.zeros((height, width), np.uint8)
    along = np.linspace(0, 1, 4 * (height + width))
    mask[(along * (height - 1)).astype(int), (along * (width - 1)).astype(int)] = 1
    mask[: height // 4, -(width // 4) :] = 255
    return mask
