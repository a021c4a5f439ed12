"""Cases of the catalogue in `bad_files` about the tags that say how a plan view was made of a frame."""

from pathlib import Path

from affine import Affine
from bad_files import case, write

# Across, a pixel of the camera is as long as one of the plan view in the last row, 2.2 times in the first;
# along, it grows with the square of that.
HOMOGRAPHY = "1 -2 350 0 -0.5 210 0 -0.01 2.2"


def plan_view(path: Path, place: Affine, homography: str, sizes: str = "300 400 120 180") -> None:
    tags = {"CRACKPIPE_HOMOGRAPHY": homography, "CRACKPIPE_HOMOGRAPHY_SIZES": sizes}
    write(path, place, tags={None: tags})


@case("a plan view that lost its mask")
def _(folder: Path, place: Affine) -> None:
    plan_view(folder / "a.tif", place, HOMOGRAPHY)


@case("a plan view that was cut since")
def _(folder: Path, place: Affine) -> None:
    plan_view(folder / "a.tif", place, HOMOGRAPHY, "300 400 240 180")


@case("a plan view with eight numbers for nine")
def _(folder: Path, place: Affine) -> None:
    plan_view(folder / "a.tif", place, HOMOGRAPHY.rpartition(" ")[0])


@case("a plan view whose numbers are none")
def _(folder: Path, place: Affine) -> None:
    plan_view(folder / "a.tif", place, HOMOGRAPHY.replace("350", "1e999"))


@case("a plan view with a long text for nine numbers")
def _(folder: Path, place: Affine) -> None:
    plan_view(folder / "a.tif", place, "1 " * 500_000)


@case("a plan view that folds into a line")
def _(folder: Path, place: Affine) -> None:
    plan_view(folder / "a.tif", place, "1 1 0 1 1 1e-9 0 0 1")


@case("a plan view of the sky")
def _(folder: Path, place: Affine) -> None:
    plan_view(folder / "a.tif", place, " ".join(str(-float(value)) for value in HOMOGRAPHY.split()))


@case("a plan view of a frame a million times as fine")
def _(folder: Path, place: Affine) -> None:
    plan_view(folder / "a.tif", place, "1e4 0 0 0 1e4 0 0 0 1", "1000000 1000000 120 180")
