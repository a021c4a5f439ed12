"""Vector tiles in one file for web maps: PMTiles, written by GDAL. https://docs.protomaps.com/pmtiles/

Tiles are in Web Mercator. Below the first zoom a map shows nothing, as a crack is smaller than a pixel there;
above the last one it draws the tiles of the last one larger.
"""

from pathlib import Path

import pyarrow as pa

from crackpipe.pipeline.export.layers import Layer
from crackpipe.pipeline.export.vectors import write_rows

ZOOMS = {
    "cracks": (14, 18),
    "images": (10, 18),
    "sections": (8, 16),
    "changes": (14, 18),
    "changes_sections": (8, 16),
}
"""First and last zoom of each layer. At zoom 18, a step of a tile's coordinates is 4 cm at the equator."""
_LEFT_OUT = ("network_id", "weights", "origin", "survey", "overlaps_with", "path", "source_crs")
"""Columns that would make tiles large and that no web map shows."""
_OPTIONS = {
    "TYPE": "overlay",
    # GDAL leaves features out of a tile with more than this many, or bytes; the defaults are met at once
    "MAX_FEATURES": "5000000",
    "MAX_SIZE": "50000000",
}


def write_pmtiles(layer: Layer, target: Path) -> None:
    """Write one layer to `target`, which must not exist. Raises what `write_rows` raises."""
    names = [name for name in layer.schema.names if name not in _LEFT_OUT]
    schema = pa.schema([layer.schema.field(name) for name in names])
    first, last = ZOOMS[layer.name]
    write_rows(
        layer,
        schema,
        (batch.select(names) for batch in layer.batches()),
        target=target,
        driver="PMTiles",
        options={},
        dataset_options={
            # else it is the name of the file on the way, and the bytes would depend on it
            "NAME": layer.name,
            "DESCRIPTION": layer.description,
            "MINZOOM": str(first),
            "MAXZOOM": str(last),
            **_OPTIONS,
        },
    )
