"""What a cheap look first would save and cost, and the limits of `--screen` for a weights file.

    python benchmarks/speed/screen.py DATA --keep FOLDER [--weights lite] [--out WEIGHTS.safetensors]

For each core of the pictures in DATA/CAMERA/images the highest suspicion of a cheap look, at 2 x 2, 3 x 3
or 4 x 4 cores at once, is set against the lines that the close look finds there. That at 4 x 4 cores is the
coarse look of a run. Lengths are numbers of pixels of the thinned mask, in lines of 10 px or more. Cores
below a limit are spared. `kept` is the share of the length in the others, `sound` the spared share of the
cores without a line, `all` that of all cores: the share of the network's time that is saved where the look
is taken anyhow. `saved` is what is left of it where each look costs as much as a close one. A picture that
has a file in FOLDER is not looked at again, so the command can be stopped and go on.

The limit for a recall is the highest that keeps this share on each of the cameras of `FREE`, whose pictures
anyone may use. `others` is what a camera keeps at the limit that the others of them would have set. Those
of `JUDGES` set nothing. With `--out` the limits for the coarse look go into the metadata of these weights;
its tensors stay as they are.
"""

import argparse
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from crackpipe.model.data.augment import reflected_window
from crackpipe.model.predict import coarse, suspicion
from crackpipe.model.predict.predictor import Predictor
from crackpipe.model.weights import folder, header
from crackpipe.model.weights.screen import Screen
from crackpipe.pipeline.geometry.grid import Grid, Window
from crackpipe.pipeline.masks.values import level_of
from crackpipe.pipeline.tasks.looks import suspicion_of
from crackpipe.pipeline.trace.thinning import thin

FREE = {"dnit": 8, "sut_crack": 2, "cracksc": 4, "paveseg_preview": 5, "cracknj156_samples": 1}
"""Every so many pictures of a camera are taken."""
JUDGES = {"nha12d": 1, "deepcrack": 12, "cfd": 4}
HALO_PX, LINE_PX = 32, 10
SIDES = (2, 3, coarse.CORES)
RECALLS = (0.95, 0.98, 0.99, 0.995, 0.999)

Cores = NDArray[np.int64]
"""Rows are cores; the columns stand where they are made."""


def window_of(image: NDArray[np.uint8], window: Window) -> NDArray[np.uint8]:
    """Pixels of a window, reflected beyond the image."""
    return reflected_window(image, window.row, window.col, window.height, window.width)


def lines(crack: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The thinned crack pixels of a tile (H, W), without short lines."""
    thinned = np.zeros_like(crack)
    thinned[tuple(thin(crack, max(crack.shape)).T)] = True
    numbers, _ = ndimage.label(thinned, np.ones((3, 3)))
    long_enough = np.bincount(numbers.ravel()) >= LINE_PX
    long_enough[0] = False  # the background
    return long_enough[numbers]


def cores_of(predictor: Predictor, image: NDArray[np.uint8], sides: tuple[int, ...]) -> Cores:
    """(N, 2 + sides) of the cores of a picture: row and column, length in px, level for each side."""
    grid = Grid(*image.shape[:2], HALO_PX)
    cores = grid.cores(Window(0, 0, *image.shape[:2]))
    columns = [[core.row for core in cores], [core.col for core in cores]]
    threshold = level_of(predictor.weights.threshold)
    crack = [predictor.predict(window_of(image, grid.tile(core))[None])[0].max(axis=0) for core in cores]
    columns.append(
        [
            int(lines(found >= threshold)[core.within(grid.tile(core))].sum())
            for found, core in zip(crack, cores, strict=True)
        ]
    )
    for side in sides:
        looks = grid.looks(cores, side)
        tiles = {each: coarse.shrunk(window_of(image, each)) for each in looks}
        found = {each: predictor.suspect(tile[None])[0, -1] for each, tile in tiles.items()}
        shown = [grid.looks([core], side)[0] for core in cores]
        columns.append(
            [suspicion_of(found[look], core, look) for look, core in zip(shown, cores, strict=True)]
        )
    return np.array(columns).T


def measured(predictor: Predictor, camera: Path, every: int, keep: Path, sides: tuple[int, ...]) -> Cores:
    """The cores of a camera, the number of their picture in front; each leaves a file in `keep`."""
    files = sorted(file for file in (camera / "images").iterdir() if file.suffix in (".jpg", ".png", ".tif"))
    keep.mkdir(parents=True, exist_ok=True)
    found = []
    for number, file in enumerate(files[::every]):
        kept = keep / f"{file.stem}.npy"
        if not kept.exists():
            np.save(kept, cores_of(predictor, np.asarray(Image.open(file).convert("RGB")), sides))
        cores = np.load(kept)
        found.append(np.column_stack([np.full(len(cores), number), cores]))
    return np.concatenate(found)


# ---- judging

PICTURE, ROW, COL, LENGTH, FIRST_LEVEL = range(5)
"""Columns of a camera's cores; a level for each side begins at the last."""


def limit_of(level: Cores, length: Cores, recall: float) -> int:
    """The highest level from which the cores hold at least `recall` of the length."""
    order = np.argsort(-level, kind="stable")
    enough = np.cumsum(length[order]) >= recall * length.sum() - 1e-9
    return int(level[order[np.argmax(enough)]])


def kept(cores: Cores, column: int, limit: int) -> float:
    """Share of the length in cores that reach a limit."""
    return float(cores[cores[:, column] >= limit, LENGTH].sum() / max(1, cores[:, LENGTH].sum()))


def spared(cores: Cores, column: int, limit: int) -> float:
    """Share of the cores without a line that do not reach it."""
    free = cores[cores[:, LENGTH] == 0, column] < limit
    return float(free.mean()) if len(free) else np.nan


def saved(cores: Cores, column: int, limit: int, side: int) -> float:
    """Share of the network's time that it saves."""
    step = side * Grid(1, 1, HALO_PX).core_px
    places = np.column_stack([cores[:, PICTURE], cores[:, ROW] // step, cores[:, COL] // step])
    looks = len(np.unique(places, axis=0))
    return float((np.count_nonzero(cores[:, column] < limit) - looks) / len(cores))


def table(by_camera: Mapping[str, Cores], side: int, column: int) -> Iterator[str]:
    """What one cheap look saves and costs, for each recall."""
    free = [name for name in by_camera if name in FREE]
    for recall in RECALLS:
        own = {name: limit_of(each[:, column], each[:, LENGTH], recall) for name, each in by_camera.items()}
        one = min(own[name] for name in free)
        yield f"{side} x {side} cores, recall {recall}: one limit {suspicion.log_odds_of(one):.2f}"
        yield f"{'camera':20} own limit    sound | others     kept | one limit: kept, sound, all, saved"
        for name, cores in by_camera.items():
            others = min([own[each] for each in free if each != name], default=own[name])
            by_itself, by_others = (suspicion.log_odds_of(each) for each in (own[name], others))
            below = float(np.mean(cores[:, column] < one))
            spared_by_itself = _percent(spared(cores, column, own[name]))
            yield (
                f"{name:20} {by_itself:9.2f} {spared_by_itself} | "
                f"{by_others:6.2f} {_percent(kept(cores, column, others))} | "
                f"{_percent(kept(cores, column, one))} {_percent(spared(cores, column, one))} "
                f"{_percent(below)} {_percent(saved(cores, column, one, side))}"
            )


def _percent(share: float) -> str:
    return f"{100 * share:6.2f} %"


def screen_of(by_camera: Mapping[str, Cores]) -> Screen:
    """The limits of the coarse look, the last column."""
    free = sorted(name for name in by_camera if name in FREE)
    limits = {
        recall: min(limit_of(by_camera[name][:, -1], by_camera[name][:, LENGTH], recall) for name in free)
        for recall in RECALLS
    }
    return Screen(
        tuple((recall, suspicion.log_odds_of(level)) for recall, level in limits.items()), tuple(free)
    )


def write_limits(weights: str, out: Path, screen: Screen) -> None:
    """Write the weights with these limits in their metadata."""
    _, _, content = folder.read(weights)
    metadata = header.metadata_of(content) | {header.SCREEN: screen.as_entry()}
    out.write_bytes(header.with_metadata(content, metadata))
    if out.absolute().parent == folder.FOLDER:
        folder.update_sums()


def main() -> None:
    parser = argparse.ArgumentParser(description="What a cheap look first would save and cost.")
    parser.add_argument("data", type=Path, help="folder with a folder for each camera")
    parser.add_argument("--keep", type=Path, required=True, help="folder for what was measured")
    parser.add_argument("--weights", default="lite", help="name of weights or a file")
    parser.add_argument("--sides", default=",".join(map(str, SIDES)), help="of looks, cores; 4 comes last")
    parser.add_argument("--out", type=Path, help="write these weights with the limits")
    given = parser.parse_args()
    sides = tuple(int(side) for side in given.sides.split(","))
    predictor = Predictor(given.weights, device="cpu")
    by_camera = {}
    for name, every in (FREE | JUDGES).items():
        if (given.data / name).is_dir():
            keep = given.keep / predictor.weights.network_sha256[:12] / given.sides / name
            cores = measured(predictor, given.data / name, every, keep, sides)
            by_camera[name] = cores
            print(
                f"{name}: {cores[-1, PICTURE] + 1} pictures, {len(cores)} cores, "
                f"{(cores[:, LENGTH] == 0).sum()} without a line, {cores[:, LENGTH].sum()} px of lines",
                flush=True,
            )
    for number, side in enumerate(sides):
        print(*table(by_camera, side, FIRST_LEVEL + number), sep="\n")
    if given.out:
        write_limits(given.weights, given.out, screen_of(by_camera))


if __name__ == "__main__":
    main()
