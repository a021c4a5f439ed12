"""Plan views as GeoTIFFs, block by block, several frames at a time.

The memory that is needed is that of the decoded frames: a plan view is never whole in memory, however large.
"""

import hashlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from pathlib import Path
from typing import TypeVar

import rasterio
from affine import Affine
from pyproj import CRS
from rasterio.enums import MaskFlags

from crackpipe.pipeline.cluster.limits import cores
from crackpipe.pipeline.errors import ImageRejectedError, OutputNotWritableError
from crackpipe.pipeline.frames.files.listing import Frame
from crackpipe.pipeline.frames.files.said import SetAside
from crackpipe.pipeline.frames.oblique.decode import decoded_packed
from crackpipe.pipeline.frames.oblique.rectify import rectified
from crackpipe.pipeline.geometry.arrays import Floats
from crackpipe.pipeline.geometry.grid import Window
from crackpipe.pipeline.geometry.plan_view import COARSEST, PlanView
from crackpipe.pipeline.raster.blocks import missing_tiff_blocks
from crackpipe.pipeline.raster.gdal import create_raster, open_raster
from crackpipe.pipeline.storage.durable import file_hash
from crackpipe.pipeline.survey.files.candidates import unreadable
from crackpipe.pipeline.survey.plan_view import tags_of

MADE_FROM_TAG = "CRACKPIPE_MADE_FROM"
# Raise it when the same frame would give other pixels: plan views of earlier calls are then made again.
_VERSION = "2"
_Task = TypeVar("_Task")
_BLOCK_PX = 512
_QUALITY = 95
# Each thread holds a decoded frame, and with more of them the disk is busy, not the cores.
_MOST_THREADS = 4
_PORTION = 64


def write_plan_views(
    frames: Sequence[Frame],
    targets: Sequence[Path],
    transforms: Floats,
    crs: CRS,
    view: PlanView,
    *,
    threads: int | None = None,
) -> tuple[int, list[SetAside]]:
    """Write the plan views that are not there yet: how many it wrote, and frames that cannot be decoded.

    `transforms` is (N, 6), `threads` how many frames at a time (None: one for each core, at most four).
    Raises OutputNotWritableError.
    """

    def write(task: tuple[Frame, Path, Floats]) -> bool | SetAside:
        frame, target, transform = task
        try:
            return _write(frame, target, transform, crs, view)
        except ImageRejectedError as error:
            return SetAside(name=frame.name, reason=error.reason, said=error.message, remedy=error.remedy)

    return in_threads(list(zip(frames, targets, transforms, strict=True)), write, threads)


def in_threads(
    tasks: Sequence[_Task], write: Callable[[_Task], bool | SetAside], threads: int | None = None
) -> tuple[int, list[SetAside]]:
    """Write a few files at a time: how many were written, and what cannot be made.

    `write` returns whether it wrote, or why it cannot. What it raises ends all. `threads`: None means one for
    each core, at most four.
    """
    ends: list[bool | SetAside] = []
    with ThreadPoolExecutor(threads or min(_MOST_THREADS, cores().processes)) as pool:
        try:
            # in portions, since what is handed out to threads takes more memory than the task itself
            for low in range(0, len(tasks), _PORTION):
                ends += pool.map(write, tasks[low : low + _PORTION])
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)  # or they would finish all that was handed out
            raise
    aside = [end for end in ends if isinstance(end, SetAside)]
    return sum(end is True for end in ends), aside


def _write(frame: Frame, target: Path, transform: Floats, crs: CRS, view: PlanView) -> bool:
    """Write a frame's plan view, unless it is there already; returns whether it wrote.

    Raises OutputNotWritableError; ImageRejectedError where the frame cannot be decoded.
    """
    tags = tags_of(view)
    made_from = _made_from(frame.path, transform, crs, tags)
    if is_there(target, made_from):
        return False
    pixels = decoded_packed(frame)
    bands, (height, width) = min(pixels.shape[2], 3), view.size_px
    partial = target.with_name(f"{target.name}.partial")
    colours = {"photometric": "YCBCR", "interleave": "pixel"} if bands == 3 else {}
    profile = {
        **{"driver": "GTiff", "dtype": "uint8", "count": bands, "height": height, "width": width},
        **{"tiled": True, "blockxsize": _BLOCK_PX, "blockysize": _BLOCK_PX, "compress": "jpeg"},
        **{"jpeg_quality": _QUALITY, "crs": rasterio.crs.CRS.from_wkt(crs.to_wkt()), **colours},
        "transform": Affine(*transform.tolist()),
    }
    try:
        with create_raster(partial, **profile) as dataset:
            dataset.update_tags(**tags, **{MADE_FROM_TAG: made_from})
            for row, col in product(range(0, height, _BLOCK_PX), range(0, width, _BLOCK_PX)):
                window = Window(row, col, _BLOCK_PX, _BLOCK_PX).clipped(height, width)
                plan, wanted = rectified(pixels, view, window, bands)
                place = rasterio.windows.Window(col, row, window.width, window.height)
                dataset.write(plan, window=place)
                dataset.write_mask(wanted, window=place)
        put_in_place(partial, target, made_from, masked=True)
    except (OSError, rasterio.errors.RasterioError) as error:
        raise OutputNotWritableError(f"cannot write {target}: {error}. Check space and rights.") from error
    return True


def _made_from(path: Path, transform: Floats, crs: CRS, tags: dict[str, str]) -> str:
    """All that a plan view depends on, as a hash. Raises ImageRejectedError where the frame is unreadable."""
    try:
        facts = [_VERSION, str(COARSEST), file_hash(path), *tags.values(), crs.to_wkt()]
    except OSError as error:
        raise unreadable(path, error) from error
    facts += [repr(value) for value in transform.tolist()]
    return hashlib.blake2b("\n".join(facts).encode(), digest_size=16).hexdigest()


def put_in_place(partial: Path, target: Path, made_from: str, *, masked: bool) -> None:
    """Give a closed GeoTIFF its name, if all of it is there, and its mask where it is `masked`.

    A full disk makes GDAL fail while it closes a file, and rasterio 1.4 does not say so. Raises
    OutputNotWritableError.
    """
    whole = is_there(partial, made_from)
    try:
        with open_raster(partial, "GTiff") as dataset:
            whole = whole and not missing_tiff_blocks(dataset, partial.stat().st_size)
            whole = whole and masked == (MaskFlags.per_dataset in dataset.mask_flag_enums[0])
            for _, place in dataset.block_windows(1):
                dataset.read_masks(1, window=place)
    except (ImageRejectedError, rasterio.errors.RasterioError):
        whole = False
    if not whole:
        raise OutputNotWritableError(f"cannot write {target}: its end did not reach the disk. Check space.")
    partial.replace(target)


def is_there(target: Path, made_from: str) -> bool:
    """Whether a GeoTIFF was made of exactly this before."""
    if not target.is_file():
        return False
    try:
        with open_raster(target, "GTiff") as dataset:
            return bool(dataset.tags().get(MADE_FROM_TAG) == made_from)
    except (OSError, rasterio.errors.RasterioError):
        return False
