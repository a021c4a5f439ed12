"""Read the small files beside an image that say where it lies: world files and `.prj` files.

They are as untrusted as the image. They are read up to a limit, and no message quotes them: a link to a
secret file, planted under such a name, must not show the secret.
"""

import os
from contextlib import suppress
from pathlib import Path

from affine import Affine
from pyproj import CRS

from crackpipe.pipeline.errors import ImageRejectedError
from crackpipe.pipeline.geometry.crs import foreign_crs

_WORLD_FILE_LIMIT_BYTES = 4096
_PRJ_LIMIT_BYTES = 65536
_AUX_LIMIT_BYTES = 1 << 20
_AUX_GEOREFERENCE = (b"<SRS", b"<GeoTransform", b"<GCPList", b'<Metadata domain="RPC"')


def world_file_of(path: Path) -> Path | None:
    """Find the world file beside an image, such as `a.jgw`, `a.jpgw` or `a.wld` for `a.jpg`; None without."""
    return _beside(path, _world_file_endings(path))


def _world_file_endings(path: Path) -> list[str]:
    suffix = path.suffix.lower().lstrip(".")
    endings = [suffix[0] + suffix[-1] + "w", suffix + "w", "wld"]
    if suffix in ("jpeg", "tiff"):
        endings.insert(1, suffix[:2] + suffix[-1] + "w" if suffix == "tiff" else "jpgw")
    return endings


def sidecar_names(path: Path) -> list[str]:
    """Names, in lower case, of all files beside an image that have a say about it."""
    stem, name = path.stem.lower(), path.name.lower()
    georeference = [f"{stem}.{ending}" for ending in (*_world_file_endings(path), "prj")]
    return [*georeference, f"{name}.aux.xml", f"{name}.msk"]


def _beside(path: Path, endings: list[str]) -> Path | None:
    stem = str(path.with_suffix(""))
    for ending in endings:
        for spelling in (ending, ending.upper()):
            # Strings are faster than paths, and this is asked ten times for each of 10,000 images.
            name = f"{stem}.{spelling}"
            if os.path.isfile(name):  # noqa: PTH113
                return Path(name)
    return None


def read_world_file(path: Path) -> Affine:
    """Parse the six lines of a world file: A, D, B, E, C, F with (C, F) the CENTRE of the first pixel.

    Returns the transform of pixel corners. Raises ImageRejectedError `world-file-unusable`.
    """
    values: list[float] = []
    # A file that cannot be read and a file without numbers get the same message.
    with suppress(OSError, ValueError):
        values = [float(word) for word in _text(path, _WORLD_FILE_LIMIT_BYTES).split()]
    if len(values) != 6:
        raise ImageRejectedError(
            "world-file-unusable",
            f"the world file {path.name} does not hold six numbers",
            "Write the world file again: six lines with x size, two rotation terms, y size, and x and y of "
            "the centre of the first pixel.",
        )
    a, d, b, e, x_centre, y_centre = values
    return Affine(a, b, x_centre - (a + b) / 2, d, e, y_centre - (d + e) / 2)


def read_prj(path: Path) -> CRS | None:
    """Read the horizontal CRS in the `.prj` file beside an image; None where there is no such file.

    Raises ImageRejectedError `crs-unusable` if the file holds no CRS.
    """
    file = _beside(path, ["prj"])
    if file is None:
        return None
    try:
        return foreign_crs(_text(file, _PRJ_LIMIT_BYTES).strip())
    except (OSError, ValueError):
        # `from None`, because the message of pyproj quotes the file
        raise ImageRejectedError(
            "crs-unusable",
            f"{file.name} does not hold a coordinate reference system",
            "Write the .prj file again as WKT, or remove it and give --assume-crs.",
        ) from None


def _text(path: Path, limit_bytes: int) -> str:
    with path.open("rb") as file:
        content = file.read(limit_bytes + 1)
    if len(content) > limit_bytes:
        raise ValueError(f"{path.name} has more than {limit_bytes} bytes")
    return content.decode("utf-8-sig")


def georeferencing_aux(path: Path) -> bool:
    """Whether an `.aux.xml` beside the image holds a georeference, which is not followed."""
    aux = f"{path}.aux.xml"
    if not os.path.isfile(aux):  # noqa: PTH113  opening a pipe would wait for ever
        return False
    try:
        with Path(aux).open("rb") as file:
            content = file.read(_AUX_LIMIT_BYTES)
    except OSError:
        return False
    return any(mark in content for mark in _AUX_GEOREFERENCE)
