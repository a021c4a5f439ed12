"""What `lines` needs if there are several classes: the masks of one class, and lines that have no widths."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from crackpipe.pipeline.geometry.grid import Window
from crackpipe.pipeline.image import SurveyImage
from crackpipe.pipeline.masks import group
from crackpipe.pipeline.masks.values import is_any, of_classes
from crackpipe.pipeline.state import staging
from crackpipe.pipeline.tables import crack_rows, crack_type
from crackpipe.pipeline.tasks.job import Job
from crackpipe.pipeline.trace.lines import Line
from crackpipe.pipeline.width.row_width import UNMEASURED


def read_classes(
    job: Job, image: SurveyImage, values: Sequence[int], window: Window
) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.uint8]]]:
    """Staged mask and probability, uint8 (h, w), of one class at a time, for these values of the mask."""
    both = group.read_window(staging.masks_at_work(job.output, image.image_id), window)
    for value in values:
        yield both if len(job.classes) == 1 else of_classes(*both, [value])


def numbered_on(lines: Sequence[Line], before: Sequence[Line], value: int) -> list[Line]:
    """Lines of the class with this value in the mask. Networks and nodes are numbered on from `before`."""
    network = 1 + max((line.network for line in before), default=-1)
    node = 1 + max((max(line.start_node, line.end_node) for line in before), default=-1)
    return [
        replace(
            line,
            network=line.network + network,
            start_node=line.start_node + node,
            end_node=line.end_node + node,
            mask_value=value,
        )
        for line in lines
    ]


def other_than_crack(job: Job, image: SurveyImage, window: Window) -> NDArray[np.bool_]:
    """Where paint, sealant and joints are. A crack's grey values must not be compared with these."""
    mask, _ = group.read_window(staging.masks_at_work(job.output, image.image_id), window)
    return is_any(mask, job.values_of("line", "area"))


def plain_pieces(job: Job, lines: Sequence[Line]) -> list[crack_rows.Piece]:
    """The lines of classes without widths, each as one piece."""
    nodes = [(line.start_node, line.end_node) for line in lines]
    return [
        crack_rows.Piece(
            vertices=line.vertices,
            network=line.network,
            closes_cell=bool(closes),
            width=UNMEASURED,
            confidence=line.confidence,
            bridged_px=line.bridged_px,
            class_name=job.classes[line.mask_value - 1],
        )
        for line, closes in zip(lines, crack_type.closing_cells(nodes), strict=True)
    ]
