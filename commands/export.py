"""`crackpipe export`: the result of a run in the formats that other programs open."""

from pathlib import Path

import click

from crackpipe.commands.options import finished_run
from crackpipe.pipeline.config import EXPORT_FORMATS


@click.command()
@finished_run
@click.option(
    "--format",
    "formats",
    multiple=True,
    required=True,
    type=click.Choice(EXPORT_FORMATS),
    help="What to make. May be repeated.",
)
@click.option(
    "--to",
    type=click.Path(file_okay=False),
    help="Folder for it, or s3://BUCKET/PREFIX, gs://, az://. Default: OUT itself.",
)
def export(out: Path, formats: tuple[str, ...], to: str | None) -> None:
    """Write the result of a run in other formats.

    \b
    gpkg     GeoPackage with styles, for QGIS, ArcGIS and most others; every run makes it
    fgb      FlatGeobuf, one file a layer
    geojson  GeoJSON in WGS 84, one file a layer
    csv      one table a layer, geometry as WKT
    shp      Shapefiles, with the list of their shortened column names
    cog      masks as Cloud Optimized GeoTIFF, a VRT over them, one overview of the survey
    pmtiles  vector tiles for web maps, one file a layer
    stac     a SpatioTemporal Asset Catalog of the images; its links lead into OUT

    A file that somebody changed is kept under another name, such as cracks.edited-1.gpkg.
    Exit codes: 0 done, 2 no finished run, 69 store does not answer, 73 not writable, 74 disk full, 75 in use.

    \b
    Example:
      crackpipe export survey_2025-cracks --format fgb --to for_the_agency
      crackpipe export survey_2025-cracks --format cog --to s3://road-results/2025
    """
    from crackpipe.pipeline.console import log
    from crackpipe.pipeline.console.printable import shown
    from crackpipe.pipeline.export import write
    from crackpipe.pipeline.export.to_store import export_to_store
    from crackpipe.pipeline.storage.cloud.address import is_address

    log.talk_to_stderr()
    if to is not None and is_address(to):
        for address in export_to_store(out, formats, to):
            click.echo(shown(address))
        return
    for name in formats:
        for path in write.export(out, name, None if to is None else Path(to)):
            click.echo(shown(str(path)))
