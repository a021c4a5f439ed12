"""What two years must have in common to show a difference of the road, and the remedy if not."""

import math
from collections.abc import Iterator, Mapping
from typing import Any

import pyarrow.compute as pc

from crackpipe.model.weights.folder import name_of
from crackpipe.pipeline.compare.years import Made, Year
from crackpipe.pipeline.fingerprint import COARSE_LOOK, SCREEN

MOST_GSD_RATIO = 1.1
"""GSDs that differ by more show different cracks, and widths of the same crack with different errors."""
OF_CAMERA = ("sigma_psf_px", "contrast", "contrast_sd", "tone", "white_level", "collar")
"""Keys of the configuration that belong to a camera. Where they differ, the cameras do."""
_SAME_CAMERA_GSD = 1.02


def differences(older: Year, newer: Year) -> list[str]:
    """Why the two cannot be compared, each a sentence with its remedy; empty where they can."""
    found = [*_within(older), *_within(newer)]
    if not found:
        found += _between(older, newer)
    return found


def other_camera(older: Made, newer: Made) -> list[str]:
    """What tells that the cameras of the two years differ, in words; empty where nothing does."""
    told = []
    before, now = _configuration(older), _configuration(newer)
    told += [f"{key} differs" for key in OF_CAMERA if before.get(key) != now.get(key)]
    if not older.sizes_px & newer.sizes_px and older.sizes_px and newer.sizes_px:
        told.append("no image of one has the size of an image of the other")
    ratio = max(older.gsd_mm, newer.gsd_mm) / min(older.gsd_mm, newer.gsd_mm)
    if ratio > _SAME_CAMERA_GSD:
        told.append(f"the GSDs are {older.gsd_mm:.3g} and {newer.gsd_mm:.3g} mm")
    if older.origins != newer.origins:
        told.append("another system found the cracks")
    return told


def notes(older: Year, newer: Year) -> list[str]:
    """What is odd, but no reason to refuse, each a sentence."""
    told = []
    before, now = (
        set(pc.unique(each.table.column("acquired")).to_pylist()) - {None} for each in (older, newer)
    )
    if before and now and min(before) > max(now):
        told.append(f"the older year, {older.root}, has later dates than the newer: were they swapped?")
    if before & now:
        told.append(
            f"both have cracks of {min(before & now)}: one drive mapped twice, or two of one day. What "
            "differs then is how the cracks were seen, and no change of the road"
        )
    first, second = (
        each.made.fingerprints[0].get("precision") if each.made.fingerprints else None
        for each in (older, newer)
    )
    if first and second and first != second:
        told.append(
            f"the years were computed in {first} and {second}: near its threshold a network differs a bit"
        )
    for year in (older, newer):
        if not year.inspected.known:
            told.append(f"{year.root} has no images, so all ground counts as inspected there")
    return told


def _within(year: Year) -> Iterator[str]:
    for name, words in (("weights", "weights"), ("threshold", "threshold"), ("algorithm", "crackpipe")):
        if len({str(each.get(name)) for each in year.made.fingerprints}) > 1:
            yield (
                f"the images of {year.root} were not all made with the same {words}. Run its survey again to "
                "the end, with the same options: `crackpipe run` does the images that differ."
            )
    if len(year.made.origins) > 1:
        yield (
            f"the cracks of {year.root} come from several systems ({', '.join(year.made.origins)}). Split "
            "them by `origin` into an output each."
        )


def _between(older: Year, newer: Year) -> Iterator[str]:
    before, now = older.made, newer.made
    if before.origins != now.origins:
        yield (
            f"the cracks of {older.root} come from {', '.join(before.origins)}, those of {newer.root} from "
            f"{', '.join(now.origins)}: what differs may be the system and not the road. Find both years "
            "with one system."
        )
        return
    again = " ".join(before.sources) or "the survey of the older year"
    first, second = (each.fingerprints[0] if each.fingerprints else {} for each in (before, now))
    if first.get("weights") != second.get("weights"):
        names = [_weights_of(year, made) for year, made in ((before, first), (now, second))]
        yield (
            f"the years have different weights, {names[0]} and {names[1]}. Run the older year again with "
            f"those of the newer: `crackpipe run {again} --out {older.root} --weights {names[1]}`, or "
            "both with a fixed name (`crackpipe weights list`)."
        )
    if first.get("threshold") != second.get("threshold"):
        wanted = _probability(second.get("threshold"))
        yield (
            f"the years have different thresholds, {_probability(first.get('threshold'))} and {wanted}. Run "
            f"the older year again: `crackpipe run {again} --out {older.root} --threshold {wanted}`."
        )
    if first.get("algorithm") != second.get("algorithm"):
        yield (
            f"the years were made by versions of crackpipe that trace or measure in different ways. Run both "
            f"again with this one: `crackpipe run {again} --out {older.root}`."
        )
    yield from _looks(older, newer, again)
    changed = sorted(
        key
        for key in {**_configuration(before), **_configuration(now)}
        if key not in OF_CAMERA and _configuration(before).get(key) != _configuration(now).get(key)
    )
    if changed:
        yield (
            f"the years differ in the configuration: {', '.join(changed)}. Run the older year again with the "
            f"newer's crackpipe.toml: `crackpipe run {again} --out {older.root}`."
        )
    yield from _gsd(older, newer)


def _looks(older: Year, newer: Year, again: str) -> Iterator[str]:
    looks = [{each.get(COARSE_LOOK) for each in made.fingerprints} for made in (older.made, newer.made)]
    if looks[0] != looks[1]:
        yield (
            "one of the years was made with coarse looks, which find wide cracks, and the other without. Run "
            f"the older year again: `crackpipe run {again} --out {older.root}`, or both with "
            "`coarse_look = false` in crackpipe.toml."
        )
    screens = [{each.get(SCREEN) for each in made.fingerprints} for made in (older.made, newer.made)]
    if looks[0] == looks[1] and screens[0] != screens[1]:
        yield (
            "the years were made with different screens, which leave a part of the cracks out. Run both "
            "without --screen, and without `screen` in crackpipe.toml: "
            f"`crackpipe run {again} --out {older.root}`."
        )


def _gsd(older: Year, newer: Year) -> Iterator[str]:
    fine, coarse = sorted((older, newer), key=lambda year: year.made.gsd_mm)
    if coarse.made.gsd_mm > MOST_GSD_RATIO * fine.made.gsd_mm:
        yield (
            f"the years have different ground sample distances, {older.made.gsd_mm:.3g} and "
            f"{newer.made.gsd_mm:.3g} mm per pixel (at most {MOST_GSD_RATIO:g} times): the finer one "
            f"shows cracks that the other cannot. Resample the images of {fine.root} to "
            f"{coarse.made.gsd_mm:.3g} mm (`gdalwarp -tr ... -r average`) and run them."
        )


def _configuration(made: Made) -> Mapping[str, Any]:
    said = made.fingerprints[0].get("configuration") if made.fingerprints else None
    return said if isinstance(said, dict) else {}


def _weights_of(made: Made, fingerprint: Mapping[str, Any]) -> str:
    sha256 = str(fingerprint.get("weights"))
    return name_of(sha256) or (made.weights if made.weights != "None" else sha256[:12])


def _probability(threshold: Any) -> str:
    """The probability that a marker's threshold, 0..254, stands for."""
    # rounded down, since a run rounds up to the next of the 254 levels
    return f"{math.floor(threshold / 254 * 1e4) / 1e4:g}" if isinstance(threshold, int | float) else "unknown"
