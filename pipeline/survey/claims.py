"""A world file serves one image.

By its name, `a.wld` is the world file of `a.tif`, `a.jpg` and `a.png` at once. Often one of them is a smaller
copy of another, and the world file gives it the wrong pixel size. So where several images could use one world
file, it belongs to the image that it fits best:

1. the one whose own georeference it confirms;
2. the one that names a CRS itself;
3. the one with the most pixels;
4. the one that is spelled as the world file, and then the first by name.

The others are rejected. Files beside an image count too, whether or not they belong to the survey. An image
that cannot be used may still be the one for which the world file was made. So it keeps the world file, unless
it is known to be the smaller one.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from crackpipe.pipeline.image import Rejected, SurveyImage
from crackpipe.pipeline.survey.files.candidates import Candidate
from crackpipe.pipeline.survey.files.formats import SUPPORTED_SUFFIXES
from crackpipe.pipeline.survey.sidecars import names as sidecars
from crackpipe.pipeline.survey.sidecars.names import Names

Examine = Callable[[Candidate, Names], SurveyImage | Rejected]


def settle(
    images: Sequence[SurveyImage],
    rejected: Sequence[Rejected],
    names: Mapping[Path, Names],
    examine: Examine,
) -> tuple[list[SurveyImage], list[Rejected]]:
    """Split images into those that keep their place and those whose world file belongs to another one.

    `names` are those of each folder; `examine` describes a file beside the images that is none of them.
    """
    described: dict[Path, SurveyImage | Rejected] = {image.path: image for image in images}
    described |= {each.path: each for each in rejected}
    kept, lost = [], []
    for image in images:
        owner = _better(image, described, names.get(image.path.parent), examine)
        if owner is None:
            kept.append(image)
        else:
            lost.append(_refused(image, owner))
    return kept, lost


def _better(
    image: SurveyImage, described: dict[Path, SurveyImage | Rejected], names: Names | None, examine: Examine
) -> SurveyImage | Rejected | None:
    """Another image that the world file of `image` fits better; None where there is none."""
    if image.world_file is None or image.world_file_fit == 3 or names is None:
        return None
    file = image.path.with_name(image.world_file)
    for path in _beside(image.path, names):
        if sidecars.find(path, sidecars.world_file_names(path), names) != file:
            continue
        if path not in described:
            # outside the survey: its folder is the root that links may not leave
            described[path] = examine(Candidate(path.name, image.survey, path, path.parent), names)
        rival = described[path]
        if _rank(rival, file) > _rank(image, file):
            return rival
    return None


def _beside(path: Path, names: Names) -> Iterator[Path]:
    """Other files of the same folder that could be the same image in another format."""
    for suffix in sorted(SUPPORTED_SUFFIXES):
        for name in names.get(sidecars.key(path.stem + suffix), ()):
            if name != path.name:
                yield path.with_name(name)


def _rank(image: SurveyImage | Rejected, file: Path) -> tuple[float, float, bool, list[int]]:
    """How well a world file fits; of one that has a place without it, not at all."""
    fit, pixels = 1.0, math.inf
    if isinstance(image, SurveyImage):
        fit = 0.0 if image.world_file != file.name else image.world_file_fit
    if image.height_px is not None and image.width_px is not None:
        pixels = image.height_px * image.width_px
    first_by_name = [-ord(letter) for letter in image.path.name]
    return fit, pixels, image.path.stem == file.stem, first_by_name


def _refused(image: SurveyImage, owner: SurveyImage | Rejected) -> Rejected:
    size = "" if owner.height_px is None else f", which has {owner.height_px} x {owner.width_px} px"
    refused = Rejected.of(
        image,
        "world-file-shared",
        f"the world file {image.world_file} belongs to {owner.path.name}{size}",
        f"Leave it out with --exclude if it is a copy; else give it a world file of its own: "
        f"{sidecars.world_file_names(image.path)[0]}",
    )
    # its place is that of the other image
    return replace(refused, transform=None, gsd_mm=None)
