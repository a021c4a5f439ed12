"""What the masks and rows of a finished image were made from: the fingerprint in its marker.

An image is done again when its fingerprint is another one. So a fingerprint holds what can change a mask or a
row, and nothing else but the date, which is not compared. Of the configuration it holds the keys that differ
from their defaults: a key that a later version brings leaves finished images finished. The version of the
tables is not in it: tables are made again from the rows of finished images.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import astuple, fields
from pathlib import Path
from typing import Any

from crackpipe.model.weights.folder import name_of
from crackpipe.pipeline.config import WITHOUT_EFFECT, Config
from crackpipe.pipeline.image import SurveyImage
from crackpipe.pipeline.state.markers import Marker
from crackpipe.pipeline.storage import sealed
from crackpipe.pipeline.survey import region
from crackpipe.pipeline.tasks.job import Job, coarse_shift_of

# Raise when the same input would give other masks or rows: a default is another one, or the work is done
# another way. All finished images are then done again.
ALGORITHM_VERSION = 4

Fingerprint = dict[str, Any]
"""Plain JSON; its names are the words in which a run says what changed."""

_CONTENT = "file content"
"""The entry that is there with `--verify-inputs` only."""
_MASK_CONTENT = "mask content"
"""The same of an external mask."""
_MASK = "mask file"
_TIME = "file time"
_ETAG = "ETag"
"""In the place of the time for an image in object storage."""
_WEIGHTS = "weights"
ACQUIRED = "acquired"
"""Date of the image, "None" where unknown. Not compared: it is only a column, which the tables set anew.
Exports read it from the marker."""
COARSE_LOOK = "coarse look"
"""What is added to the logit of the coarse looks at an image; no entry where none was taken."""
SCREEN = "screen"
"""The suspicion in the coarse look from which a core gets a close one; no entry where all get one."""
_UNREADABLE = "unreadable"


# ---- today's form


def of_job(job: Job) -> Fingerprint:
    """What the masks and rows of all images depend on."""
    return {
        _WEIGHTS: job.network_sha256,
        "threshold": job.threshold,
        "configuration": _changed_keys(job.config),
        "algorithm": ALGORITHM_VERSION,
        "device": job.device,
        "precision": job.precision,
    }


def of_image(image: SurveyImage, job: Job) -> Fingerprint:
    """What besides depends on the image."""
    # an ETag names the content, and a file whose bytes are still elsewhere cannot be read here
    hashed = job.config.verify_inputs and image.etag is None
    content = {_CONTENT: _sha256(image.path)} if hashed else {}
    mask = image.mask
    mask_content = {_MASK_CONTENT: _sha256(mask.path)} if hashed and mask is not None else {}
    version = {_TIME: image.mtime_ns} if image.etag is None else {_ETAG: image.etag}
    # no entry for other images: those that were finished before there were plan views stay finished
    view = {} if image.view is None else {"homography": sealed.digest(astuple(image.view))}
    # no entry where none is taken: what was finished before there were coarse looks stays finished
    shift = coarse_shift_of(image.gsd_mm, job)
    look = {} if shift is None else {COARSE_LOOK: shift}
    # nor without a screen
    screen = {} if shift is None or job.screen is None else {SCREEN: job.screen}
    return {
        **content,
        **mask_content,
        **view,
        **look,
        **screen,
        "file size": image.size_bytes,
        **version,
        _MASK: None if mask is None else [mask.size_bytes, mask.etag or mask.mtime_ns],
        "georeference": sealed.digest([list(image.transform)[:6], image.crs_wkt, image.gsd_mm]),
        ACQUIRED: str(image.acquired),
        "region": region.digest(image),
    }


def of_nothing_read(fingerprint: Fingerprint) -> Fingerprint:
    """That of an image in object storage whose bytes did not come, so that the next run tries again."""
    return {**fingerprint, _ETAG: None}


def _changed_keys(config: Config) -> dict[str, Any]:
    """The keys with an effect that differ from their defaults."""
    changed = {
        each.name: getattr(config, each.name)
        for each in fields(Config)
        if each.name not in WITHOUT_EFFECT and getattr(config, each.name) != each.default
    }
    return dict(json.loads(json.dumps(changed)))  # as a marker gives it back: a tuple is a list there


def _sha256(file: Path) -> str:
    """Of a file's content, in hex; `unreadable` where reading fails, which the image's task will tell."""
    try:
        with file.open("rb") as opened:
            return hashlib.file_digest(opened, "sha256").hexdigest()
    except OSError:
        return _UNREADABLE


# ---- comparing


def reasons_to_run(
    marker: Marker | None, fingerprint: Fingerprint, first_form: Mapping[str, Fingerprint]
) -> list[str]:
    """Why an image must run, in words; empty if its marker was made from exactly these things.

    `first_form` is what `first_form_of` says of the configuration in `fingerprint`.
    """
    if marker is None:
        return ["not done yet"]
    before = _in_todays_form(marker.get("fingerprint", {}), first_form)
    # without --verify-inputs, size and time are enough
    passed_over = {ACQUIRED}
    if _is_same_content(_CONTENT, before, fingerprint):
        passed_over.add(_TIME)  # a restored backup, or a copy made without times
    if _is_same_content(_MASK_CONTENT, before, fingerprint):
        passed_over.add(_MASK)  # size and time
    if _MASK_CONTENT not in before:
        # earlier versions hashed the image alone; what they finished is not done again for that
        passed_over.add(_MASK_CONTENT)
    names = sorted(((set(before) - {_CONTENT, _MASK_CONTENT}) | set(fingerprint)) - passed_over)
    changed = [name for name in names if before.get(name) != fingerprint.get(name)]
    return [reason for name in changed for reason in _in_words(name, before, fingerprint)]


def _is_same_content(name: str, before: Fingerprint, now: Fingerprint) -> bool:
    """Whether both have the hash of a file under this name, and it is the same."""
    content = now.get(name)
    return content not in (None, _UNREADABLE) and bool(before.get(name) == content)


def _in_words(name: str, before: Fingerprint, now: Fingerprint) -> list[str]:
    if name == _WEIGHTS:
        return [_weights_in_words(str(before.get(name)), str(now[name]))]
    if name in (_CONTENT, _MASK_CONTENT):
        return [_content_in_words(name, before.get(name), now[name])]
    if name == COARSE_LOOK:
        return [_coarse_look_in_words(before.get(name), now.get(name))]
    if name == SCREEN:
        return [_screen_in_words(before.get(name), now.get(name))]
    if name != "configuration" or not isinstance(before.get(name), dict):
        return [f"{name} changed"]
    defaults = {each.name: each.default for each in fields(Config)}
    old, new = defaults | before[name], defaults | now[name]
    return [
        f"{key} changed from {json.dumps(old.get(key))} to {json.dumps(new.get(key))}"
        for key in sorted(set(before[name]) | set(now[name]))
        if old.get(key) != new.get(key)
    ]


def _content_in_words(name: str, before: str | None, now: str) -> str:
    """What two hashes of a file tell: that it changed only where both are known."""
    if now == _UNREADABLE:
        return f"{name} cannot be read"
    if before is None:
        return f"{name} was not hashed before"
    return f"{name} could not be read before" if before == _UNREADABLE else f"{name} changed"


def _coarse_look_in_words(before: float | None, now: float | None) -> str:
    if before is None:
        return (
            "with a coarse look now, for wide cracks; `coarse_look = false` in crackpipe.toml keeps the old"
        )
    return "without a coarse look now" if now is None else f"coarse look changed from {before} to {now}"


def _screen_in_words(before: float | None, now: float | None) -> str:
    if before is None or now is None:
        return "without a screen now" if now is None else "with a screen now"
    return f"limit of the screen changed from {before} to {now}"


def _weights_in_words(before: str, now: str) -> str:
    """Which weights took the place of which, by SHA-256; where the old ones have a name, how to keep them."""
    named = {sha256: name_of(sha256) for sha256 in (before, now)}
    kept = f" = {named[before]}, still there with `--weights {named[before]}`" if named[before] else ""
    new = f" {named[now]}" if named[now] else ""
    return f"weights{new} changed ({before[:12]}{kept} -> {now[:12]})"


# ---- the first form

# Until commit 5f0e436 a marker held one digest over all of these keys, and the version of the tables beside
# that of the algorithm. Such markers are still understood, or every survey that is finished would be done
# again. The keys and defaults of that time; they never change.
_FIRST_KEYS: dict[str, Any] = {
    "batch": 8,
    "threads_per_worker": 1,
    "cascade": None,
    "halo_px": 32,
    "block_cores": 8,
    "tone": "linear",
    "line_cap_mm": 150.0,
    "spur_px": 10.0,
    "spur_widths": 1.5,
    "gap_px": 30.0,
    "gap_angle_deg": 30.0,
    "simplify_px": 0.5,
    "min_length_mm": 25.0,
    "tiny_below_mm": 1.0,
    "small_below_mm": 3.0,
    "sigma_psf_px": 0.7,
    "contrast": None,
    "contrast_sd": 0.2,
    "width_shape_sd": 0.11,
    "window_px": 50.0,
    "class_run_mm": 100.0,
    "certain_from": 0.8,
}


def first_form_of(configuration: Mapping[str, Any]) -> dict[str, Fingerprint]:
    """Digest of the first form -> the configuration in today's form that it stands for.

    A digest cannot be read back, so configurations are tried that are probable beside this one: the defaults,
    and this one with one key at its default. Any other only reads as "configuration changed".
    """
    without_one = [
        {key: configuration[key] for key in configuration if key != left} for left in configuration
    ]
    tried = [{}, *without_one, dict(configuration)]
    return {sealed.digest(_FIRST_KEYS | each): each for each in tried if each.keys() <= _FIRST_KEYS.keys()}


def _in_todays_form(written: Fingerprint, first_form: Mapping[str, Fingerprint]) -> Fingerprint:
    if not isinstance(written.get("algorithm"), list):
        return written
    configuration = written["configuration"]
    return {
        **written,
        "algorithm": written["algorithm"][0],
        "configuration": first_form.get(configuration, configuration),
    }
