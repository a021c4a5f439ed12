"""Look into `.aux.xml` files: GDAL and ArcGIS keep there what a format cannot hold. They are not followed."""

import os
from pathlib import Path

from crackpipe.pipeline.storage import reading

_LIMIT_BYTES = 1 << 20
_GEOREFERENCE = (b"<SRS", b"<GeoTransform", b"<GCPList", b'<Metadata domain="RPC"', b"<GeodataXform")


def holds_georeference(path: Path) -> bool:
    """Whether an `.aux.xml` beside the image holds a georeference."""
    aux = f"{path}.aux.xml"
    if not os.path.isfile(aux):  # noqa: PTH113  opening a pipe would wait for ever
        return False
    try:
        with reading.opened(Path(aux)) as file:
            content = file.read(_LIMIT_BYTES)
    except OSError:
        return False
    return any(mark in content for mark in _GEOREFERENCE)
