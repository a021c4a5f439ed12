"""Read the place of each section from the XML files of a laser crack measurement system (LCMS).

A section's XML lies beside its picture and has the begin of its name. Its `SectionPosition` is taken as the
middle of the section, the first `GPSCoordinate` as its begin in the middle of the lane.
"""

from bisect import bisect_left
from collections.abc import Sequence
from pathlib import Path
from xml.etree.ElementTree import Element

import numpy as np

from crackpipe.pipeline.errors import UsageError
from crackpipe.pipeline.frames.files.listing import Frame
from crackpipe.pipeline.frames.positions.table import Fault, Positions, unknown
from crackpipe.pipeline.frames.positions.words import is_no_position, number_of
from crackpipe.pipeline.frames.positions.xml import read_xml, word

ROOT = "LcmsAnalyserResults"


def read_lcms(folder: Path, frames: Sequence[Frame]) -> Positions:
    """A position for each XML of a section below a folder; `lines` counts files. Raises UsageError."""
    sections, faults = sections_below(folder)
    stems: dict[str, list[Frame]] = {}
    for frame in frames:
        stems.setdefault(Path(frame.name).stem.lower(), []).append(frame)
    sorted_stems = sorted(stems)
    return Positions(
        source=folder.name,
        lines=[number for number, _, _ in sections],
        unit="file",
        names=[_picture(file, folder, stems, sorted_stems) for _, file, _ in sections],
        xy=np.array([section.place for _, _, section in sections]),
        crs="EPSG:4326",
        crs_from="LCMS is taken as WGS 84",
        heading=np.array([section.heading for _, _, section in sections]),
        time_s=unknown(len(sections)),
        ahead_m=np.array([section.ahead_m for _, _, section in sections]),
        order=np.array([section.begin_m for _, _, section in sections]),
        faults=faults,
        notes=[
            "SectionPosition was taken as the middle of a section, the first GPSCoordinate as its begin, "
            "both in the middle of the picture"
        ],
        camera=_scale([section for _, _, section in sections], frames, folder.name),
    )


class Crack:
    """A crack of a section: millimetres from its lower left corner, to the right and ahead; NaN: not said."""

    def __init__(self, element: Element) -> None:
        self.number = word(element, "CrackID")
        self.width_mm = _measure(element, "WeightedWidth")
        self.depth_mm = _measure(element, "WeightedDepth")
        nodes = element.findall("{*}Node")
        self.nodes_mm = np.array([[_value(node, "X"), _value(node, "Y")] for node in nodes]).reshape(-1, 2)
        self.node_widths_mm = np.array([_measure(node, "Width") for node in nodes])


def _measure(element: Element, path: str) -> float:
    """A width or depth; negative ones mean that there is none."""
    value = _value(element, path)
    return value if value >= 0 else float("nan")


class Section:
    """What one XML says: millimetres, metres, degrees; NaN where it says nothing."""

    def __init__(self, root: Element) -> None:
        middle = (_value(root, "SectionPosition/Longitude"), _value(root, "SectionPosition/Latitude"))
        first = root.find("{*}GPSInformation/{*}GPSCoordinate")
        self.begin_m = _value(root, "RoadSectionInfo/DistanceBegin_m")
        length_m = _value(root, "RoadSectionInfo/SectionLength_m")
        image = "ResultImageInformation/"
        self.mm = (_value(root, image + "ResolutionX"), _value(root, image + "ResolutionY"))
        self.size_px = (_value(root, image + "ImageWidth"), _value(root, image + "ImageHeight"))
        if not np.isfinite(length_m):
            length_m = self.mm[1] * self.size_px[1] / 1000
        headings = [_value(root, "SectionPosition/Heading"), number_of(word(first, "TrackAngle"))]
        # 0 and -1 are what the system writes where it has none
        self.heading = next(
            (each for each in headings if np.isfinite(each) and each not in {0.0, -1.0}), np.nan
        )
        self.length_m = length_m
        self.cracks = [Crack(each) for each in root.findall(".//{*}CrackInformation/{*}CrackList/{*}Crack")]
        self.place, self.ahead_m = middle, 0.0
        if is_no_position(*middle):
            self.place = (number_of(word(first, "Longitude")), number_of(word(first, "Latitude")))
            self.ahead_m = length_m / 2 if np.isfinite(length_m) else 0.0
        if is_no_position(*self.place):
            self.place = (np.nan, np.nan)


def sections_below(folder: Path) -> tuple[list[tuple[int, Path, Section]], list[Fault]]:
    """Sections as (number of the file, file, section), and files that cannot be read. Raises UsageError."""
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() == ".xml" and path.is_file())
    faults: list[Fault] = []
    sections: list[tuple[int, Path, Section]] = []
    for number, file in enumerate(files, start=1):
        try:
            root = read_xml(file)
            if root.tag.rpartition("}")[2] != ROOT:
                continue
            sections.append((number, file, Section(root)))
        except (UsageError, ValueError) as error:
            faults.append(Fault(line=number, said=f"{file.name}: {error}"))
    if not sections:
        said = f" The first fault: {faults[0].said}." if faults else ""
        raise UsageError(
            f"no XML file below {folder} is of an LCMS section ({ROOT}).{said} Give the folder with the XML "
            "files."
        )
    return sections, faults


def _value(root: Element, path: str) -> float:
    return number_of(word(root, path))


def _beginning_with(stem: str, names: Sequence[str]) -> list[str]:
    """Of sorted names those that are `stem` with `_` or `-` and something behind it."""
    found: list[str] = []
    for start in (f"{stem}-", f"{stem}_"):
        for at in range(bisect_left(names, start), len(names)):
            if not names[at].startswith(start):
                break
            found.append(names[at])
    return found


def _picture(file: Path, folder: Path, stems: dict[str, list[Frame]], sorted_stems: Sequence[str]) -> str:
    """The name of the section's picture: the one of the same stem, or the only one that begins with it.

    Where several folders hold that stem, the name has the folder of the XML.
    """
    stem, beside = file.stem.lower(), file.relative_to(folder)
    if stem in stems:
        same = [frame.name for frame in stems[stem]]
        return same[0] if len(same) == 1 else beside.with_name(Path(same[0]).name).as_posix()
    fitting = [each.name for name in _beginning_with(stem, sorted_stems) for each in stems[name]]
    here = [name for name in fitting if Path(name).parent == beside.parent]
    fitting = here or fitting
    if len(fitting) > 1:
        raise UsageError(
            f"{file.name} has {len(fitting)} pictures, {fitting[0]!r} and {fitting[1]!r} among them, of the "
            "same ground. Leave all but one kind out with --exclude, such as --exclude '*_range.jpg'."
        )
    return fitting[0] if fitting else beside.with_suffix("").as_posix()


def _scale(sections: Sequence[Section], frames: Sequence[Frame], source: str) -> dict[str, float]:
    """Millimetres per pixel of the pictures as they are, which may be smaller than the XML says."""
    facts = {(*each.mm, *each.size_px) for each in sections}
    if len(facts) > 1:
        raise UsageError(
            f"sections of {source} differ in resolution or size: {len(facts)} kinds. Run each by itself."
        )
    across_mm, along_mm, width_px, height_px = facts.pop()
    if not np.isfinite([across_mm, along_mm, width_px, height_px]).all():
        return {}
    frame = frames[0]
    return {
        "mm_per_px_across": across_mm * width_px / frame.width_px,
        "mm_per_px_along": along_mm * height_px / frame.height_px,
    }
