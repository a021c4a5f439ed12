"""Real survey images through the whole product: `python benchmarks/accuracy/nha12d.py DATA OUT`.

DATA is a folder with `images/*.jpg` and `masks/*.png` (NHA12D, plan view). The images become GeoTIFFs
(EPSG:25832, 1 mm/px), `crackpipe run` maps them, and the stitched masks are compared with the labels:
IoU and tolerance F1 (2 px), pooled over all images and over those the weights never saw, if
`--validation docs/evidence/splits/validation.txt` names them. Overlays go to OUT/overlays (never commit
them).
"""

import subprocess
import sys
from pathlib import Path

import click
import geopandas as gpd
import numpy as np
import rasterio
from overlay import draw
from PIL import Image
from rasterio.transform import from_origin

from crackpipe.model.evaluate.metrics import Counts, count, scores
from crackpipe.pipeline.geometry.grid import Window
from crackpipe.pipeline.masks import group

GSD_M = 0.001


def write_geotiffs(data: Path, survey: Path) -> None:
    """One GeoTIFF per photograph, side by side on the map."""
    survey.mkdir(parents=True, exist_ok=True)
    for index, path in enumerate(sorted((data / "images").glob("*.jpg"))):
        rgb = np.asarray(Image.open(path).convert("RGB"))
        height, width, _ = rgb.shape
        profile = {
            "driver": "GTiff", "height": height, "width": width, "count": 3, "dtype": "uint8",
            "crs": "EPSG:25832", "transform": from_origin(500_000 + 3 * index, 5_400_000, GSD_M, GSD_M),
            "tiled": True, "compress": "deflate", "photometric": "RGB",
        }  # fmt: skip
        with rasterio.open(survey / f"{path.stem}.tif", "w", **profile) as target:
            target.write(np.moveaxis(rgb, -1, 0))


@click.command()
@click.argument("data", type=click.Path(path_type=Path, exists=True))
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--validation", type=click.Path(path_type=Path, exists=True))
@click.option("--weights", default="lite", show_default=True)
def main(data: Path, out: Path, validation: Path | None, weights: str) -> None:
    survey, result = out / "survey", out / "result"
    write_geotiffs(data, survey)
    command = [
        sys.executable,
        "-m",
        "crackpipe",
        "run",
        str(survey),
        "--out",
        str(result),
        "--weights",
        weights,
    ]
    subprocess.run(command, check=True)
    unseen = set(validation.read_text().split()) if validation else set()
    cracks = gpd.read_parquet(result / "cracks.parquet")
    (out / "overlays").mkdir(exist_ok=True)
    pooled: dict[str, list[Counts]] = {"all": [], "seen in training": [], "never seen": []}
    for path in sorted(survey.glob("*.tif")):
        with rasterio.open(path) as source:
            shape, transform = source.shape, source.transform
        mask, _ = group.read_window(result / "masks.zarr" / path.name, Window(0, 0, *shape))
        label = np.asarray(Image.open(data / "masks" / f"{path.stem}.png").convert("L")) > 127
        counts = count(mask == 1, label.astype(np.uint8), centreline=False)
        pooled["all"].append(counts)
        if unseen:
            hidden = any(path.stem in name for name in unseen)
            pooled["never seen" if hidden else "seen in training"].append(counts)
        own = cracks[cracks.image_id == path.name]
        draw(path, transform, own).save(out / "overlays" / f"{path.stem}.png")
        click.echo(
            f"{path.stem}: {len(own)} rows, {own.length_m.sum():.2f} m, F1 (2 px) {scores(counts).f1_2px:.3f}"
        )
    for name, parts in pooled.items():
        if parts:
            total = scores(sum(parts, Counts()))
            click.echo(f"{name} ({len(parts)} images): IoU {total.iou:.3f}, F1 (2 px) {total.f1_2px:.3f}")


if __name__ == "__main__":
    main()
