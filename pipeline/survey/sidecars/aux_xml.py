"""Look into `.aux.xml` files: GDAL and ArcGIS keep there what a format cannot hold. They are not followed."""

import os
from pathlib import Path

from crackpipe.pipeline.storage import reading
from crackpipe.pipeline.storage.links import leaves

_LIMIT_BYTES = 1 << 20
_GEOREFERENCE = (b"<SRS", b"<GeoTransform", b"<GCPList", b'<Metadata domain="RPC"', b"<GeodataXform")


def holds_georeference(path: Path, root: Path) -> bool:
    """Whether an `.aux.xml` beside the image holds a georeference. A link out of `root` is not followed."""
    aux = Path(f"{path}.aux.xml")
    # opening a pipe would wait for ever; `Path.is_file` would raise for a name that is too long
    if not os.path.isfile(aux) or leaves(aux, root):  # noqa: PTH113
        return False
    try:
        with reading.opened(aux) as file:
            content = file.read(_LIMIT_BYTES)
    except OSError:
        return False
    return any(mark in content for mark in _GEOREFERENCE)
