"""What is to be done and why: the images to run, and the units into which they are cut."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from crackpipe.pipeline import fingerprint
from crackpipe.pipeline.cluster import local
from crackpipe.pipeline.console.log import log
from crackpipe.pipeline.errors import ConfigurationError, NoReadableImageError
from crackpipe.pipeline.geometry.crs import footprint_in, survey_crs
from crackpipe.pipeline.geometry.grid import Block, plan_units
from crackpipe.pipeline.image import Rejected, SurveyImage
from crackpipe.pipeline.request import Request
from crackpipe.pipeline.state import markers
from crackpipe.pipeline.survey import load, region
from crackpipe.pipeline.survey.memory import Memory
from crackpipe.pipeline.tasks.job import Job, grid_of

_UNITS_PER_WORKER = 4  # at least so many: with fewer, workers of a small survey would idle at its end


@dataclass(frozen=True)
class Plan:
    """What is to be done and why."""

    job: Job
    images: tuple[SurveyImage, ...]
    """All accepted images, by image_id."""
    rejected: tuple[Rejected, ...]
    why: dict[str, list[str]]
    """image_id -> reasons, for the images that must run."""
    fingerprints: dict[str, fingerprint.Fingerprint]
    """By image_id: everything an image's masks and rows depend on."""
    finished: dict[str, markers.Marker] = field(default_factory=dict)
    """The markers of images that need not run, by image_id."""
    archives: tuple[str, ...] = ()
    """Archives in the survey, which nobody looks into."""

    @property
    def to_run(self) -> list[SurveyImage]:
        """The images that must run."""
        return [image for image in self.images if image.image_id in self.why]


def look_at(request: Request, memory: Memory | None = None) -> load.Survey:
    """Find the survey's images and read their headers. Raises NoReadableImageError if there is no file."""
    found = load.load_survey(request.sources, request.config, request.out, memory)
    if not found.images and not found.rejected:
        names = ", ".join(str(source) for source in request.sources)
        raise NoReadableImageError(
            f"no image found in {names}. Expected are .tif, .tiff, .jpg, .jpeg or .png files in any "
            f"subfolder{', but for what --exclude leaves out' if request.config.exclude else ''}."
            + (f" {archives_line(found.archives)}" if found.archives else "")
        )
    found = _on_one_map(found, request.config.crs)
    return found if request.config.region is None else _limited(found, Path(request.config.region))


def _on_one_map(found: load.Survey, wanted_crs: str | None) -> load.Survey:
    """Reject the images that have no place in the CRS of the tables.

    Raises ConfigurationError if none has a place there: then the CRS is wrong, not the images.
    """
    crs = survey_crs([image.crs_wkt for image in found.images], wanted_crs)
    if crs is None:
        return found
    crs_wkt = crs.to_wkt()
    outside = {
        image.image_id
        for image in found.images
        if footprint_in(image.footprint, image.crs_wkt, crs_wkt) is None
    }
    if outside and len(outside) == len(found.images):
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
        for image in found.images
        if image.image_id in outside
    ]
    return replace(
        found,
        images=tuple(image for image in found.images if image.image_id not in outside),
        rejected=tuple(sorted([*found.rejected, *rejected], key=lambda each: each.image_id)),
    )


def _limited(found: load.Survey, file: Path) -> load.Survey:
    images = region.limit(found.images, region.read_region(file))
    outside = sum(region.is_outside(image) for image in images)
    log.info(
        f"region {file.name}: {100 * region.share(images):.1f} % of the pixels are inside; "
        f"{outside} of {len(images)} images lie outside"
    )
    return replace(found, images=images)


def make_plan(request: Request, job: Job, found: load.Survey) -> Plan:
    """Compare every image with its marker."""
    alike = fingerprint.of_job(job)
    first_form = fingerprint.first_form_of(alike["configuration"])
    verify = job.config.verify_inputs
    fingerprints = {
        image.image_id: alike | fingerprint.of_image(image, verify_inputs=verify) for image in found.images
    }
    why: dict[str, list[str]] = {}
    finished: dict[str, markers.Marker] = {}
    for image in found.images:
        marker = None if request.restart else markers.read_marker(job.output, image.image_id)
        reasons = fingerprint.reasons_to_run(marker, fingerprints[image.image_id], first_form)
        if reasons:
            why[image.image_id] = ["--restart"] if request.restart else reasons
        elif marker is not None:
            finished[image.image_id] = marker
    return Plan(job, found.images, found.rejected, why, fingerprints, finished, found.archives)


def say_plan(plan: Plan) -> None:
    """Tell what will run, and why images that were done before run again."""
    again: dict[str, int] = {}
    for reasons in plan.why.values():
        for reason in reasons:
            again[reason] = again.get(reason, 0) + 1
    done = len(plan.images) - len(plan.why)
    text = f"{len(plan.images)} images to inspect, {done} of them done before, {len(plan.rejected)} rejected"
    reasons_text = "; ".join(f"{count} x {reason}" for reason, count in sorted(again.items()))
    log.info(f"{text}{' (' + reasons_text + ')' if reasons_text else ''}")
    if plan.archives:
        log.warning(archives_line(plan.archives))
    doubts: dict[str, list[str]] = {}
    for image in plan.to_run:
        for warning in image.all_warnings:
            doubts.setdefault(warning, []).append(image.image_id)
    # one line for each doubt, since a fault of the camera's software shows in every image
    for warning, names in doubts.items():
        others = f" and {len(names) - 1} more" if len(names) > 1 else ""
        log.warning(f"{names[0]}{others}: {warning}")


def archives_line(archives: Sequence[str]) -> str:
    """One sentence about all archives of a survey, and what to do."""
    others = f" and {len(archives) - 1} more archives are" if len(archives) > 1 else ", an archive, is"
    return (
        f"{archives[0]}{others} not looked into. Unpack what holds images of this survey; --exclude GLOB "
        "leaves out the rest."
    )


def units_of(request: Request, plan: Plan, images: Sequence[SurveyImage]) -> list[tuple[Block, ...]]:
    """Cut the images into units: large, but several for each worker."""
    config = plan.job.config
    grids = [(image.image_id, grid_of(image, plan.job)) for image in images]
    tiles = sum(grid.tile_count(block) for _, grid in grids for block in grid.blocks())
    workers = max(1, request.config.gpus or request.config.workers or local.cpu_count())
    return plan_units(grids, min(config.unit_tiles, max(1, tiles // (_UNITS_PER_WORKER * workers))))
