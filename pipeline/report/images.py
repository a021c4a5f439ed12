"""The images of the survey as they lie on disk now. Pictures are cut only from images that did not change."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from crackpipe.pipeline.dataset.finished_run import how_it_was_read
from crackpipe.pipeline.image import SurveyImage
from crackpipe.pipeline.state.markers import read_marker
from crackpipe.pipeline.state.output import Output
from crackpipe.pipeline.storage.cloud.address import is_address
from crackpipe.pipeline.survey.load import load_survey
from crackpipe.pipeline.survey.memory import recall


@dataclass(frozen=True)
class OnDisk:
    """What is there of the images that were asked for."""

    images: Mapping[str, SurveyImage]
    """By image_id: those that are as they were during the run."""
    missing: Mapping[str, str]
    """By image_id: why the others cannot be shown, in words."""


def images_on_disk(
    output: Output, record: Mapping[str, Any], sources: Sequence[Path], image_ids: Sequence[str]
) -> OnDisk:
    """Find the images `image_ids` of a run in `sources`, or else where `run.json` says the survey was.

    A file that has another size now, or another time where `sources` are empty, is left out. Raises
    ConfigurationError if `record`, the content of run.json, holds impossible values.
    """
    places = [Path(place) for place in sources or record.get("survey", ())]
    there = [place for place in places if place.exists()]
    if any(map(is_address, record.get("survey", ()))) and not sources:
        why = f"the survey is in object storage, {', '.join(record['survey'])}"
        return OnDisk({}, dict.fromkeys(image_ids, why))
    if not there:
        why = f"the survey is not at {', '.join(map(str, places)) or 'any place that run.json names'}"
        return OnDisk({}, dict.fromkeys(image_ids, why))
    how = how_it_was_read(record, output.root / "run.json")
    survey = load_survey(there, how, output.root, recall(output.memory, how))
    known = {image.image_id: image for image in survey.images}
    found: dict[str, SurveyImage] = {}
    missing: dict[str, str] = {}
    for image_id in image_ids:
        if image_id not in known:
            missing[image_id] = "the image is not in the survey any more, or can no longer be read"
        elif _changed(output, known[image_id], times_count=not sources):
            missing[image_id] = "the image is not the one that was inspected"
        else:
            found[image_id] = known[image_id]
    return OnDisk(found, missing)


def _changed(output: Output, image: SurveyImage, *, times_count: bool) -> bool:
    marker = read_marker(output, image.image_id)
    if marker is None or marker["status"] != "done":
        return True
    made_from = marker.get("fingerprint", {})
    same_time = not times_count or made_from.get("file time") == image.mtime_ns
    return not (made_from.get("file size") == image.size_bytes and same_time)
