"""What a finished run takes on disk, in all and for a kilometre of lane: `python disk_per_km.py OUT`.

A kilometre is 27,000 tiles (a lane at 1 mm per pixel, as in docs/use/scaling.md). Files count with their
length, so that the disk's blocks do not matter. The last column is how many files there are.
"""

import json
import sys
from pathlib import Path

TILES_PER_KM = 27_000
PARTS = {
    "masks and probability": ("masks.zarr",),
    "tables": ("cracks.parquet", "images.parquet"),
    "GeoPackage": ("cracks.gpkg",),
    "report": ("report.html",),
    "what the next run needs": (".crackpipe",),
    "logs": ("logs",),
}


def size(path: Path) -> int:
    """Bytes of a file, or of all files below a folder; 0 if it is not there."""
    if not path.is_dir():
        return path.stat().st_size if path.exists() else 0
    return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())


def files(path: Path) -> int:
    """How many files lie below a folder, or 1 for a file."""
    return sum(file.is_file() for file in path.rglob("*")) if path.is_dir() else int(path.exists())


def main() -> None:
    out = Path(sys.argv[1])
    counts = json.loads((out / "run.json").read_text())["counts"]
    tiles = counts["tiles"]
    if not tiles:
        sys.exit(f"{out}: the last run inspected nothing; give the result of a first run")
    print(f"{tiles} tiles, {counts['cracks']} cracks, {counts['length_m']:.1f} m")
    print(f"{'':<26}{'kB':>10}{'kB per tile':>14}{'MB per km':>12}{'files':>8}")
    for name, parts in {**PARTS, "all": (".",)}.items():
        bytes_ = sum(size(out / part) for part in parts)
        print(
            f"{name:<26}{bytes_ / 1e3:>10.0f}{bytes_ / 1e3 / tiles:>14.2f}"
            f"{bytes_ / 1e6 / tiles * TILES_PER_KM:>12.0f}"
            f"{sum(files(out / part) for part in parts):>8}"
        )


if __name__ == "__main__":
    main()
