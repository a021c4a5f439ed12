"""What is to be done and why: the images to run, and the units into which they are cut."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from pyproj import CRS

from crackpipe.pipeline import fingerprint
from crackpipe.pipeline.cluster import local
from crackpipe.pipeline.console.log import log
from crackpipe.pipeline.console.printable import shown
from crackpipe.pipeline.errors import NoReadableImageError
from crackpipe.pipeline.geometry.grid import Block, plan_units
from crackpipe.pipeline.image import Rejected, SurveyImage
from crackpipe.pipeline.request import Request
from crackpipe.pipeline.state import markers
from crackpipe.pipeline.state.output import Output
from crackpipe.pipeline.state.removed import Removed, look_for, named
from crackpipe.pipeline.storage.cloud.stage import Stage
from crackpipe.pipeline.survey import load, region
from crackpipe.pipeline.survey.files import find
from crackpipe.pipeline.survey.memory import Memory
from crackpipe.pipeline.survey.places.one_map import put_on_one_map, said_of_crs, warned_of_region
from crackpipe.pipeline.tasks.job import Job, coarse_shift_of, grid_of

_REJECTED_NAMED = 5  # at the beginning; a delivery that lacks its CRS would fill the screen otherwise
_UNITS_PER_WORKER = 4  # at least so many: with fewer, workers of a small survey would idle at its end
_GSD_ALIKE = 0.001  # a share; no length or width changes that anybody could see


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
    crs: CRS | None = None
    """CRS of the tables; None if no image has one."""
    removed: Removed = field(default_factory=Removed)
    """Finished images that are not found any more."""
    unread: tuple[str, ...] = ()
    """Sentences about sources of which nothing can be read, though images of theirs were finished."""

    @property
    def to_run(self) -> list[SurveyImage]:
        """The images that must run."""
        return [image for image in self.images if image.image_id in self.why]

    def refusal(self, *, accept_removed: bool) -> str | None:
        """Why the tables stay as they are, and what to do; None where they may be made."""
        removed, most = self.removed, self.job.config.removed_share
        missed = f"{_missed(removed)}. The tables stay as they were."
        if self.unread:
            return (
                f"{' '.join(self.unread)} {missed} Check that its disk is mounted, then run the same command "
                "again. A source that is gone for good is left out of the command."
            )
        if accept_removed or not removed.has_tables or removed.share <= most:
            return None
        return (
            f"{missed} Without --accept-removed, at most {100 * most:g} % may be missing. Check that all "
            "disks are mounted, then run the same command again; if these images were taken out on purpose, "
            "add --accept-removed once."
        )


def look_at(request: Request, memory: Memory | None = None, stage: Stage | None = None) -> load.Survey:
    """Find the survey's images and read their headers. Raises NoReadableImageError if there is no file."""
    found = load.load_survey(request.sources, request.config, request.out, memory)
    if stage is not None:
        found = _with_true_reasons(found, stage)
    # where images were finished, `make_plan` says what is missing
    if not found.images and not found.rejected and not any(Output(request.out).markers.glob("*.json")):
        names = ", ".join(request.places)
        raise NoReadableImageError(
            f"no image found in {names}. Expected are .tif, .tiff, .jpg, .jpeg or .png files in any "
            f"subfolder{', but for what --exclude leaves out' if request.config.exclude else ''}."
            + (f" {archives_line(found.archives)}" if found.archives else "")
        )
    crs, images, outside = put_on_one_map(found.images, request.config.crs)
    rejected = sorted([*found.rejected, *outside], key=lambda each: each.image_id)
    found = replace(found, images=tuple(images), rejected=tuple(rejected), crs=crs)
    return found if request.config.region is None else _limited(found, Path(request.config.region))


def _with_true_reasons(found: load.Survey, stage: Stage) -> load.Survey:
    """What a survey in object storage holds, keys that are no file's name, and why heads did not come."""
    prefixes = len(found.sources) > 1
    images, rejected = stage.corrected(found.images, found.rejected)
    refused = [
        replace(each, image_id=f"{each.survey}/{each.image_id}") if prefixes else each
        for each in stage.refused
    ]
    by_id = sorted([*rejected, *refused], key=lambda each: each.image_id)
    return replace(found, images=images, rejected=tuple(by_id))


def _limited(found: load.Survey, file: Path) -> load.Survey:
    ground = region.read_region(file)
    images = tuple(
        warned_of_region(image, ground.crs, ground.crs_wkt) for image in region.limit(found.images, ground)
    )
    outside = sum(region.is_outside(image) for image in images)
    log.info(
        f"region {file.name}: {100 * region.share(images):.1f} % of the pixels are inside; "
        f"{outside} of {len(images)} images lie outside"
    )
    return replace(found, images=images)


def make_plan(request: Request, job: Job, found: load.Survey) -> Plan:
    """Compare every image with its marker, and every marker with the images.

    Raises the error of a source that is not there if no image of it was finished.
    """
    alike = fingerprint.of_job(job)
    first_form = fingerprint.first_form_of(alike["configuration"])
    fingerprints = {image.image_id: alike | fingerprint.of_image(image, job) for image in found.images}
    why: dict[str, list[str]] = {}
    finished: dict[str, markers.Marker] = {}
    for image in found.images:
        marker = None if request.restart else markers.read_marker(job.output, image.image_id)
        reasons = fingerprint.reasons_to_run(marker, fingerprints[image.image_id], first_form)
        if reasons:
            why[image.image_id] = ["--restart"] if request.restart else reasons
        elif marker is not None:
            finished[image.image_id] = marker
    removed = _removed(request, job, found)
    return Plan(
        job,
        found.images,
        found.rejected,
        why,
        fingerprints,
        finished,
        found.archives,
        found.crs,
        removed,
        _unread(request, found, removed),
    )


def _removed(request: Request, job: Job, found: load.Survey) -> Removed:
    """The finished images that are neither in the survey nor left out by --exclude."""
    exclude, is_prefixed = job.config.exclude, len(request.sources) > 1

    def is_left_out(image_id: str) -> bool:
        return find.is_left_out(image_id.partition("/")[2] if is_prefixed else image_id, exclude)

    present = {image.image_id for image in found.images}
    present |= {each.image_id for each in found.rejected if each.reason not in load.UNREADABLE}
    return look_for(job.output, present, is_left_out)


def _unread(request: Request, found: load.Survey, removed: Removed) -> tuple[str, ...]:
    """Sentences about sources of which nothing can be read, though images of theirs were finished.

    Raises the error of a source that is not there if no image of it was finished.
    """
    said = []
    for name, error in found.unread().items():
        prefix = f"{name}/" if len(request.sources) > 1 else ""
        if any(image_id.startswith(prefix) for image_id in removed.now):
            said.append(str(error))
        elif name in found.gone:
            raise error
        else:
            log.warning(str(error))
    return tuple(said)


def _missed(removed: Removed) -> str:
    return (
        f"{len(removed.now)} of {removed.finished} finished images ({100 * removed.share:.2g} %) are not "
        f"found any more: {named(removed.now)}"
    )


def say_plan(plan: Plan, *, accept_removed: bool = False) -> None:
    """Tell what will run, and why images that were done before run again."""
    again: dict[str, int] = {}
    for reasons in plan.why.values():
        for reason in reasons:
            again[reason] = again.get(reason, 0) + 1
    done = len(plan.images) - len(plan.why)
    text = f"{len(plan.images)} images to inspect, {done} of them done before, {len(plan.rejected)} rejected"
    reasons_text = "; ".join(f"{count} x {reason}" for reason, count in sorted(again.items()))
    log.info(f"{text}{' (' + reasons_text + ')' if reasons_text else ''}")
    for rejected in plan.rejected[:_REJECTED_NAMED]:
        log.warning(shown(f"quarantined {rejected.image_id}: {rejected.reason}: {rejected.message}"))
    if len(plan.rejected) > _REJECTED_NAMED:
        log.warning(f"and {len(plan.rejected) - _REJECTED_NAMED} more; the last lines of the run name them")
    if plan.archives:
        log.warning(archives_line(plan.archives))
    for without_effect in filter(None, (said_of_gsd(plan), said_of_screen(plan))):
        log.warning(without_effect)
    said = None if plan.job.config.crs else said_of_crs(plan.images, plan.crs)
    if said is not None:
        log.info(said)
    if plan.removed.now:
        log.warning(
            plan.refusal(accept_removed=accept_removed)
            or f"{_missed(plan.removed)}. The tables are made without them."
        )
    doubts: dict[str, list[str]] = {}
    for image in plan.images:
        # another image or --crs may change the CRS of the tables, while no image runs again
        each_time = [] if image.crs_warning is None else [image.crs_warning]
        for warning in image.all_warnings if image.image_id in plan.why else each_time:
            doubts.setdefault(warning, []).append(image.image_id)
    # one line for each doubt, since a fault of the camera's software shows in every image
    for warning, names in doubts.items():
        others = f" and {len(names) - 1} more" if len(names) > 1 else ""
        log.warning(f"{names[0]}{others}: {warning}")


def said_of_gsd(plan: Plan) -> str | None:
    """A sentence where --assume-gsd leaves images as they are; None where it does not."""
    config = plan.job.config
    if config.assume_gsd_mm is None:
        return None
    own = sorted(
        image.gsd_mm
        for image in plan.images
        if not math.isclose(image.gsd_mm, config.assume_gsd_mm, rel_tol=_GSD_ALIKE)
    )
    if not own:
        return None
    span = f"{own[0]:.3g}" if f"{own[0]:.3g}" == f"{own[-1]:.3g}" else f"{own[0]:.3g} to {own[-1]:.3g}"
    return (
        f"--assume-gsd {config.assume_gsd_mm:g}: {len(own)} of {len(plan.images)} images keep their own GSD "
        f"of {span} mm, since {config.gsd_min_mm:g} to {config.gsd_max_mm:g} mm are trusted. If it is wrong "
        "too, narrow gsd_min_mm and gsd_max_mm in crackpipe.toml."
    )


def said_of_screen(plan: Plan) -> str | None:
    """A sentence where --screen has no effect on images; None where it has on all."""
    too_coarse = [image.gsd_mm for image in plan.images if coarse_shift_of(image.gsd_mm, plan.job) is None]
    if plan.job.screen is None or not too_coarse:
        return None
    return (
        f"--screen {plan.job.config.screen:g}: {len(too_coarse)} of {len(plan.images)} images, of "
        f"{min(too_coarse):.3g} mm per pixel and more, take no coarse look, so it spares nothing there."
    )


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
    workers = max(1, config.gpus or request.config.workers or local.cpu_count())
    return plan_units(grids, min(config.unit_tiles, max(1, tiles // (_UNITS_PER_WORKER * workers))))
