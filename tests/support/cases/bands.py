"""Cases of the catalogue in `bad_files` about declared bands and values, and masks beside an image."""

import os
from pathlib import Path

import numpy as np
from affine import Affine
from bad_files import GREY, NOISE, TILES, case, damage, write

# ---- bands and values


@case("16 bits")
def _(folder: Path, place: Affine) -> None:
    write(folder / "a.tif", place, NOISE.astype(np.uint16) * 257)


@case("a palette")
def _(folder: Path, place: Affine) -> None:
    palette = {index: (index, index, index, 255) for index in range(256)}
    write(folder / "a.tif", place, GREY, photometric="palette", palette=palette)


@case("1 band")
def _(folder: Path, place: Affine) -> None:
    write(folder / "a.tif", place, GREY)


@case("2 bands, grey and alpha")
def _(folder: Path, place: Affine) -> None:
    values = np.concatenate([GREY, np.full_like(GREY, 255)])
    write(folder / "a.tif", place, values, colours=["gray", "alpha"])


@case("2 bands of unknown meaning")
def _(folder: Path, place: Affine) -> None:
    write(folder / "a.tif", place, NOISE[:2])


@case("4 bands, RGB and near infrared")
def _(folder: Path, place: Affine) -> None:
    values = NOISE[[0, 1, 2, 0]]
    write(folder / "a.tif", place, values, colours=["red", "green", "blue", "undefined"])


@case("5 bands of unknown meaning")
def _(folder: Path, place: Affine) -> None:
    write(folder / "a.tif", place, NOISE[[0, 1, 2, 0, 1]], photometric="minisblack")


@case("floating-point values")
def _(folder: Path, place: Affine) -> None:
    write(folder / "a.tif", place, NOISE.astype(np.float32))


@case("a collar of alpha")
def _(folder: Path, place: Affine) -> None:
    alpha = np.full_like(GREY, 255)
    alpha[:, :, :20] = 0
    values = np.concatenate([NOISE, alpha])
    write(folder / "a.tif", place, values, colours=["red", "green", "blue", "alpha"])


@case("a collar of nodata")
def _(folder: Path, place: Affine) -> None:
    values = NOISE.copy()
    values[:, :, :20] = 0
    write(folder / "a.tif", place, values, nodata=0)


# ---- the mask beside an image


@case("a mask of another size")
def _(folder: Path, place: Affine) -> None:
    write(Path(f"{write(folder / 'a.tif', place)}.msk"), place, GREY[:, :20])


@case("a mask that is a VRT")
def _(folder: Path, place: Affine) -> None:
    Path(f"{write(folder / 'a.tif', place)}.msk").write_text("<VRTDataset rasterXSize='300'></VRTDataset>")


@case("a mask that is a link")
def _(folder: Path, place: Affine) -> None:
    Path(f"{write(folder / 'a.tif', place)}.msk").symlink_to("a.tif")


@case("a mask that is a named pipe")
def _(folder: Path, place: Affine) -> None:
    os.mkfifo(f"{write(folder / 'a.tif', place)}.msk")


@case("a mask with a damaged block")
def _(folder: Path, place: Affine) -> None:
    mask = Path(f"{write(folder / 'a.tif', place)}.msk")
    damage(write(mask, place, GREY, compress="deflate", **TILES), 0.5, 1000)


@case("metadata that name another file as overviews")
def _(folder: Path, place: Affine) -> None:
    write(folder / "a.tif", place, tags={"OVERVIEWS": {"OVERVIEW_FILE": "/vsicurl/http://127.0.0.1:9/a"}})
