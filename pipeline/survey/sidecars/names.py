"""Which files beside an image belong to it, by their names.

GDAL compares the names of sidecars in any case, and so do Windows and macOS. Also, macOS writes letters such
as ä in another way (NFD) than other systems (NFC). So names are compared by a key that is the same for all.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from unicodedata import normalize

Names = Mapping[str, list[str]]
"""The names of the files of a folder, by their `key`."""

# By the image's suffix in lower case: endings of its world file, the usual one first.
_JPEG, _TIFF = ("jgw", "jpgw", "jpegw", "jfw"), ("tfw", "tifw", "tiffw")
_ENDINGS = {".jpg": _JPEG, ".jpeg": _JPEG, ".tif": _TIFF, ".tiff": _TIFF, ".png": ("pgw", "pngw")}
_MASK = ".msk"


def key(name: str) -> str:
    """What all spellings of a file's name have in common."""
    return normalize("NFC", name.lower())


def names_in(folders: Iterable[Path]) -> dict[Path, Names]:
    """The names in each folder; a folder that cannot be listed is left out."""
    listed: dict[Path, Names] = {}
    for folder in folders:
        names: dict[str, list[str]] = {}
        try:
            for name in os.listdir(folder):  # noqa: PTH208  names are all that is wanted of 10,000 files
                names.setdefault(key(name), []).append(name)
        except OSError:
            continue
        listed[folder] = names
    return listed


def world_file_names(path: Path) -> list[str]:
    """Possible names of an image's world file, the most specific first: `a.jpg.jgw`, `a.jgw`, `a.wld`."""
    endings = _ENDINGS.get(path.suffix.lower(), ())
    stem = path.stem
    return [
        *(f"{path.name}.{ending}" for ending in endings[:1]),
        *(f"{stem}.{ending}" for ending in endings),
        f"{stem}.wld",
    ]


def approximate_names(path: Path) -> list[str]:
    """Possible names of the world file in which ArcGIS approximates a place: `a.jgwx`."""
    return [f"{path.stem}.{ending}x" for ending in _ENDINGS.get(path.suffix.lower(), ())[:1]]


def prj_names(path: Path) -> list[str]:
    """Possible names of the `.prj` file."""
    return [f"{path.stem}.prj"]


def mask_names(path: Path) -> list[str]:
    """Possible names of the mask."""
    return [f"{path.name}{_MASK}"]


def all_names(path: Path) -> list[str]:
    """Possible names of all files beside an image that have a say about it."""
    place = [*world_file_names(path), *approximate_names(path), *prj_names(path)]
    return [*place, f"{path.name}.aux.xml", *mask_names(path)]


def find(path: Path, possible: Iterable[str], names: Names | None) -> Path | None:
    """The first file beside an image that has one of the `possible` names; None where there is none.

    `names` are those of its folder; None where the folder cannot be listed, and only usual spellings count.
    """
    # not a pipe, for which one would wait for ever
    return next((file for file in _beside(path, possible, names) if os.path.isfile(file)), None)  # noqa: PTH113


def mask_of(path: Path, names: Names | None) -> Path | None:
    """The mask beside an image, be it a file, a link or a pipe; None where there is none.

    The mask of another image of the folder, whose name differs in case alone, is not taken. `names` as in
    `find`.
    """
    others = {name for name in (names or {}).get(key(path.name), ()) if name != path.name}
    for mask in _beside(path, mask_names(path), names):
        # `Path.exists` would raise where a long name with the ending behind it is longer than is allowed
        if mask.name[: -len(_MASK)] not in others and os.path.lexists(mask):
            return mask
    return None


def _beside(path: Path, possible: Iterable[str], names: Names | None) -> Iterator[Path]:
    """Paths beside an image that have one of the `possible` names in any spelling, the nearest first."""
    for name in possible:
        written = _spellings(name) if names is None else sorted(names.get(key(name), ()), key=_order(name))
        yield from (path.with_name(each) for each in written)


def _spellings(name: str) -> list[str]:
    stem, _, ending = name.rpartition(".")
    return [name, f"{stem}.{ending.upper()}"]


def _order(name: str) -> Callable[[str], tuple[bool, bool, str]]:
    """Sort as written before all others, then the image's own stem, then by name."""
    stem = name.rpartition(".")[0]
    return lambda each: (each != name, each.rpartition(".")[0] != stem, each)
