"""Image and mask folders -> photographs with their labels, for training or for validation.

A data folder holds one folder per set, `DIR/NAME/images/*.jpg|png` and `DIR/NAME/masks/*.png` (8-bit, one
channel, 0 sound, 255 crack, 127 not inspected, same stem). Rendered roads come in the same layout. All of it
is decoded into memory once (about 1 GB for 280 megapixels).

A set that knows several classes has a file `classes.txt` beside its folders, one name per line: line k is the
class of value k in its masks, 255 is ignored. What a training does not ask for is sound to it. In other
sets crack is labelled and everything else is sound.

Photographs, not crops, are split into training and validation: two crops of one photograph share road
surface, light and camera, and a network that has seen one does well on the other for the wrong reason.
Frame: pixels are (row, col).
"""

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from crackpipe.model.train.losses import IGNORE

TILE_PX = 448

MASK_NOT_INSPECTED = 127
"""Grey value in a mask file of pixels that nobody judged: they count neither in training nor in figures."""

VALIDATION_SHARE = {
    "deepcrack": 0.18,
    "cfd": 0.18,
    "sut_crack": 0.18,
    "cracksc": 0.18,
    "nha12d": 0.20,
    "negatives_nha12d": 0.20,
    "rendered_classes": 0.12,
    "rendered": 0.0,
    "crack500_360": 0.0,
    "gaps384_crops": 0.0,
    "shadowcrack_crops": 0.0,
    "aiglern_trimm_crops": 0.0,
}
"""Share of each set's photographs that is never trained on; of other sets, whatever is asked for. Of
crack500_360 the photographs are unknown (neighbouring crops, lost names), the last three are small crops."""

_IMAGE_SUFFIXES = {".jpg", ".jpeg", ".png"}


@dataclass(frozen=True)
class Pair:
    """A photograph, or the part of one that a set holds, with its label."""

    set_name: str
    stem: str
    image: NDArray[np.uint8] = field(repr=False)
    """(H, W, 3) RGB."""
    label: NDArray[np.uint8] = field(repr=False)
    """(H, W): 0 sound, 1 + the index of a class (1 crack, where that is the only one), 255 ignored."""
    crack_at: NDArray[np.int32] = field(repr=False)
    """(M, 2) some 2,000 pixels of each class as (row, col), evenly picked: where to aim a tile. M = 0:
    crack-free."""


def photograph_of(set_name: str, stem: str) -> str:
    """Name of the photograph that a file was cut from, without the set's name.

    `train_IMG33-10` -> `train_IMG33` (crops are numbered after the last dash); a GAPs crop also names its
    position (`..._0608_541_1-6` -> `..._0608`), a crack-free part its corner (`APVD_01_0_768` -> `APVD_01`).
    """
    photograph = re.sub(r"-\d+$", "", stem)
    if set_name.startswith(("gaps384", "negatives_nha12d")):
        photograph = re.sub(r"_\d+_\d+$", "", photograph)
    return photograph


def is_validation(set_name: str, stem: str, share_of_others: float = 0.0) -> bool:
    """Whether the photograph behind a file is kept from training: by hash of its name, so it never moves.

    `share_of_others`: that of sets without a share in `VALIDATION_SHARE`, 0..1.

    Crack-free parts of NHA12D hash as the photograph that they were cut from and fall on the same side.
    """
    family = set_name.removeprefix("negatives_")
    key = f"{family}/{photograph_of(set_name, stem)}"
    position = int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "big") / 2**64
    return position < VALIDATION_SHARE.get(set_name, share_of_others)


def list_pairs(folders: Iterable[Path]) -> list[tuple[str, Path, Path]]:
    """All (set name, image, mask) under data folders, sorted by folder and stem.

    A folder that holds `images/` itself is one set. Others without `images/` are passed over.
    Raises FileNotFoundError where an image has no mask or where nothing is found at all.
    """
    found = []
    folders = list(folders)
    sets = [folder for given in folders for folder in (given, *given.glob("*"))]
    for images in sorted(folder / "images" for folder in sets if (folder / "images").is_dir()):
        for image in sorted(path for path in images.iterdir() if path.suffix.lower() in _IMAGE_SUFFIXES):
            mask = images.parent / "masks" / f"{image.stem}.png"
            if not mask.is_file():
                raise FileNotFoundError(f"{image} has no mask {mask}: add the mask or remove the image")
            found.append((images.parent.name, image, mask))
    if not found:
        raise FileNotFoundError(
            f"no NAME/images/*.jpg|png under {', '.join(map(str, folders))}: expected one folder per set"
        )
    return found


def load_pairs(
    folders: Iterable[Path],
    *,
    validation: bool,
    classes: Sequence[str] = ("crack",),
    share_of_others: float = 0.0,
) -> list[Pair]:
    """Decode the training or the validation part of all sets under `folders` into memory.

    Labels are indices into `classes`, counted from 1. `share_of_others`: see `is_validation`. Raises
    FileNotFoundError, or ValueError where a mask does not fit its image or its set's classes.
    """
    return [
        _load_pair(name, image, mask, classes)
        for name, image, mask in list_pairs(folders)
        if is_validation(name, image.stem, share_of_others) == validation
    ]


def _load_pair(set_name: str, image_path: Path, mask_path: Path, classes: Sequence[str]) -> Pair:
    image = np.asarray(Image.open(image_path).convert("RGB"))
    mask = np.asarray(Image.open(mask_path).convert("L"))
    if image.shape[:2] != mask.shape:
        raise ValueError(
            f"{mask_path} is {mask.shape[1]}x{mask.shape[0]} px but {image_path} is "
            f"{image.shape[1]}x{image.shape[0]} px: make them one size"
        )
    label = _label(mask, mask_path, classes)
    places = [np.argwhere(label == index + 1).astype(np.int32) for index in range(len(classes))]
    crack_at = np.concatenate([place[:: max(1, len(place) // 2000)] for place in places])
    return Pair(set_name, image_path.stem, image, label, crack_at)


def _label(mask: NDArray[np.uint8], mask_path: Path, classes: Sequence[str]) -> NDArray[np.uint8]:
    """Values of a mask file -> 1 + index into `classes`."""
    known = classes_of_set(mask_path.parents[1])
    if known is None:
        label = (mask >= 128) * np.uint8(classes.index("crack") + 1 if "crack" in classes else 0)
        label[mask == MASK_NOT_INSPECTED] = IGNORE
        return label
    index_of = np.zeros(256, np.uint8)
    index_of[IGNORE] = IGNORE
    for value, name in enumerate(known, start=1):
        if name in classes:
            index_of[value] = classes.index(name) + 1
    if (strange := (mask > len(known)) & (mask != IGNORE)).any():
        raise ValueError(
            f"{mask_path} has the value {mask[strange].min()}, but classes.txt beside it names {len(known)} "
            f"classes: values are 0 to {len(known)}, or {IGNORE} to ignore"
        )
    return index_of[mask]


def classes_of_set(folder: Path) -> tuple[str, ...] | None:
    """Names of the values 1, 2, ... in the masks of a set; None where it labels crack or not (255 or 0).

    Raises ValueError for a `classes.txt` without names, or with a name twice.
    """
    file = folder / "classes.txt"
    if not file.is_file():
        return None
    names = tuple(line.strip() for line in file.read_text(encoding="utf-8").splitlines() if line.strip())
    if not 1 <= len(names) <= 254 or len(set(names)) < len(names):
        raise ValueError(f"{file} names {', '.join(names) or 'nothing'}: 1 to 254 different names needed")
    return names


def pixels_per_class(pairs: Iterable[Pair], classes: int) -> NDArray[np.int64]:
    """Labelled pixels of sound and of each of `classes` classes, (1 + classes,); ignored ones left out."""
    counts = np.zeros(classes + 1, np.int64)
    for pair in pairs:
        counts += np.bincount(pair.label.ravel(), minlength=IGNORE + 1)[: classes + 1]
    return counts
