"""`crackpipe sample`: rendered roads with their truth."""

from pathlib import Path

import click

from crackpipe.commands.options import height_width


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@click.option(
    "--kind",
    type=click.Choice(["demo", "strip", "drive", "pairs", "cameras"]),
    default="demo",
    show_default=True,
    help="demo: a survey; strip: a long image; drive: frames of a vehicle; pairs, cameras: for training.",
)
@click.option("--oblique", is_flag=True, help="Drive with a camera that looks ahead and down.")
@click.option("--size", metavar="WIDTHxLENGTH", help="Size of a strip, px. Default: 4000x20000.")
@click.option("--gsd", "gsd_mm", type=float, help="GSD of a strip, mm/px. Default: 1.")
@click.option("--crs", help="CRS of a strip. Default: EPSG:25832.")
@click.option("--count", default=100, show_default=True, help="Number of pairs.")
@click.option(
    "--textures",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="Of cameras: folder with images/ of road surfaces, scanned without cracks, for three in ten.",
)
@click.option("--classes", is_flag=True, help="Pairs of crack, sealed_crack, joint and lane_paint.")
@click.option("--seed", default=7, show_default=True, help="The same seed gives the same bytes.")
def sample(  # noqa: PLR0917  click passes by keyword
    folder: Path,
    kind: str,
    oblique: bool,
    size: str | None,
    gsd_mm: float | None,
    crs: str | None,
    count: int,
    textures: Path | None,
    classes: bool,
    seed: int,
) -> None:
    """Draw pavement with cracks of exactly known position and width into FOLDER.

    FOLDER/survey is what `crackpipe run` takes, FOLDER/truth holds every crack with its width per vertex.

    \b
    Example:
      crackpipe sample demo --kind demo
      crackpipe sample strip --kind strip --size 4000x20000
      crackpipe sample drive --kind drive
      crackpipe sample ahead --kind drive --oblique
      crackpipe sample pairs --kind cameras --count 1500
    """
    _check_kind(kind, classes=classes, oblique=oblique, textures=textures)
    if kind == "cameras":
        click.echo(f"{count} pairs in {_cameras(folder, count, seed, textures)}")
        return
    if kind == "pairs":
        from crackpipe.model.render.scenes import write_pairs

        write_pairs(folder, count, seed, with_classes=classes)
        click.echo(f"{count} pairs in {folder}")
        return
    if kind == "drive":
        _drive(folder, seed, oblique=oblique)
        return
    from crackpipe.pipeline.sample import write as room

    survey = room.write_survey(
        folder,
        seed=seed,
        kind="strip" if kind == "strip" else "demo",
        size_px=height_width(size),
        gsd_mm=gsd_mm,
        epsg=_epsg(crs),
    )
    click.echo(f"Survey: {survey}")
    click.echo(f"Truth: {folder / 'truth'}")


def _check_kind(kind: str, *, classes: bool, oblique: bool, textures: Path | None) -> None:
    if classes and kind != "pairs":
        raise click.UsageError("--classes is for pairs: add --kind pairs")
    if oblique and kind != "drive":
        raise click.UsageError("--oblique is for a drive: add --kind drive")
    if textures is not None and kind != "cameras":
        raise click.UsageError("--textures is for pictures of cameras: add --kind cameras")


def _drive(folder: Path, seed: int, *, oblique: bool) -> None:
    from crackpipe.pipeline.sample.drive import oblique_drive, write_drive

    click.echo(f"Frames: {write_drive(folder, seed, oblique_drive() if oblique else None)}")
    names = ["positions.csv", "points.geojson", "track.gpx", "track.nmea", "centreline.geojson"]
    click.echo(f"Positions: {', '.join(str(folder / name) for name in names)}")


def _cameras(folder: Path, count: int, seed: int, textures: Path | None) -> Path:
    from crackpipe.model.render.cameras.pairs import write_camera_pairs

    return write_camera_pairs(folder, count, seed, () if textures is None else _textures(textures))


def _textures(folder: Path) -> tuple[Path, ...]:
    """The scanned surfaces in a folder, without those that judge a training as photographs of their set."""
    from crackpipe.model.data.pairs import is_validation
    from crackpipe.model.render.cameras.surface import usable_textures

    try:
        usable = usable_textures(folder)
    except FileNotFoundError as error:
        raise click.UsageError(f"--textures: {error}") from error
    name = folder.resolve().name
    found = tuple(path for path in usable if not is_validation(name, path.stem))
    if not found:
        raise click.UsageError(
            f"--textures: all of {folder}/images are kept from training (docs/use/training.md): add others"
        )
    return found


def _epsg(crs: str | None) -> int | None:
    if crs is None:
        return None
    code = crs.upper().removeprefix("EPSG:")
    if not code.isdecimal():
        raise click.BadParameter(f"{crs!r} is not an EPSG code such as EPSG:25832")
    return int(code)
