"""What two years must have in common to show a difference of the road, and the remedy if not."""

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import fields
from typing import Any

import pyarrow.compute as pc

from crackpipe.model.weights.folder import name_of
from crackpipe.pipeline.compare.again import again
from crackpipe.pipeline.compare.years import Made, Year
from crackpipe.pipeline.config import WITHOUT_EFFECT, Config
from crackpipe.pipeline.fingerprint import COARSE_LOOK, SCREEN, first_form_of

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
    told += [f"{key} differs" for key in _changed(*_configurations(older, newer)) if key in OF_CAMERA]
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
    same = {"algorithm": "crackpipe"}
    for name in ("weights", "threshold", "algorithm", "configuration"):
        said = [each.get(name) for each in year.made.fingerprints]
        if name == "configuration":  # markers once held a digest of it, which a run takes for the same
            said = [each for each in said if not isinstance(each, str)]
        if len({json.dumps(each, sort_keys=True) for each in said}) > 1:
            yield (
                f"the images of {year.root} were not all made with the same {same.get(name, name)}. Run its "
                f"survey again to the end, which does the images that differ: `{_command(year, {})}`."
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
    first, second = (each.fingerprints[0] if each.fingerprints else {} for each in (before, now))
    again_so = f"Run the older year again as the newer: `{_command(older, _as_made(before, now))}`"
    if first.get("weights") != second.get("weights"):
        names = [_weights_of(made) for made in (before, now)]
        yield (
            f"the years have different weights, {names[0]} and {names[1]}. {again_so}, or both with a fixed "
            "name (`crackpipe weights list`)."
        )
    if first.get("threshold") != second.get("threshold"):
        probabilities = [_probability(each.get("threshold")) for each in (first, second)]
        yield f"the years have different thresholds, {' and '.join(probabilities)}. {again_so}."
    if first.get("algorithm") != second.get("algorithm"):
        yield (
            "the years were made by versions of crackpipe that trace or measure in different ways. Run both "
            f"again with this one: `{_command(older, {})}`, `{_command(newer, {})}`."
        )
    yield from _looks(older, newer, again_so)
    configurations = _configurations(before, now)
    if any(isinstance(each, str) for each in configurations):
        if configurations[0] != configurations[1]:
            yield f"the years differ in the configuration, and one of them does not tell where. {again_so}."
    elif changed := [key for key in _changed(*configurations) if key not in OF_CAMERA]:
        yield f"the years differ in the configuration: {', '.join(changed)}. {again_so}."
    yield from _gsd(older, newer)


def _looks(older: Year, newer: Year, again_so: str) -> Iterator[str]:
    looks = [{each.get(COARSE_LOOK) for each in made.fingerprints} for made in (older.made, newer.made)]
    if looks[0] != looks[1]:
        yield (
            "one of the years was made with coarse looks, which find wide cracks, and the other without. "
            f"{again_so}, or both with `coarse_look = false` in crackpipe.toml."
        )
    screens = [{each.get(SCREEN) for each in made.fingerprints} for made in (older.made, newer.made)]
    if looks[0] == looks[1] and screens[0] != screens[1]:
        commands = [f"`{_command(year, {SCREEN: None})}`" for year in (older, newer)]
        yield (
            "the years were made with different screens, which leave a part of the cracks out. Run both "
            f"without --screen, and without `screen` in crackpipe.toml: {', '.join(commands)}."
        )


def _command(year: Year, other: Mapping[str, Any]) -> str:
    """The command that runs a year again with its own options, but for those in `other`; None: default."""
    return again(year.made.sources, year.root, {**year.made.options, **other})


def _as_made(before: Made, now: Made) -> dict[str, Any]:
    """The options by which the older year becomes like the newer: all but those of its images and camera."""
    first, second = (each.fingerprints[0] if each.fingerprints else {} for each in (before, now))
    names = {each.name for each in fields(Config)} - WITHOUT_EFFECT - {*OF_CAMERA}
    options = {name: now.options.get(name) for name in (*names, "coarse_look", "screen", "threshold")}
    options["weights"] = _weights_of(now)
    if first.get("threshold") != second.get("threshold"):
        options["threshold"] = _probability(second.get("threshold"))
    return options


def _gsd(older: Year, newer: Year) -> Iterator[str]:
    fine, coarse = sorted((older, newer), key=lambda year: year.made.gsd_mm)
    if coarse.made.gsd_mm > MOST_GSD_RATIO * fine.made.gsd_mm:
        yield (
            f"the years have different ground sample distances, {older.made.gsd_mm:.3g} and "
            f"{newer.made.gsd_mm:.3g} mm per pixel (at most {MOST_GSD_RATIO:g} times): the finer one "
            f"shows cracks that the other cannot. Resample the images of {fine.root} to "
            f"{coarse.made.gsd_mm:.3g} mm (`gdalwarp -tr ... -r average`) and run them."
        )


def _configurations(before: Made, now: Made) -> tuple[Mapping[str, Any] | str, Mapping[str, Any] | str]:
    """The configurations of two years. One of which markers hold a digest is read as a run reads it.

    It stays a digest where nobody can tell what it stands for; then a run does the images again.
    """
    said = [_said(made) for made in (before, now)]
    beside: Mapping[str, Any] = next((each for each in reversed(said) if not isinstance(each, str)), {})
    known = first_form_of(beside)
    first, second = (known.get(each, each) if isinstance(each, str) else each for each in said)
    return first, second


def _changed(before: Mapping[str, Any] | str, now: Mapping[str, Any] | str) -> list[str]:
    """Keys in which two configurations differ. A digest tells none, so it counts as without keys."""
    first, second = ({} if isinstance(each, str) else each for each in (before, now))
    return sorted(key for key in {**first, **second} if first.get(key) != second.get(key))


def _said(made: Made) -> Mapping[str, Any] | str:
    """What the markers of a year say of its configuration: rather the keys than a digest."""
    found = [each.get("configuration", {}) for each in made.fingerprints]
    return next((each for each in found if isinstance(each, dict)), found[0] if found else {})


def _weights_of(made: Made) -> str:
    sha256 = str(made.fingerprints[0].get("weights")) if made.fingerprints else "None"
    return name_of(sha256) or (made.weights if made.weights != "None" else sha256[:12])


def _probability(threshold: Any) -> str:
    """The probability that a marker's threshold, 0..254, stands for."""
    # rounded down, since a run rounds up to the next of the 254 levels
    return f"{math.floor(threshold / 254 * 1e4) / 1e4:g}" if isinstance(threshold, int | float) else "unknown"
