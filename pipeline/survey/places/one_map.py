"""All images on one map: the CRS of the tables, and which images cannot be moved there, or only roughly."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from pyproj import CRS

from crackpipe.pipeline.errors import ConfigurationError
from crackpipe.pipeline.geometry.crs import footprint_in, short_name
from crackpipe.pipeline.geometry.survey_crs import exact_crs, moves_roughly, survey_crs
from crackpipe.pipeline.image import Rejected, SurveyImage

_ROUGH = "PROJ knows only a rough way (a ballpark transformation)"


def put_on_one_map(
    images: Sequence[SurveyImage], wanted: str | None
) -> tuple[CRS | None, list[SurveyImage], list[Rejected]]:
    """Choose the CRS of the tables (`wanted`: --crs), and reject the images that have no place in it.

    Images to which PROJ knows only a rough way get a `crs_warning`. The CRS is None if there is no image.
    Raises ConfigurationError if `wanted` is no CRS, or if no image has a place in the CRS: then the CRS is
    wrong, not the images.
    """
    crs = survey_crs([(image.crs_wkt, image.centre) for image in images], wanted)
    if crs is None:
        return None, [*images], []
    crs_wkt = crs.to_wkt()
    outside = {
        image.image_id for image in images if footprint_in(image.footprint, image.crs_wkt, crs_wkt) is None
    }
    if outside and len(outside) == len(images):
        raise ConfigurationError(
            f"none of the {len(outside)} images lies inside {crs.name}, the CRS of the tables. "
            "Give another --crs."
        )
    rejected = [
        Rejected.of(
            image,
            "outside-crs",
            f"it lies outside {crs.name}, the CRS of the tables",
            "Correct its georeference if it is wrong; else run it as a survey of its own, or give a --crs "
            "that reaches all images.",
        )
        for image in images
        if image.image_id in outside
    ]
    return crs, _warned([image for image in images if image.image_id not in outside], crs), rejected


def _warned(images: Sequence[SurveyImage], crs: CRS) -> list[SurveyImage]:
    """The images; those that PROJ can only move roughly to `crs` have a warning."""
    crs_wkt = crs.to_wkt()
    rough = {each.image_id for each in images if moves_roughly((each.crs_wkt, each.centre), crs_wkt)}
    if not rough:
        return [*images]
    better = exact_crs([(image.crs_wkt, image.centre) for image in images])
    remedy = f"give --crs {better}" if better else "georeference it in that CRS"
    warnings = {
        wkt: f"{_ROUGH} from {short_name(CRS.from_wkt(wkt))} to {short_name(crs)}, the CRS of the tables, so "
        f"its place there may be wrong by some hundred metres: {remedy}"
        for wkt in {image.crs_wkt for image in images if image.image_id in rough}
    }
    return [
        replace(image, crs_warning=warnings[image.crs_wkt]) if image.image_id in rough else image
        for image in images
    ]


def warned_of_region(image: SurveyImage, region_crs: CRS, region_wkt: str) -> SurveyImage:
    """The image, with a warning if PROJ can only move the region roughly to it."""
    if not moves_roughly((image.crs_wkt, image.centre), region_wkt):
        return image
    doubt = (
        f"{_ROUGH} from {short_name(region_crs)}, the CRS of the region, to the image, so the region's "
        "border may be wrong by some hundred metres: save the region in the CRS of the image"
    )
    return replace(image, survey_warnings=(*image.survey_warnings, doubt))


def said_of_crs(images: Sequence[SurveyImage], crs: CRS | None) -> str | None:
    """A sentence where the tables have another CRS than most images; None where it is the commonest one."""
    counts = Counter(image.crs_wkt for image in images)
    if crs is None or counts[crs.to_wkt()] == max(counts.values(), default=0):
        return None
    return (
        f"the tables are in {short_name(crs)}, which is not the commonest CRS: PROJ knows more than a rough "
        "way to it from each image. --crs decides otherwise"
    )
