"""Rendered images with known cracks, and the hash of a run's published files."""

import hashlib
import os
import time
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import rasterio
from rasterio.transform import from_origin

from crackpipe.model.render.cracks import Crack
from crackpipe.model.render.picture import Scene, render_window
from crackpipe.model.weights import folder, header
from crackpipe.model.weights.statistics import Statistics


def crack(row0: float, col0: float, row1: float, col1: float, width_px: float) -> Crack:
    """A crack of constant width, 70 grey values darker than the road, that wanders like a real one.

    A perfectly straight line is a joint to the network, and rightly so.
    """
    start, end = np.array([row0, col0]), np.array([row1, col1])
    length = float(np.hypot(*(end - start)))
    rng = np.random.default_rng(int(row0 * 1000 + col0))
    along = np.linspace(0.0, 1.0, max(2, int(length / 6)))
    aside = np.cumsum(rng.normal(0.0, 2.2, len(along)))
    aside -= np.interp(along, [0.0, 1.0], [aside[0], aside[-1]])
    normal = np.array([-(end - start)[1], (end - start)[0]]) / length
    line = start + along[:, None] * (end - start) + aside[:, None] * normal
    return Crack(line, np.full(len(line), width_px), contrast_grey=70.0)


WEIGHTS_METADATA: dict[str, Any] = {
    "classes": ["crack"],
    "training_gsd_mm": 1.0,
    "threshold": 0.5,
    "contrast_c0": 60.0,
    "data": "drawn at random",
    "licence": "CC0-1.0",
    "metrics": {},
}
"""Of weights that a test draws."""

STRIP_CRACK = crack(20, 100, 1480, 260, 6.0)
"""The one crack of lane2/strip.tif."""


def write_scene(path: Path, scene: Scene, *, x: float = 500_000.0, crs: str | None = "EPSG:25832") -> None:
    """A rendered scene as a tiled GeoTIFF of 1 mm/px."""
    rgb, _ = render_window(scene, 0, 0, scene.height_px, scene.width_px)
    profile = {
        "driver": "GTiff", "height": scene.height_px, "width": scene.width_px, "count": 3, "dtype": "uint8",
        "tiled": True, "blockxsize": 256, "blockysize": 256, "compress": "deflate", "crs": crs,
        "transform": from_origin(x, 5_400_000.0, 0.001, 0.001),
    }  # fmt: skip
    path.parent.mkdir(parents=True, exist_ok=True)
    with rasterio.open(path, "w", **profile) as target:
        target.write(np.moveaxis(rgb, -1, 0))


def tree_hash(out: Path) -> dict[str, str]:
    """SHA-256 of every published file: both tables and all of masks.zarr."""
    files = [out / "cracks.parquet", out / "images.parquet", *sorted((out / "masks.zarr").rglob("*"))]
    return {
        str(file.relative_to(out)): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in files
        if file.is_file()
    }


def worker_facts() -> dict[str, Any]:
    """To be run in a worker: GDAL's drivers once crackpipe is there, and what the process began with."""
    from crackpipe.pipeline.raster import reader  # noqa: F401

    with rasterio.Env() as environment:
        drivers = sorted(environment.drivers())
    return {"pid": os.getpid(), "drivers": drivers, "environment": Path("/proc/self/environ").read_bytes()}


def listens_at() -> set[str]:
    """Addresses at which this process listens."""
    connections = psutil.Process().net_connections("inet")
    return {each.laddr.ip for each in connections if each.status == psutil.CONN_LISTEN}


def is_group_gone(group: int, within_s: float) -> bool:
    """Waits until no process of a process group is there any more; False if one stays."""
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.01)
    return False


# ---- weights that can tell how familiar images are


def plain_weights(path: Path) -> Path:
    """The embedded default weights without statistics, written to `path`."""
    _, _, content = folder.read("lite")
    metadata = header.metadata_of(content)
    metadata.pop(header.STATISTICS, None)
    path.write_bytes(header.with_metadata(content, metadata))
    return path


def statistics_around(weights: Path, tile: np.ndarray, usual: float = 0.02) -> Statistics:
    """Statistics of a single known tile, uint8 (448, 448, 3), in plain features: others are less familiar."""
    from crackpipe.model.predict.encoder import Encoder  # imports torch, which most tests do without
    from crackpipe.model.weights.read import load

    features = Encoder(load(weights)).features(tile)
    return Statistics(
        sets=("drawn",),
        projection=np.eye(len(features), dtype=np.float32),
        centres=features[None],
        usual=usual,
        strange=4 * usual,
    )


def with_statistics(weights: Path, statistics: Statistics, path: Path) -> Path:
    """The same weights with these statistics, written to `path`."""
    content = weights.read_bytes()
    metadata = header.metadata_of(content) | {header.STATISTICS: statistics.as_entry()}
    path.write_bytes(header.with_metadata(content, metadata))
    return path
