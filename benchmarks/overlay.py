"""Draw a run's cracks over its images: `python benchmarks/overlay.py SURVEY OUT PICTURES [--scale 2]`.

Colours by width class: tiny yellow, small orange, wide red; uncertain classes are dashed thin.
"""

from pathlib import Path

import click
import geopandas as gpd
import numpy as np
import rasterio
from PIL import Image, ImageDraw
from rasterio.transform import AffineTransformer
from rasterio.windows import Window

COLOURS = {"tiny": (255, 225, 40), "small": (255, 140, 0), "wide": (255, 40, 60)}


def draw(
    path: Path,
    transform: rasterio.Affine,
    cracks: gpd.GeoDataFrame,
    *,
    window: tuple[int, int, int, int] | None = None,
    scale: int = 1,
    line_px: int = 2,
) -> Image.Image:
    """An image (or its window (row, col, height, width)) enlarged `scale` times, with crack lines over it.

    `cracks` must be in the image's own CRS.
    """
    with rasterio.open(path) as source:
        row, col, height, width = window or (0, 0, source.height, source.width)
        bands = source.read(window=Window(col, row, width, height))
    rgb = np.moveaxis(bands[:3] if len(bands) >= 3 else np.repeat(bands[:1], 3, axis=0), 0, -1)
    picture = Image.fromarray(np.ascontiguousarray(rgb.astype(np.uint8))).resize(
        (width * scale, height * scale)
    )
    pen = ImageDraw.Draw(picture)
    pixels = AffineTransformer(transform)
    for line, kind in zip(cracks.geometry, cracks["width_class"], strict=True):
        x, y = np.asarray(line.coords).T
        rows, cols = pixels.rowcol(x, y, op=lambda value: value)
        points = np.column_stack([np.asarray(cols) - col, np.asarray(rows) - row]) * scale
        pen.line([tuple(point) for point in points], fill=COLOURS[kind], width=line_px)
    return picture


@click.command()
@click.argument("survey", type=click.Path(path_type=Path, exists=True))
@click.argument("out", type=click.Path(path_type=Path, exists=True))
@click.argument("pictures", type=click.Path(path_type=Path))
@click.option("--scale", default=1, show_default=True)
def main(survey: Path, out: Path, pictures: Path, scale: int) -> None:
    """One PNG for every inspected image of a run."""
    from crackpipe.pipeline.config import Config
    from crackpipe.pipeline.survey import load_survey

    cracks = gpd.read_parquet(out / "cracks.parquet")
    pictures.mkdir(parents=True, exist_ok=True)
    for image in load_survey([survey], Config(), out).images:
        own = cracks[cracks.image_id == image.image_id].to_crs(image.crs_wkt)
        target = pictures / f"{image.image_id.replace('/', '_')}.png"
        draw(image.path, image.transform, own, scale=scale).save(target)
        click.echo(f"{target}: {len(own)} cracks")


if __name__ == "__main__":
    main()
