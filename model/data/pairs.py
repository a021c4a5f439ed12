"""Folders of images and masks become photographs with their labels, for training or for validation.

A data folder holds one folder per set, `DIR/NAME/images/*.jpg|png` and `DIR/NAME/masks/*.png`, with the same
stem. Masks are 8-bit with one channel. Rendered roads come in the same layout. All of it is decoded into
memory once (about 1 GB for 280 megapixels).

In most masks 0 is sound, 255 is crack, and 127 a pixel that nobody labelled. A set that labels several
classes has a file `classes.txt` beside its two folders, one name a line: line k names the value k of its
masks, and 255 is a pixel that nobody labelled. A class that the training does not ask for becomes sound.

Photographs, not crops, are divided into training and validation. Two crops of one photograph share road
surface, light and camera, so a network trained on one does well on the other for the wrong reason.
Frame: pixels are (row, col).
"""

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from crackpipe.model.data.pictures import check_grey, open_mask, open_rgb

TILE_PX = 448

IGNORE = 255
"""Label of a pixel that counts neither in training nor in figures, because nobody labelled it."""

NOT_LABELLED_GREY = 127
"""Such a pixel in a mask *file* of grey values 0 and 255, where 255 means crack. Read as `IGNORE`."""

VALIDATION_SHARE = {
    "deepcrack": 0.18,
    "cfd": 0.18,
    "sut_crack": 0.18,
    "cracksc": 0.18,
    "nha12d": 0.20,
    "negatives_nha12d": 0.20,
    "rendered_classes": 0.12,
    "rendered": 0.0,
    "rendered_cameras": 0.0,
    "crack500_360": 0.0,
    "gaps384_crops": 0.0,
    "shadowcrack_crops": 0.0,
    "aiglern_trimm_crops": 0.0,
    "dnit": 0.665,  # of its sections, of which some have one frame and one 184: 136 of 666 frames
    "dnit_plan": 0.665,
    "paveseg_preview": 0.18,
    "cracknj156_samples": 0.18,
    "polyhaven_1k": 0.18,
}
"""The share, 0..1, of each set's photographs that is never trained on; for other sets the caller gives one.
It is 0 for rendered roads, for crack500_360, where nobody knows which crops are of one photograph, and for
the three sets after that, which are small crops."""

_NEGATIVES = "negatives_"
"""Begins the name of a set of crack-free parts; the name of the set they were cut from follows."""
_BY_SECTION = ("dnit", "dnit_plan")
_SAME_PLACE = {"000072": "000070", "000093": "000092", "000078": "000041", "000090": "000048"}
"""Pictures of PaveSeg that show the place of another one."""

_IMAGE_SUFFIXES = {".jpg", ".jpeg", ".png"}


@dataclass(frozen=True)
class Pair:
    """A photograph, or the part of one that a set holds, with its label."""

    set_name: str
    stem: str
    image: NDArray[np.uint8] = field(repr=False)
    """(H, W, 3) RGB."""
    label: NDArray[np.uint8] = field(repr=False)
    """(H, W): 0 sound, 1 + the index of a class (so 1 is crack where that is the only class), or `IGNORE`."""
    crack_at: NDArray[np.int32] = field(repr=False)
    """(M, 2) pixels as (row, col) to aim a tile at: about 2,000 of each class, evenly picked. M is 0 for a
    crack-free photograph."""


def photograph_of(set_name: str, stem: str) -> str:
    """Name of the photograph that a file was cut from, without the set's name.

    A crop is numbered after the last dash: `train_IMG33-10` -> `train_IMG33`. A crop of GAPs also names its
    position (`..._0608_541_1-6` -> `..._0608`), a part in a set `negatives_NAME` its corner as (row, col)
    after the name that the photograph has in NAME (`APVD_01_0_768` -> `APVD_01`).
    Frames of DNIT go by their road section (`DF_251_251BDF0052_001234` -> `DF_251_251BDF0052`), because
    neighbours show the same road; pictures of PaveSeg that show one place are one photograph.
    """
    if set_name.startswith(_NEGATIVES):
        return photograph_of(family_of(set_name), re.sub(r"_\d+_\d+$", "", stem))
    if set_name in _BY_SECTION:
        return re.sub(r"_\d+$", "", stem)
    if set_name == "paveseg_preview":
        return _SAME_PLACE.get(stem, stem)
    photograph = re.sub(r"-\d+$", "", stem)
    if set_name.startswith("gaps384"):
        photograph = re.sub(r"_\d+_\d+$", "", photograph)
    return photograph


def family_of(set_name: str) -> str:
    """The set whose photographs a set holds: crack-free parts and plan views are of the set they came
    from."""
    return set_name.removeprefix(_NEGATIVES).removesuffix("_plan")


def is_validation(set_name: str, stem: str, share_of_others: float = 0.0) -> bool:
    """Whether the photograph behind a file is kept from training.

    A hash of its name decides, so a photograph never changes sides. `share_of_others` is the share, 0..1, for
    sets that have none in `VALIDATION_SHARE`, nor their family. A crack-free part is hashed by the name of
    the photograph that it was cut from, so both are on the same side, and so is a plan view of DNIT.
    """
    key = f"{family_of(set_name)}/{photograph_of(set_name, stem)}"
    position = int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "big") / 2**64
    of_family = VALIDATION_SHARE.get(family_of(set_name), share_of_others)
    return position < VALIDATION_SHARE.get(set_name, of_family)


def list_pairs(folders: Iterable[Path]) -> list[tuple[str, Path, Path]]:
    """All (set name, image, mask) under data folders, sorted by folder and stem.

    A folder that holds `images/` itself is one set. Folders without `images/` are passed over, and so are
    hidden ones, such as a set that `dataset prepare` has not finished, and hidden files.
    Raises FileNotFoundError if an image has no mask, or if nothing is found at all.
    """
    found = []
    folders = list(folders)
    sets = [folder for given in folders for folder in (given, *given.glob("[!.]*"))]
    for images in sorted(folder / "images" for folder in sets if (folder / "images").is_dir()):
        for image in sorted(path for path in images.glob("[!.]*") if path.suffix.lower() in _IMAGE_SUFFIXES):
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

    Labels are indices into `classes`, counted from 1. `share_of_others` is explained in `is_validation`.
    Raises FileNotFoundError as `list_pairs` does, and ValueError if a file cannot be read (`pictures`), or
    a mask does not fit its image or the classes of its set.
    """
    return [
        _load_pair(name, image, mask, classes)
        for name, image, mask in list_pairs(folders)
        if is_validation(name, image.stem, share_of_others) == validation
    ]


def _load_pair(set_name: str, image_path: Path, mask_path: Path, classes: Sequence[str]) -> Pair:
    image, mask = open_rgb(image_path), open_mask(mask_path)
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
    """The values of a mask file, uint8 (H, W), become 0, 1 + the index into `classes`, or `IGNORE`."""
    known = classes_of_set(mask_path.parents[1])
    if known is None:
        check_grey(mask, mask_path, NOT_LABELLED_GREY)
        label = (mask >= 128) * np.uint8(classes.index("crack") + 1 if "crack" in classes else 0)
        label[mask == NOT_LABELLED_GREY] = IGNORE
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


def has_crack(mask_path: Path, classes: Sequence[str], kinds: Sequence[str]) -> bool:
    """Whether a mask file labels a class of kind `crack`. Raises ValueError as `load_pairs` does."""
    return shows_crack(_label(open_mask(mask_path), mask_path, classes), kinds)


def shows_crack(label: NDArray[np.uint8], kinds: Sequence[str]) -> bool:
    """Whether a label (H, W) has a pixel of a class of kind `crack`; `kinds` are those of 1, 2, ..."""
    return bool(np.isin(label, [k for k, kind in enumerate(kinds, start=1) if kind == "crack"]).any())


def classes_of_set(folder: Path) -> tuple[str, ...] | None:
    """Names of the values 1, 2, ... in the masks of a set; None if it labels crack and sound only.

    Raises ValueError if its `classes.txt` holds no name, too many, or a name twice.
    """
    file = folder / "classes.txt"
    if not file.is_file():
        return None
    names = tuple(line.strip() for line in file.read_text(encoding="utf-8").splitlines() if line.strip())
    if not 1 <= len(names) <= 254 or len(set(names)) < len(names):
        raise ValueError(f"{file} names {', '.join(names) or 'nothing'}: 1 to 254 different names needed")
    return names


def pixels_per_class(pairs: Iterable[Pair], classes: int) -> NDArray[np.int64]:
    """Count the pixels of sound and of each class, int64 (1 + classes,). `IGNORE` is not counted."""
    counts = np.zeros(classes + 1, np.int64)
    for pair in pairs:
        counts += np.bincount(pair.label.ravel(), minlength=IGNORE + 1)[: classes + 1]
    return counts
