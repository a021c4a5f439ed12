"""Draw a run's cracks over its images.

    python benchmarks/accuracy/overlay.py SURVEY OUT PICTURES [--scale 2]

Colours by width class: tiny yellow, small orange, wide red; blue where no width could be measured.
"""

from pathlib import Path
from typing import Any

import click
import geopandas as gpd
import numpy as np
import rasterio
from PIL import Image, ImageDraw
from rasterio.transform import AffineTransformer
from rasterio.windows import Window

COLOURS = {"tiny": (255, 225, 40), "small": (255, 140, 0), "wide": (255, 40, 60)}
UNMEASURED = (90, 200, 255)


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
        pen.line([tuple(point) for point in points], fill=COLOURS.get(kind, UNMEASURED), width=line_px)
    return picture


def beside(left: Image.Image, right: Image.Image) -> Image.Image:
    """Two pictures of one size side by side, 8 px apart."""
    both = Image.new("RGB", (left.width + 8 + right.width, left.height), (255, 255, 255))
    both.paste(left, (0, 0))
    both.paste(right, (left.width + 8, 0))
    return both


@click.command()
@click.argument("survey", type=click.Path(path_type=Path, exists=True))
@click.argument("out", type=click.Path(path_type=Path, exists=True))
@click.argument("pictures", type=click.Path(path_type=Path))
@click.option("--scale", default=1, show_default=True)
@click.option("--line-px", default=2, show_default=True)
@click.option("--beside", is_flag=True, help="Put the image without lines to the left.")
@click.option("--only", help="Only this image_id.")
@click.option("--suffix", default=".png", show_default=True)
def main(survey: Path, out: Path, pictures: Path, **options: Any) -> None:
    """One picture for every inspected image of a run.

    The picture of the README: overlay.py sample_data/survey sample_data/survey-cracks docs/images
    --only lane1/0003.tif --beside --line-px 5 --suffix .jpg
    """
    from crackpipe.pipeline.config import Config
    from crackpipe.pipeline.survey.load import load_survey

    cracks = gpd.read_parquet(out / "cracks.parquet")
    pictures.mkdir(parents=True, exist_ok=True)
    for image in load_survey([survey], Config(), out).images:
        if options["only"] not in (None, image.image_id):
            continue
        own = cracks[cracks.image_id == image.image_id].to_crs(image.crs_wkt)
        target = pictures / f"{image.image_id.replace('/', '_')}{options['suffix']}"
        look = {"scale": options["scale"], "line_px": options["line_px"]}
        picture = draw(image.path, image.transform, own, **look)
        if options["beside"]:
            plain = draw(image.path, image.transform, own.iloc[:0], **look)
            picture = beside(plain, picture)
        picture.save(target)
        click.echo(f"{target}: {len(own)} cracks")


if __name__ == "__main__":
    main()
