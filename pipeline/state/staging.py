"""The staging folder of an image in the making: opened, filled block by block, cleared."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from crackpipe.pipeline.state.output import Output
from crackpipe.pipeline.storage.durable import fsync_path, remove_partials, remove_tree
from crackpipe.pipeline.storage.sealed import read_sealed, write_sealed


def open_staging(output: Output, image_id: str, fingerprint: Mapping[str, Any]) -> Path:
    """The staging folder of an image: continued if it has the same fingerprint, else made anew."""
    folder = output.staging(image_id)
    if read_sealed(folder / "key.json") == dict(fingerprint):
        remove_partials(folder)
        for unfinished in folder.glob("masks-*"):
            remove_tree(unfinished)
    else:
        remove_tree(folder)
        (folder / "blocks").mkdir(parents=True)
        write_sealed(folder / "key.json", fingerprint)
    return folder


def fsync_chunks(group: Path, block_row: int, block_col: int) -> None:
    """Flush the chunk files of one block of a staged Zarr group, and the folders that lead to them."""
    for array in ("mask", "probability"):
        chunk = group / array / "c" / str(block_row) / str(block_col)
        for path in (chunk, *chunk.parents[:3], group.parent):
            fsync_path(path)


def mark_block(staging: Path, row: int, col: int, figures: Mapping[str, Any]) -> None:
    """Note that a block's chunks are on disk, with its small figures."""
    write_sealed(staging / "blocks" / f"{row}-{col}", figures)


def block_figures(staging: Path, row: int, col: int) -> dict[str, Any] | None:
    """The figures of a finished block, or None if it is not finished."""
    return read_sealed(staging / "blocks" / f"{row}-{col}")


def is_published(output: Output, image_id: str) -> bool:
    """Whether an image of this run is published already, so that nothing is left to do.

    Tasks ask this that run again because the worker that held their results died.
    """
    return not output.staging(image_id).exists()


def masks_at_work(output: Output, image_id: str) -> Path:
    """The Zarr group of an image that is being made: staged, or published already."""
    staged = output.staging(image_id) / "masks"
    return staged if staged.exists() else output.masks_of(image_id)


def discard_staging(staging: Path) -> None:
    """Remove a staging folder. It is renamed first, so that it is gone at once for `is_published`."""
    if staging.exists():
        gone = staging.with_name(f"{staging.name}-gone")
        remove_tree(gone)
        staging.rename(gone)
        remove_tree(gone)


def clear_staging(output: Output, keep: set[str]) -> list[str]:
    """Remove everything in staging but the folders in `keep` (file keys); the names of what was removed."""
    removed = []
    for path in output.in_staging():
        if path.is_dir() and path.name not in keep:
            remove_tree(path)
        elif not path.is_dir():
            path.unlink()
        else:
            continue
        removed.append(path.name)
    return removed
