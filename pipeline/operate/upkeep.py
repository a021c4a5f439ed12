"""What a person does to an output folder between runs: give quarantined images another try, clean up."""

import uuid
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from crackpipe.pipeline.errors import UsageError
from crackpipe.pipeline.masks import group
from crackpipe.pipeline.state import lock, markers, publishing, removed, staging
from crackpipe.pipeline.state.output import Output, output_at
from crackpipe.pipeline.storage import durable
from crackpipe.pipeline.storage.faults import guarding
from crackpipe.pipeline.survey import memory


def retry_quarantined(out: Path, reason: str | None = None) -> list[str]:
    """Forget that images are in quarantine, so that the next run tries them again; says which.

    With `reason`, only those with that code.
    """
    output = output_at(out)
    with lock.locked(output, uuid.uuid4().hex), guarding(output.root):
        again = [
            marker
            for marker in markers.all_markers(output)
            if marker["status"] == "quarantined" and reason in (None, marker["reason"])
        ]
        again.sort(key=lambda marker: str(marker["image_id"]))
        for marker in again:
            markers.unmark(output, marker["image_id"])
    said = [f"{marker['image_id']}: {marker['reason']}" for marker in again]
    return [*said, f"{len(again)} images will be tried again: run the same command as before"]


def clean(out: Path, *, removed_images: bool = False) -> list[str]:
    """Remove unfinished work, and what was made of images that left the survey; says what was removed.

    Which images the survey has is read from `images.parquet`, and from what the last run noted before its
    work: if it was cut, the table does not name yet what it finished. Raises UsageError if the table cannot
    be read.
    """
    output = output_at(out)
    with lock.locked(output, uuid.uuid4().hex), guarding(output.root):
        if removed_images:
            _check_that_nothing_is_missing(output)
        publishing.finish_interrupted(output)
        unfinished = [name for name in staging.clear_staging(output, keep=set()) if "." not in name]
        partials = durable.remove_partials(output.hidden)
        said = [f"{len(unfinished)} unfinished images and {len(partials)} partial files removed"]
        if removed_images:
            gone = sorted(_known(output) - _in_survey(output))
            for image_id in gone:
                publishing.forget_image(output, image_id)
            _remove_empty_groups(output)
            said += [*gone, f"{len(gone)} images that are no longer in the survey removed"]
    return said


def _check_that_nothing_is_missing(output: Output) -> None:
    missing = removed.missing(output)
    if missing:
        raise UsageError(
            f"the last run did not find {len(missing)} finished images and left the tables as they were, so "
            "nobody knows which images left the survey. Run again when all disks are mounted, or with "
            "--accept-removed if the images were taken out on purpose."
        )


def _in_survey(output: Output) -> set[str]:
    table = output.root / "images.parquet"
    try:
        in_table = set(pq.read_table(table, columns=["image_id"]).column("image_id").to_pylist())
    except (FileNotFoundError, pa.ArrowInvalid) as error:
        raise UsageError(
            f"{table} cannot be read ({error}), so nobody knows which images left the survey. "
            f"Run the survey first."
        ) from error
    return in_table | memory.names_kept(output.memory)


def _known(output: Output) -> set[str]:
    """Images of which there are masks or a marker."""
    return {str(marker["image_id"]) for marker in markers.all_markers(output)} | set(image_groups(output))


def image_groups(output: Output) -> list[str]:
    """The image_ids whose groups are in `masks.zarr`, with or without a marker, sorted."""
    arrays = output.masks.rglob("mask/zarr.json")
    return sorted(file.parents[1].relative_to(output.masks).as_posix() for file in arrays)


def _remove_empty_groups(output: Output) -> None:
    """Remove the groups between the root and the images that no longer lead to an image."""
    images = image_groups(output) + [str(marker["image_id"]) for marker in markers.all_markers(output)]
    needed = {output.masks / folder for folder in group.folders_to(images)}
    for file in sorted(output.masks.rglob("zarr.json"), key=lambda file: -len(file.parts)):
        if file.parent not in needed and file.read_bytes() == group.PLAIN_GROUP:
            durable.remove_tree(file.parent)
