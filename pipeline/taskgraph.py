"""The Dask graph of a run: plain `dask.delayed`, so that any scheduler can run it and it can be drawn."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import dask

from crackpipe.pipeline.cluster import gpus
from crackpipe.pipeline.geometry.grid import Block, Window
from crackpipe.pipeline.image import SurveyImage
from crackpipe.pipeline.plan import Plan
from crackpipe.pipeline.state import output
from crackpipe.pipeline.tasks.finish import finish_image, map_images
from crackpipe.pipeline.tasks.job import Job, grid_of
from crackpipe.pipeline.tasks.lines import measure_part, skeleton_part, skeleton_reach, trace_part
from crackpipe.pipeline.tasks.unit import inspect_unit

_PARTS_FROM = 2  # images of more units than this are traced in parts
_LAST_UNITS = 32  # at the end of the survey so many units begin by size, the largest first


def build_graph(
    plan: Plan, images: Sequence[SurveyImage], units: Sequence[tuple[Block, ...]], attempt: str = ""
) -> tuple[list[Any], list[Any]]:
    """The delayed units, and the delayed ends. An end publishes images and gives a list of ImageDone.

    An end waits only for the units that touch its images, so images are published while others are still
    inspected. Small images that end in the same unit share one task; an image of several units is traced and
    measured in as many parts. `attempt` tells the tasks of a second graph from those of the first.
    """
    by_id = {image.image_id: image for image in images}
    with dask.annotate(**gpus.resources(plan.job.config, gpus.DEVICE)):
        inspected = [
            _inspected(plan.job, by_id, unit, priority, f"inspect-{index}{attempt}")
            for index, (unit, priority) in enumerate(zip(units, _priorities(units), strict=True))
        ]
    with dask.annotate(**gpus.resources(plan.job.config, gpus.TRACING)):
        return inspected, _ends(plan, by_id, units, inspected, attempt)


def _ends(
    plan: Plan,
    by_id: Mapping[str, SurveyImage],
    units: Sequence[tuple[Block, ...]],
    inspected: Sequence[Any],
    attempt: str,
) -> list[Any]:
    job = dask.delayed(plan.job, pure=True)  # one copy in the graph, not one per task
    touched = _units_of_images(units)
    small: dict[int, list[str]] = {}
    ends = []
    for name, indices in touched.items():
        if len(indices) <= _PARTS_FROM:
            small.setdefault(indices[-1], []).append(name)
        else:
            blocks, made = [units[i] for i in indices], [inspected[i] for i in indices]
            ends.append(_large_end(plan, job, by_id[name], blocks, made, attempt))
    for index, names in small.items():
        needed = sorted({i for name in names for i in touched[name]})
        ends.append(
            _with(
                map_images,
                images=[by_id[name] for name in names],
                fingerprints={name: plan.fingerprints[name] for name in names},
            )(job, units=[inspected[i] for i in needed], dask_key_name=f"map-{index}{attempt}")
        )
    return ends


def _inspected(
    job: Job, by_id: Mapping[str, SurveyImage], unit: tuple[Block, ...], priority: int, key: str
) -> Any:
    """A delayed unit. It depends on no other task.

    If all units depended on one task, Dask would send them all to the worker that holds its result.
    """
    images = {name: by_id[name] for name in sorted({block.image_id for block in unit})}
    with dask.annotate(priority=priority):
        return _with(inspect_unit, job=job, images=images, unit=unit)(dask_key_name=key)


def _priorities(units: Sequence[tuple[Block, ...]]) -> list[int]:
    """The priority of each unit, all below 0, the priority of the ends.

    Units begin in the order of the survey. Of the last ones the largest begins first: if it began last, one
    worker would be busy with it while the others have nothing left to do.
    """
    tiles = [sum(block.tiles for block in unit) for unit in units]
    first = max(0, len(units) - _LAST_UNITS)
    last = sorted(range(first, len(units)), key=lambda index: -tiles[index])
    priorities = {index: -1 - rank for rank, index in enumerate([*range(first), *last])}
    return [priorities[index] for index in range(len(units))]


def _large_end(  # noqa: PLR0917
    plan: Plan,
    job: Any,
    image: SurveyImage,
    units: Sequence[tuple[Block, ...]],
    inspected: Sequence[Any],
    attempt: str,
) -> Any:
    """Trace, measure and publish an image of several units, in as many parts as it had units."""
    key = f"{output.file_key(image.image_id)}{attempt}"
    parts = [[block.window for block in unit if block.image_id == image.image_id] for unit in units]
    skeletons = [
        _with(skeleton_part, image=image, blocks=part)(
            job, units=[inspected[i] for i in needed], dask_key_name=f"skeleton-{key}-{index}"
        )
        for index, (part, needed) in enumerate(zip(parts, _needed_parts(plan.job, image, parts), strict=True))
    ]
    traced = _with(trace_part, image=image)(job, parts=skeletons, dask_key_name=f"trace-{key}")
    measured = [
        _with(measure_part, image=image, blocks=part)(
            job, traced=traced, dask_key_name=f"measure-{key}-{index}"
        )
        for index, part in enumerate(parts)
    ]
    return _with(finish_image, image=image, fingerprint=plan.fingerprints[image.image_id])(
        job, units=inspected, traced=traced, parts=measured, dask_key_name=f"finish-{key}"
    )


def _needed_parts(job: Job, image: SurveyImage, parts: Sequence[Sequence[Window]]) -> list[list[int]]:
    """For each part of an image, the numbers of the parts whose masks its skeletons depend on, ascending."""
    side_px = grid_of(image, job).block_px
    part_of = {
        (block.row // side_px, block.col // side_px): index
        for index, part in enumerate(parts)
        for block in part
    }
    return [
        sorted(
            {
                part_of[cell]
                for block in part
                for cell in skeleton_reach(job, image, block).cells(side_px, side_px)
            }
        )
        for part in parts
    ]


def _with(function: Callable[..., Any], **values: Any) -> Any:
    """A delayed function with some of its arguments already given.

    Dask does not look into these. It would search every field of every image for other delayed values, which
    takes 5 s for 10,000 images.
    """
    return dask.delayed(partial(function, **values), pure=False, traverse=False)


def _units_of_images(units: Sequence[tuple[Block, ...]]) -> dict[str, list[int]]:
    """image_id -> indices of the units that touch it, ascending."""
    touched: dict[str, list[int]] = {}
    for index, unit in enumerate(units):
        for name in dict.fromkeys(block.image_id for block in unit):
            touched.setdefault(name, []).append(index)
    return touched
