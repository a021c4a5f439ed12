"""Options and arguments that several commands have, and how their words are read."""

import os
from pathlib import Path

import click

from crackpipe.model.predict.device import PRECISION_WORDS

FOLDER = click.Path(path_type=Path, exists=True, file_okay=False)
"""A folder that is there."""

FILE = click.Path(path_type=Path, exists=True, dir_okay=False)
"""A file that is there."""

config_file = click.option(
    "--config",
    "config_file",
    type=FILE,
    help="Configuration file. Default: crackpipe.toml in the working folder, if there.",
)

finished_run = click.argument("out", type=FOLDER)
as_json = click.option("--json", "as_json", is_flag=True, help="The same as JSON, for programs.")

lane_offsets = click.option(
    "--offset",
    "offsets_m",
    type=float,
    multiple=True,
    metavar="M",
    help="From the route to a lane's centre, m, positive to the right of rising measure. Lane 1, then 2 ...",
)

gpus = click.option("--gpus", type=int, help="Use N GPUs, one worker process each.")
device = click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), help="Where the network runs.")
workers = click.option("--workers", type=int, help="Worker processes on the CPU. Default: one per core.")
precision = click.option(
    "--precision",
    type=click.Choice(PRECISION_WORDS),
    help="Arithmetic of the network, and who does it (docs/use/cpu.md).",
)
batch = click.option("--batch", type=int, help="Tiles per forward pass.")
assume_crs = click.option("--assume-crs", help="CRS of images that name none, e.g. EPSG:25832.")
assume_gsd = click.option(
    "--assume-gsd",
    "assume_gsd_mm",
    type=float,
    metavar="MM",
    help="GSD of images whose own is outside 0.25 to 6 mm (gsd_min_mm, gsd_max_mm). The others keep theirs.",
)
collar = click.option(
    "--collar",
    type=click.Choice(["auto", "keep"]),
    help="Black or white collars that nothing declares: `auto` leaves them out, `keep` inspects them.",
)
allow_gsd = click.option(
    "--allow-gsd", is_flag=True, default=None, help="Accept a GSD outside 0.25 to 6 mm as it is."
)
allow_place = click.option(
    "--allow-place",
    is_flag=True,
    default=None,
    help="Accept places that do not belong to the CRS or the survey, or that many images share.",
)


def check_out(file: Path, folder: Path | None = None) -> None:
    """Raise OutputNotWritableError if a file cannot be made, or a folder of work beside it.

    This is asked before minutes of work are done. Folders above that are missing will be made.
    """
    from crackpipe.pipeline.errors import OutputNotWritableError

    # not Path.exists, which raises below a folder that may not be entered
    above = next(each for each in file.absolute().parents if os.access(each, os.F_OK))
    if not (above.is_dir() and os.access(above, os.W_OK | os.X_OK)):
        raise OutputNotWritableError(
            f"{file} cannot be written: {above} is no folder that can be written. Name another --out."
        )
    if file.is_dir():
        raise OutputNotWritableError(f"{file} cannot be written: it is a folder. Name another --out.")
    if folder is not None and folder.is_file():
        raise OutputNotWritableError(
            f"{folder} is a file, but a training needs a folder of that name: name another --out."
        )


def tell_new_names(*weights: str | Path | None) -> None:
    """Say on stderr which of these weights have another name today."""
    from crackpipe.model.weights.folder import notice_of

    for notice in filter(None, (notice_of(name) for name in weights if name is not None)):
        click.echo(notice, err=True)


def formats_of(words: str | None) -> tuple[str, ...] | None:
    """The formats that `gpkg,csv` names; `none` names none, and None stays None."""
    if words is None:
        return None
    return () if words == "none" else tuple(word.strip() for word in words.split(","))


def height_width(size: str | None) -> tuple[int, int] | None:
    """(height, width) in px of WIDTHxLENGTH; None stays None. Raises click.BadParameter."""
    if size is None:
        return None
    width, _, length = size.partition("x")
    if not (width.isdecimal() and length.isdecimal()):
        raise click.BadParameter(f"{size!r} is not WIDTHxLENGTH in pixels, such as 4000x20000")
    return int(length), int(width)
