"""False alarms of the collar rule: real photographs have no collar, so none may lose a pixel to it.

    python benchmarks/results/false_alarms.py DATA [SURVEY...]

DATA holds folders of photographs, `NAME/images/*`; a SURVEY is a folder of rasters. Each photograph is judged
as it is, at 0.35 of its brightness and at twice of it, where bright parts saturate, each also written as JPEG
of quality 85. Prints a line a set and the pictures that lose pixels; a margin of a printed page, or a strip
with the name of who sells the picture, is a collar, and rightly so. Exits with 1 if a photograph as it is
loses pixels.
"""

import io
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from crackpipe.pipeline.geometry.grid import Window
from crackpipe.pipeline.raster import gdal
from crackpipe.pipeline.raster.validity.collar import Ground, collars_of
from crackpipe.pipeline.raster.windows import Pixels

SUFFIXES = {".jpg": "JPEG", ".png": "PNG", ".tif": "GTiff"}
GAINS = (1.0, 0.35, 2.0)
QUALITY = 85


def rgb_of(path: Path) -> NDArray[np.uint8]:
    """A photograph as uint8 (h, w, 3)."""
    with gdal.open_raster(path, SUFFIXES[path.suffix.lower()], georeferenced=False) as dataset:
        values = dataset.read([1, 2, 3] if dataset.count >= 3 else [1, 1, 1])
    return np.ascontiguousarray(np.moveaxis(values, 0, -1))


def collar_px(rgb: NDArray[np.uint8], *, lossy: bool) -> int:
    """Pixels that the collar rule takes from a photograph."""
    height, width = rgb.shape[:2]
    whole = Window(0, 0, height, width)

    def read(window: Window) -> Pixels:
        part = rgb[window.within(whole)]
        return part, np.zeros(part.shape[:2], np.uint8)

    return sum(each.count_px for each in collars_of(Ground(height, width, 1.0, lossy, read)))


def photographs(folder: Path) -> Iterator[Path]:
    """The photographs in a folder, in order."""
    yield from sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)


def variants(rgb: NDArray[np.uint8], *, lossy: bool) -> Iterator[tuple[str, NDArray[np.uint8], bool]]:
    """The photograph as it is and changed: a name, uint8 (h, w, 3), and whether its compression is lossy."""
    for gain in GAINS:
        curve = np.clip(np.arange(256) * gain, 0, 255).astype(np.uint8)
        changed = rgb if gain == 1.0 else curve[rgb]
        yield f"x {gain:g}", changed, lossy and gain == 1.0
        file = io.BytesIO()
        Image.fromarray(changed).save(file, "JPEG", quality=QUALITY)
        yield f"x {gain:g}, JPEG", np.asarray(Image.open(file)), True


def report(name: str, paths: list[Path]) -> int:
    """Print a line for a set; returns how many of its pictures lose pixels as they are."""
    alarms: dict[str, list[str]] = {}
    for path in paths:
        rgb = rgb_of(path)
        for change, changed, lossy in variants(rgb, lossy=path.suffix.lower() == ".jpg"):
            lost = collar_px(changed, lossy=lossy)
            found = alarms.setdefault(change, [])
            if lost:
                found.append(f"{path.name} {100 * lost / rgb[..., 0].size:.2g} %")
    counts = "; ".join(f"{change}: {len(found)}" for change, found in alarms.items())
    print(f"{name}: {len(paths)} photographs, with a collar at brightness {counts}")
    for change, found in alarms.items():
        for each in found:
            print(f"    {change}: {each}")
    sys.stdout.flush()
    return len(alarms.get("x 1", []))


def main(data: Path, surveys: list[Path]) -> int:
    """Judge all sets; returns 1 if any photograph as it is has a collar."""
    sets = {folder.parent.name: folder for folder in sorted(data.glob("*/images"))}
    sets |= {survey.name: survey for survey in surveys}
    return int(sum(report(name, list(photographs(folder))) for name, folder in sets.items()) > 0)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), [Path(each) for each in sys.argv[2:]]))
