"""The frames of a folder: name, size, and what their EXIF says. Pixels are not read."""

import struct
import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from crackpipe.pipeline.errors import ImageRejectedError, NoReadableImageError, UsageError
from crackpipe.pipeline.frames.files.exif import Exif, exif_of
from crackpipe.pipeline.frames.files.said import SetAside
from crackpipe.pipeline.survey.files.candidates import Candidate, regular_file
from crackpipe.pipeline.survey.files.find import find_images
from crackpipe.pipeline.tables.travel import natural_key

if TYPE_CHECKING:
    from PIL import Image


@dataclass(frozen=True, kw_only=True)
class Frame:
    """One picture, before it is known where it lies."""

    name: str
    """Path relative to the folder of frames."""
    path: Path
    height_px: int
    width_px: int
    exif: Exif


def list_frames(folder: Path, exclude: Sequence[str]) -> tuple[list[Frame], list[SetAside]]:
    """All frames below a folder in the natural order of their names, and those that cannot be taken.

    Raises UsageError where the folder holds no picture.
    """
    found = find_images([folder], None, exclude)
    frames: list[Frame] = []
    aside: list[SetAside] = []
    for candidate in found.candidates:
        try:
            frames.append(_frame(candidate))
        except ImageRejectedError as error:
            aside.append(
                SetAside(
                    name=candidate.image_id, reason=error.reason, said=error.message, remedy=error.remedy
                )
            )
    if not frames:
        said = f" The first of {len(aside)} that cannot be read: {aside[0].said}." if aside else ""
        raise NoReadableImageError(
            f"{folder} holds no frame that can be read.{said} Give the folder with the JPEG, PNG or TIFF "
            "files."
        )
    frames.sort(key=lambda frame: (natural_key(frame.name), frame.name))
    return _of_one_camera(frames, aside)


def _frame(candidate: Candidate) -> Frame:
    from PIL import Image

    try:
        path = regular_file(candidate).path
        try:
            with warnings.catch_warnings():
                # only headers are read, so large pictures are no danger
                warnings.simplefilter("ignore")
                with Image.open(path, formats=("JPEG", "PNG", "TIFF")) as image:
                    (width, height), exif = image.size, _exif(image)
        except Image.DecompressionBombError:
            width, height = _large(path)
            exif = Exif()
    except (OSError, SyntaxError, ValueError, TypeError, KeyError) as error:
        raise ImageRejectedError(
            "not-an-image",
            f"its header cannot be read ({type(error).__name__})",
            "Copy the file again from where it was made.",
        ) from error
    return Frame(name=candidate.image_id, path=path, height_px=height, width_px=width, exif=exif)


def _exif(image: "Image.Image") -> Exif:
    """What a picture's EXIF says; nothing where it is damaged, since the picture may be sound."""
    try:
        return exif_of(image.getexif())
    except (OSError, SyntaxError, ValueError, TypeError, KeyError, IndexError, struct.error, OverflowError):
        return Exif()


def _large(path: Path) -> tuple[int, int]:
    """Width and height of a picture that Pillow takes for a bomb. Raises OSError, ValueError."""
    from crackpipe.pipeline.raster.gdal import open_raster

    driver = {".png": "PNG", ".tif": "GTiff", ".tiff": "GTiff"}.get(path.suffix.lower(), "JPEG")
    with open_raster(path, driver) as dataset:
        return int(dataset.width), int(dataset.height)


def _of_one_camera(frames: list[Frame], aside: list[SetAside]) -> tuple[list[Frame], list[SetAside]]:
    """The frames of the commonest camera; those of others are set aside, since a camera.toml is of one.

    Raises UsageError where no camera has three quarters of the frames.
    """
    cameras = Counter((frame.width_px, frame.height_px, frame.exif.camera) for frame in frames)
    (usual, count), *others = cameras.most_common()
    if not others:
        return frames, aside
    if count < 0.75 * len(frames):
        raise UsageError(
            f"the frames are of {len(cameras)} cameras: {count} are {_camera_said(usual)}, {others[0][1]} "
            f"are {_camera_said(others[0][0])}. A camera.toml is of one camera: run `crackpipe frames` for "
            "each, with --exclude for the frames of the others."
        )
    kept = [each for each in frames if (each.width_px, each.height_px, each.exif.camera) == usual]
    strange = [
        SetAside(
            name=each.name,
            reason="other-camera",
            said=f"it is {_camera_said((each.width_px, each.height_px, each.exif.camera))}, but {count} "
            f"frames are {_camera_said(usual)}",
            remedy="Run crackpipe frames for this camera by itself, with a camera.toml of its own.",
        )
        for each in frames
        if (each.width_px, each.height_px, each.exif.camera) != usual
    ]
    return kept, [*aside, *strange]


def _camera_said(camera: tuple[int, int, str]) -> str:
    width, height, name = camera
    return f"{width} x {height} px{f' of {name}' if name else ''}"
