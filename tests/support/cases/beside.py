"""Cases of the catalogue in `bad_files` about links and spellings of the files beside an image."""

from pathlib import Path

import numpy as np
from affine import Affine
from bad_files import GREY, case, photograph, world_file, write


def moved_out(file: Path) -> None:
    """Move a file out of the survey, and leave a link in its place."""
    outside = file.parents[2] / "outside"
    outside.mkdir(exist_ok=True)
    file.symlink_to(file.rename(outside / f"{file.parent.name}{file.suffix}"))


@case("a mask in another case")
def _(folder: Path, place: Affine) -> None:
    write(folder / "a.tif", place)
    seen = np.full_like(GREY, 255)
    seen[:, :, :18] = 0
    write(folder / "a.tif.MSK", place, seen)


@case("a world file that is a link inside the survey", "a.jpg")
def _(folder: Path, place: Affine) -> None:
    photograph(folder / "a.jpg", place)
    (folder / "a.wld").rename(folder / "shared.wld")
    (folder / "a.wld").symlink_to("shared.wld")


@case("a world file that is a link out of the survey", "a.jpg")
def _(folder: Path, place: Affine) -> None:
    moved_out(photograph(folder / "a.jpg", place).with_suffix(".wld"))


@case("a .prj that is a link out of the survey", "a.jpg")
def _(folder: Path, place: Affine) -> None:
    moved_out(photograph(folder / "a.jpg", place).with_suffix(".prj"))


@case("a georeferenced file with a world file that is a link out of the survey")
def _(folder: Path, place: Affine) -> None:
    path = write(folder / "a.tif", place)
    world_file(path, place @ Affine.translation(500, 0))
    moved_out(path.with_suffix(".wld"))
